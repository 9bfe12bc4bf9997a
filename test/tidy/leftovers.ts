import ts from 'typescript'
import { codeFiles, lineOf, parse, walk } from './syntax.ts'
import { type Rule, reportMatches, type Tree } from './tree.ts'

// Joined, so that this file does not break its own rules.
const UNFINISHED = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`, 'g')
const FOCUSED = new RegExp(`\\b(?:test|it|describe|suite)(?:\\.\\w+)*\\.${'only'}\\(`, 'g')
const UNCHECKED = new RegExp(`@ts-${'(?:ignore|nocheck)'}\\b`, 'g')
const MACHINE_PATH = new RegExp(`(?<![\\w.}-])/(?:${['work', 'root', 'home'].join('|')})/`, 'g')

const GENERATED = /(?:^|\/)package-lock\.json$/

function everyFile(tree: Tree): readonly (readonly [string, string])[] {
  return [...tree].filter(([path]) => !GENERATED.test(path))
}

export const unfinished: Rule = {
  name: 'nothing is left for later in the sources',
  check: (tree) =>
    everyFile(tree).flatMap(([path, text]) =>
      reportMatches(path, text, UNFINISHED, (found) => `${found}: do it, or file it`),
    ),
}

function findAny(path: string, text: string): readonly string[] {
  const source = parse(path, text)
  const reports: string[] = []
  walk(source, (node) => {
    if (
      (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) &&
      node.type.kind === ts.SyntaxKind.AnyKeyword
    )
      reports.push(`${path}:${lineOf(source, node)}: a cast to any hides a mistake: use unknown`)
  })
  return reports
}

export const escapes: Rule = {
  name: 'no test is focused and no type check is switched off',
  check: (tree) =>
    codeFiles(tree, /^/).flatMap(([path, text]) => [
      ...reportMatches(path, text, FOCUSED, (found) => `${found} leaves the other tests out`),
      ...reportMatches(path, text, UNCHECKED, (found) => `${found}: say what is wrong instead`),
      ...findAny(path, text),
    ]),
}

export const machinePaths: Rule = {
  name: 'no file names a path of one machine',
  check: (tree) =>
    everyFile(tree).flatMap(([path, text]) =>
      reportMatches(path, text, MACHINE_PATH, (found) => `${found} is a path of one machine`),
    ),
}
