import { posix } from 'node:path'
import ts from 'typescript'
import type { Tree } from './tree.ts'

/** One import or re-export of a module. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** It vanishes when types are removed. */
  readonly typeOnly: boolean
}

const parsed = new Map<string, { readonly text: string; readonly source: ts.SourceFile }>()

/** The syntax tree of one file. The last tree of a path is kept, as several rules ask for it. */
export function parse(path: string, text: string): ts.SourceFile {
  const known = parsed.get(path)
  if (known !== undefined && known.text === text) return known.source
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  parsed.set(path, { text, source })
  return source
}

/** Calls back for every node below `node`, in order. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => {
    walk(child, visit)
  })
}

export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
}

/** Every import, re-export, `import()` and `import('...')` type of a file. */
export function importsOf(path: string, text: string): readonly Import[] {
  const source = parse(path, text)
  const imports: Import[] = []
  const add = (node: ts.Node | undefined, typeOnly: boolean): void => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return
    imports.push({ specifier: node.text, line: lineOf(source, node), typeOnly })
  }
  walk(source, (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeImport(node))
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true)
  })
  return imports
}

function isTypeImport(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause
  if (clause === undefined) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const bindings = clause.namedBindings
  return (
    clause.name === undefined &&
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.length > 0 &&
    bindings.elements.every((element) => element.isTypeOnly)
  )
}

/** The path that an import leads to when it stays in the repository, otherwise undefined. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier)
  if (specifier === 'tideway') return 'src/index.ts'
  if (!specifier.startsWith('tideway/')) return undefined
  const subpath = specifier.slice('tideway/'.length)
  if (subpath === 'package.json') return 'package.json'
  return subpath === 'transports/websocket/server'
    ? 'src/transports/websocket/server.ts'
    : `src/${subpath}/index.ts`
}

/** The code files of a tree: TypeScript and plain modules, without declarations. */
export function codeFiles(tree: Tree, under: RegExp): readonly (readonly [string, string])[] {
  return [...tree].filter(
    ([path]) => under.test(path) && /\.(?:ts|mts|mjs|js)$/.test(path) && !/\.d\.m?ts$/.test(path),
  )
}
