// Builds dist/ when it is missing or older than the sources, and does nothing otherwise.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { STAMP, sourceDigest } from './source-digest.mjs'

const digest = sourceDigest()
const built = existsSync('dist') && existsSync(STAMP) ? readFileSync(STAMP, 'utf8').trim() : ''
if (built !== digest) {
  const result = spawnSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' })
  process.exit(result.status ?? 1)
}
