// The one list of what is built, read from package.json, so that a subpath cannot be forgotten.

import { existsSync, readFileSync } from 'node:fs'

/** Programs that are started by path and are neither a subpath nor a `bin`. */
const PROGRAMS = ['examples/demo/main.ts']

/**
 * Every entry of the build: its name under dist/ (without extension) and its source.
 *
 * @param {{ exports: Record<string, unknown>, bin?: Record<string, string> }} manifest
 */
export function entriesOf(manifest) {
  const targets = []
  for (const target of Object.values(manifest.exports)) {
    if (typeof target === 'object' && target !== null) targets.push(target.default)
  }
  targets.push(...Object.values(manifest.bin ?? {}))
  const entries = targets.map((target) => {
    const name = target.replace(/^(\.\/)?dist\//, '').replace(/\.js$/, '')
    return { name, source: name.startsWith('examples/') ? `${name}.ts` : `src/${name}.ts` }
  })
  for (const source of PROGRAMS) entries.push({ name: source.replace(/\.ts$/, ''), source })
  return entries
}

/** The entries of this package, split by whether their source is there. */
export function readEntries() {
  const entries = entriesOf(JSON.parse(readFileSync('package.json', 'utf8')))
  return {
    present: entries.filter((entry) => existsSync(entry.source)),
    missing: entries.filter((entry) => !existsSync(entry.source)),
  }
}
