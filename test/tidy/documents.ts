import type { Rule, Tree } from './tree.ts'
import { lineAt } from './tree.ts'

/** A text without its fenced code, with the lines kept. */
function withoutFences(text: string): string {
  return text.replace(/^(```|~~~).*?^\1/gms, (fence) => fence.replace(/[^\n]/g, ''))
}

export const markdownTitle: Rule = {
  name: 'every Markdown file has exactly one title',
  check: (tree) =>
    [...tree]
      .filter(([path]) => path.endsWith('.md'))
      .flatMap(([path, text]) => {
        const titles = [...withoutFences(text).matchAll(/^# \S/gm)]
        return titles.length === 1 ? [] : [`${path}:1: ${titles.length} titles, there must be one`]
      }),
}

/** The part of a document under each heading of the second level, by the heading's first word. */
function sections(text: string): ReadonlyMap<string, { line: number; body: string }> {
  const found = new Map<string, { line: number; body: string }>()
  const headings = [...withoutFences(text).matchAll(/^## `?([\w-]+)`?.*$/gm)]
  for (const [index, heading] of headings.entries()) {
    const body = text.slice(heading.index, headings[index + 1]?.index)
    found.set(heading[1] ?? '', { line: lineAt(text, heading.index), body })
  }
  return found
}

/** The members of `ErrorCode`, from its source. */
function errorCodes(text: string): readonly string[] {
  const union = /export type ErrorCode =([\s\S]*?)\n\n/.exec(text)?.[1] ?? ''
  return [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1] ?? '')
}

function checkErrorCodes(tree: Tree): readonly string[] {
  const codes = errorCodes(tree.get('src/core/errors.ts') ?? '')
  if (codes.length === 0) return ['src/core/errors.ts:1: no ErrorCode found']
  const documented = sections(tree.get('docs/errors.md') ?? '')
  return [
    ...codes
      .filter((code) => !documented.has(code))
      .map((code) => `docs/errors.md:1: no section for ${code}`),
    ...[...documented]
      .filter(([code]) => /^[A-Z]+_[A-Z_]+$/.test(code) && !codes.includes(code))
      .map(([code, { line }]) => `docs/errors.md:${line}: ${code} is no ErrorCode`),
  ]
}

export const errorCodesDocumented: Rule = {
  name: 'every error code has a section in docs/errors.md, and no section is left over',
  check: checkErrorCodes,
}

function checkInvariants(tree: Tree): readonly string[] {
  const text = tree.get('docs/invariants.md')
  if (text === undefined) return ['docs/invariants.md:1: the file is missing']
  return [...sections(text)]
    .filter(([name]) => /^I\d+$/.test(name))
    .flatMap(([name, { line, body }]) => {
      const files = [...body.matchAll(/`(test\/[\w./-]+)`/g)].map((match) => match[1] ?? '')
      if (files.length === 0) return [`docs/invariants.md:${line}: ${name} names no check`]
      return files
        .filter((file) => !tree.has(file))
        .map((file) => `docs/invariants.md:${line}: ${name} names ${file}, which does not exist`)
    })
}

export const invariantsChecked: Rule = {
  name: 'every invariant names the test that checks it',
  check: checkInvariants,
}

/** Code blocks are named after the language, and a test file `readme*.test.ts` asks for the name. */
function checkReadme(tree: Tree): readonly string[] {
  const text = tree.get('README.md') ?? ''
  const tests = [...tree].filter(([path]) => /^test\/.*\/readme[\w-]*\.test\.ts$/.test(path))
  return [...text.matchAll(/^```(?:ts|typescript|js)\b *(.*)$/gm)].flatMap((fence) => {
    const name = fence[1]?.trim() ?? ''
    const where = `README.md:${lineAt(text, fence.index)}`
    if (name === '') return [`${where}: name this block (\`ts embed\`), so that a test can run it`]
    const isRun = tests.some(([, test]) => test.includes(`'${name}'`))
    return isRun ? [] : [`${where}: no test/**/readme*.test.ts runs the block '${name}'`]
  })
}

export const readmeBlocksRun: Rule = {
  name: 'every code block of the README is run by a test',
  check: checkReadme,
}
