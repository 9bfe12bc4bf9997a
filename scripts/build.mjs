// Builds dist/: JavaScript by tsup, declarations by tsc, which `--javascript` leaves out. The result is
// put in place only when all is done, so a failed build leaves the last good one.

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { readEntries } from './entries.mjs'
import { sourceDigest, writeStamp } from './source-digest.mjs'

const digest = sourceDigest()
const declarations = !process.argv.includes('--javascript')
const { present, missing } = readEntries()
for (const entry of missing) {
  console.warn(`build: skipping ${entry.name}, ${entry.source} does not exist`)
}
if (present.length === 0) {
  console.warn('build: there is nothing to build yet')
  process.exit(0)
}

const out = `.cache/dist-${process.pid}`
process.once('exit', () => rmSync(out, { recursive: true, force: true }))
mkdirSync(out, { recursive: true })
run('tsup', ['--out-dir', out])
if (declarations) run('tsc', ['-p', 'tsconfig.build.json', '--outDir', out])
for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
  if (name.endsWith('.d.ts')) pointAtJavaScript(join(out, name))
}

const old = `${out}-old`
if (existsSync('dist')) renameSync('dist', old)
renameSync(out, 'dist')
rmSync(old, { recursive: true, force: true })
writeStamp({ digest, declarations })

/** Runs a tool of this package and ends the build when it fails. */
function run(tool, args) {
  const result = spawnSync(join('node_modules', '.bin', tool), args, { stdio: 'inherit' })
  if (result.status !== 0) process.exit(result.status ?? 1)
}

/**
 * tsc keeps the `.ts` of relative imports in declarations. Only TypeScript 5 resolves those, and
 * bundlers that read declarations do not, so they get the extension that every version resolves.
 */
function pointAtJavaScript(file) {
  const text = readFileSync(file, 'utf8')
  const rewritten = text.replace(
    /(from\s+|import\s+|import\()(["'])(\.{1,2}\/[^"']+?)(?<!\.d)\.ts\2/g,
    '$1$2$3.js$2',
  )
  if (rewritten !== text) writeFileSync(file, rewritten)
}
