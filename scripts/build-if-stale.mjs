// Builds dist/ when it is missing or older than the sources, and does nothing otherwise. Tests and
// the demo run JavaScript; `--declarations` is for what looks at types too.

import { spawnSync } from 'node:child_process'
import { readStamp, sourceDigest } from './source-digest.mjs'

const declarations = process.argv.includes('--declarations')
const stamp = readStamp()
if (stamp.digest !== sourceDigest() || (declarations && !stamp.declarations)) {
  const flags = declarations ? [] : ['--javascript']
  const build = spawnSync(process.execPath, ['scripts/build.mjs', ...flags], { stdio: 'inherit' })
  process.exit(build.status ?? 1)
}
