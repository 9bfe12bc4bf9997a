// Says whether dist/ was built from the sources as they are now, by their contents: clones and
// checkouts make times of files meaningless.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const STAMP = '.cache/built-from.json'

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

/** Remembers what dist/ was built from, and whether declarations are in it. */
export function writeStamp(stamp) {
  mkdirSync('.cache', { recursive: true })
  writeFileSync(STAMP, `${JSON.stringify(stamp)}\n`)
}

/** What {@link writeStamp} remembered, if dist/ is still there. */
export function readStamp() {
  if (!existsSync('dist') || !existsSync(STAMP)) return { digest: '', declarations: false }
  return JSON.parse(readFileSync(STAMP, 'utf8'))
}

/** A digest over every file that the build reads. */
export function sourceDigest() {
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
