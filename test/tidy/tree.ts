import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files that the rules look at: path from the top of the repository, `/` between names, to text. */
export type Tree = ReadonlyMap<string, string>

/** One thing that every tree must hold. */
export interface Rule {
  /** A sentence; the name of its test. */
  readonly name: string
  /** What breaks the rule, each as `path:line: what is wrong and what to do instead`. */
  readonly check: (tree: Tree) => readonly string[]
}

/** Never part of the repository, whatever they hold. */
const SKIPPED_FOLDERS = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage'])
const SKIPPED_PATHS = new Set(['docs/api'])
const BINARY = /\.(?:bin|gif|gz|ico|jpe?g|png|tgz|wasm|woff2?|zip)$/

/** Reads the repository in one pass. It needs no git, so that an unpacked archive can be checked. */
export function readTree(top: string): Tree {
  const files = new Map<string, string>()
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readdirSync(join(top, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name) && !SKIPPED_PATHS.has(path)) folders.push(path)
      } else if (entry.isFile() && !BINARY.test(path) && !/\.(?:log|tsbuildinfo)$/.test(path)) {
        files.set(path, readFileSync(join(top, path), 'utf8'))
      }
    }
  }
  return files
}

/** The line of an offset in a text, the first being 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** A report for every match of `pattern`, which must have the flag `g`. */
export function reportMatches(
  path: string,
  text: string,
  pattern: RegExp,
  explain: (found: string) => string,
): readonly string[] {
  return [...text.matchAll(pattern)].map(
    (match) => `${path}:${lineAt(text, match.index)}: ${explain(match[0].trim())}`,
  )
}
