// Says whether dist/ was built from the sources as they are now, by their contents: clones and
// checkouts make times of files meaningless.

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Holds the digest of the sources that dist/ was built from. */
export const STAMP = '.cache/built-from'

const FOLDERS = ['src', 'examples']
const FILES = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsup.config.ts',
  'scripts/build.mjs',
  'scripts/entries.mjs',
]

/** A digest over every file that the build reads. */
export function sourceDigest() {
  mkdirSync('.cache', { recursive: true })
  const files = [...FILES]
  for (const folder of FOLDERS) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) files.push(join(entry.parentPath ?? entry.path, entry.name))
    }
  }
  const hash = createHash('sha256')
  for (const file of files.sort()) {
    const bytes = readFileSync(file)
    hash.update(`${file}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}
