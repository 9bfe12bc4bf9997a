import { entriesOf, type Manifest } from '../../scripts/entries.mjs'
import { codeFiles, importsOf, resolveImport } from './syntax.ts'
import type { Rule, Tree } from './tree.ts'

const ROOMS = /^(?:src|examples|bench|test)\//
/** Started by a test runner, read by a tool, or compiled and started by the end of its name. */
const ROOTS = /\.test(?:-d)?\.ts$|^test\/clients\/|^bench\/sync\/.+-main\.ts$/

function check(tree: Tree): readonly string[] {
  const manifest = JSON.parse(tree.get('package.json') ?? '{"exports":{}}') as Manifest
  const used = new Set(entriesOf(manifest).map((entry) => entry.source))
  const files = codeFiles(tree, /^(?:src|examples|bench|test|scripts)\/|^[^/]+$/)
  for (const [path, text] of files) {
    for (const { specifier } of importsOf(path, text)) {
      const target = resolveImport(path, specifier)
      if (target !== undefined && target !== path) used.add(target)
    }
  }
  const orphans = files
    .map(([path]) => path)
    .filter((path) => ROOMS.test(path) && !ROOTS.test(path) && !used.has(path))
  return orphans
    .filter((path) => !isStartedByName(tree, path))
    .map((path) => `${path}:1: nobody imports this file, and nobody starts it by name`)
}

/** Whether another file names it, as whoever starts it as a program of its own must. */
function isStartedByName(tree: Tree, path: string): boolean {
  const stem = path.slice(path.lastIndexOf('/') + 1).replace(/\.[a-z]+$/, '')
  const name = new RegExp(`(?<![\\w-])${stem}\\.(?:ts|js|mjs)\\b`)
  return [...tree].some(
    ([other, text]) => other !== path && !other.endsWith('.md') && name.test(text),
  )
}

export const orphans: Rule = { name: 'every file is imported or started by another', check }
