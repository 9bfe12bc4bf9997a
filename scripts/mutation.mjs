// Plants each defect of test/simulation/mutants.ts, runs who must notice, and writes what came of it
// into the table of docs/invariants.md: `npm run mutants`, or `npm run mutants -- name...` for some,
// which writes nothing. A defect that nobody notices fails the run.
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { MUTANTS } from '../test/simulation/mutants.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = new URL('../docs/invariants.md', import.meta.url)
const BEGIN = '<!-- mutants: written by npm run mutants -->'
const END = '<!-- end of mutants -->'

/** How many runs at once. */
const AT_ONCE = 2

/** How many seeds a defect may live through. The first part of the simulation runs half of them. */
const SEEDS = 250

/** A run that takes longer hangs, which is noticed too. */
const RUN_MS_MAX = 900_000

const SEED_FILE = 'test/simulation/convergence-1.test.ts'

/** The test files that must notice a defect. */
function filesOf(mutant) {
  return mutant.caughtBy === 'seeds' ? SEED_FILE : mutant.caughtBy
}

/** Runs tests, with a defect or without. */
function run(files, mutant) {
  const env = { ...process.env, SIM_SEEDS: String(SEEDS), NO_COLOR: '1' }
  if (mutant !== undefined) env.MUTANT = mutant
  return new Promise((resolve) => {
    const args = ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', '--reporter=dot', files]
    const child = spawn(process.execPath, args, { cwd: ROOT, env })
    let output = ''
    const take = (bytes) => {
      output += bytes
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    let isStuck = false
    const timer = setTimeout(() => {
      isStuck = true
      child.kill('SIGKILL')
    }, RUN_MS_MAX)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ isFailed: code !== 0, isStuck, output })
    })
  })
}

/** What a failed run says, in a few words. */
function findings({ output, isStuck }) {
  if (isStuck) return 'the run did not end'
  const seed = /seed (\d+), in a (\w+)/.exec(output)
  const invariants = [...new Set([...output.matchAll(/\b(I[1-7]): /g)].map((match) => match[1]))]
  if (seed !== null) return `seed ${seed[1]}: ${invariants.sort().join(', ') || 'a process failed'}`
  const failed = /FAIL\s+(?:\|?\w+\|?\s+)?(\S+\.test\.ts)(?: > (.*))?/.exec(output)
  return failed === null ? 'the run failed' : (failed[2] ?? 'a test').trim()
}

async function inTurn(items, work) {
  const waiting = [...items]
  const results = new Map()
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      results.set(item, await work(item))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

/** Tests that fail without any defect prove nothing. */
async function checkSound(mutants) {
  const files = [...new Set(mutants.map(filesOf))]
  const results = await inTurn(files, (file) => run(file, undefined))
  const broken = files.filter((file) => results.get(file).isFailed)
  for (const file of broken) console.error(results.get(file).output.slice(-4_000))
  if (broken.length > 0) throw new Error(`these fail without a defect: ${broken.join(', ')}`)
}

async function examine(mutant) {
  const result = await run(filesOf(mutant), mutant.name)
  if (result.output.includes('the mutant does not apply'))
    throw new Error(`the mutant does not apply: ${mutant.name}`)
  const caught = result.isFailed || result.isStuck ? findings(result) : undefined
  console.log(`${mutant.name}: ${caught ?? 'NOT CAUGHT'}`)
  return caught
}

function tableOf(mutants, results) {
  const rows = mutants.map((mutant) => {
    const found = (results.get(mutant) ?? 'NOT CAUGHT').replaceAll('|', '\\|')
    return `| \`${mutant.name}\` | ${mutant.breaks} | ${mutant.invariant} | ${found} (\`${filesOf(mutant)}\`) |`
  })
  return ['| defect | what is wrong | breaks | caught by |', '|---|---|---|---|', ...rows].join(
    '\n',
  )
}

async function writeTable(table) {
  const page = await readFile(PAGE, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error('docs/invariants.md has no place for the table')
  const before = page.slice(0, begin + BEGIN.length)
  await writeFile(PAGE, `${before}\n\n${table}\n\n${page.slice(end)}`)
}

const names = process.argv.slice(2)
const mutants = names.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => names.includes(name))
await checkSound(mutants)
const results = await inTurn(mutants, examine)
if (names.length === 0) await writeTable(tableOf(mutants, results))
const missed = mutants.filter((mutant) => results.get(mutant) === undefined)
console.log(`${mutants.length - missed.length} of ${mutants.length} defects were caught`)
process.exitCode = missed.length === 0 ? 0 : 1
