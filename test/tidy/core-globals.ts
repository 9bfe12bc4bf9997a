import ts from 'typescript'
import { codeFiles, lineOf, parse, walk } from './syntax.ts'
import type { Rule } from './tree.ts'

/** Global name to what core uses instead. */
const BANNED: Readonly<Record<string, string>> = {
  Buffer: 'a Uint8Array',
  Date: 'the time of a Clock',
  clearInterval: 'the Cancel of a Clock',
  clearTimeout: 'the Cancel of a Clock',
  console: 'a Logger',
  crypto: 'a Random or a Sha256',
  globalThis: 'what is passed in',
  performance: 'the time of a Clock',
  process: 'what is passed in',
  setImmediate: 'a Clock',
  setInterval: 'a Clock',
  setTimeout: 'a Clock',
}

function isReference(node: ts.Identifier): boolean {
  const parent = node.parent
  // Telling a Date that somebody else made reads no clock.
  if (ts.isBinaryExpression(parent) && parent.right === node)
    return parent.operatorToken.kind !== ts.SyntaxKind.InstanceOfKeyword
  // Neither does making one of a number that is given.
  if (ts.isNewExpression(parent) && node.text === 'Date')
    return parent.arguments === undefined || parent.arguments.length === 0
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node
  return ts.isExpression(parent) || ts.isStatement(parent) || ts.isTypeQueryNode(parent)
}

function check(path: string, text: string): readonly string[] {
  const source = parse(path, text)
  const reports: string[] = []
  walk(source, (node) => {
    if (ts.isPropertyAccessExpression(node) && node.getText(source) === 'Math.random')
      reports.push(`${path}:${lineOf(source, node)}: core has no Math.random: use a Random`)
    if (!ts.isIdentifier(node) || !Object.hasOwn(BANNED, node.text) || !isReference(node)) return
    reports.push(
      `${path}:${lineOf(source, node)}: core has no ${node.text}: use ${BANNED[node.text]}`,
    )
  })
  return reports
}

/** Core is pure: a seed must repeat everything it does. */
export const coreGlobals: Rule = {
  name: 'core touches no clock, no randomness, no platform',
  check: (tree) => codeFiles(tree, /^src\/core\//).flatMap(([path, text]) => check(path, text)),
}
