import { parseArgs } from 'node:util'

import { benchApply } from './apply.ts'
import { benchMemory } from './memory.ts'
import { benchReconnect } from './reconnect/index.ts'

const BENCHMARKS = {
  reconnect: {
    run: benchReconnect,
    runs: 5,
    about: 'bytes, messages and time of a reconnect, beside automerge-repo',
  },
  apply: {
    run: benchApply,
    runs: 100,
    about: 'time from creating a pod at the cloud to its status back there',
  },
  memory: { run: benchMemory, runs: 3, about: 'memory of an idle cloudcore and edgecore' },
} as const

const HELP = `usage: npm run bench -- NAME [--runs N] [--json]

${Object.entries(BENCHMARKS)
  .map(([name, { about, runs }]) => `  ${name.padEnd(12)}${about} (${runs} runs by default)`)
  .join('\n')}
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
})
const [name] = positionals
const benchmark =
  name !== undefined && Object.hasOwn(BENCHMARKS, name)
    ? BENCHMARKS[name as keyof typeof BENCHMARKS]
    : undefined
const runs = values.runs === undefined ? benchmark?.runs : Number(values.runs)
if (
  values.help === true ||
  benchmark === undefined ||
  runs === undefined ||
  !Number.isSafeInteger(runs) ||
  runs < 1
) {
  process.stdout.write(HELP)
  process.exit(values.help === true ? 0 : 2)
}
await benchmark.run({ json: values.json, runs })
process.exit(0)
