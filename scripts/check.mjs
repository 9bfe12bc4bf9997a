// Runs every check that is not a test, cheapest first, and reports all that failed, not only the
// first. `npm run check -- tidy eslint` runs the named ones.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Name, then the commands of each check. */
const CHECKS = {
  biome: ['biome ci --colors=off .'],
  'types-core': ['tsc -p src/core/tsconfig.json'],
  types: ['tsc -p tsconfig.json'],
  tidy: ['vitest run --project tidy'],
  eslint: ['eslint .'],
  build: ['node scripts/build-if-stale.mjs --declarations'],
  publint: ['publint --strict'],
  attw: ['attw --pack . --profile esm-only --no-color'],
  knip: ['knip'],
  'size-limit': ['size-limit'],
  typedoc: ['typedoc --emit none --treatValidationWarningsAsErrors'],
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in CHECKS))
if (unknown.length > 0) {
  console.error(
    `check: there is no ${unknown.join(', ')}; choose from ${Object.keys(CHECKS).join(', ')}`,
  )
  process.exit(2)
}

const path = `node_modules/.bin:${process.env.PATH}`
const failed = []
for (const [name, commands] of Object.entries(CHECKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const startedMs = performance.now()
  const ok = commands.every(
    (command) =>
      spawnSync(command, { shell: true, stdio: 'inherit', env: { ...process.env, PATH: path } })
        .status === 0,
  )
  if (!ok) failed.push(name)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  console.log(`check: ${name} ${ok ? 'passed' : 'FAILED'} in ${seconds} s`)
}
const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
if (failed.length > 0) {
  console.error(`check: ${name} ${version} fails ${failed.join(', ')}`)
  process.exit(1)
}
console.log(`check: ${name} ${version} passes`)
