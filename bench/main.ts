import { parseArgs } from 'node:util'

import { benchApi } from './api/index.ts'
import { benchApply } from './apply.ts'
import { benchCompaction } from './compaction/index.ts'
import { benchMemory } from './memory.ts'
import { benchPods } from './pods/index.ts'
import { benchReconnect } from './reconnect/index.ts'
import { benchSync } from './sync/index.ts'

const BENCHMARKS = {
  reconnect: {
    run: benchReconnect,
    runs: 5,
    about: 'bytes, messages and time of a reconnect, beside automerge-repo and hocuspocus',
  },
  apply: {
    run: benchApply,
    runs: 100,
    about: 'time from creating a pod at the cloud to its status back there',
  },
  compaction: {
    run: benchCompaction,
    runs: 1,
    about: 'a million updates of one document: what is on disk, and how long it takes to open',
  },
  api: {
    run: benchApi,
    runs: 3,
    about: 'the Kubernetes API beside kube-apiserver on etcd: needs npm run test:cluster:install',
  },
  pods: {
    run: benchPods,
    runs: 1,
    about:
      'pods as containers and as processes, beside bare calls to containerd; needs root and containerd',
  },
  memory: { run: benchMemory, runs: 3, about: 'memory of an idle cloudcore and edgecore' },
} as const

const HELP = `usage: npm run bench -- NAME [--runs N] [--json] [--quick]
       npm run bench -- pods [--runs N] [--json] [--quick] [--runtimes cri,process,docker,podman]
       npm run bench -- sync [--runs N] [--json] [--only ROW,ROW] [--quick]

${Object.entries(BENCHMARKS)
  .map(([name, { about, runs }]) => `  ${name.padEnd(12)}${about} (${runs} runs by default)`)
  .join('\n')}
  sync        the whole table of the sync engine, beside its peers
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    runtimes: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
})
const [name] = positionals
const wanted = values.runs === undefined ? undefined : Number(values.runs)
if (wanted !== undefined && (!Number.isSafeInteger(wanted) || wanted < 1)) usage(2)
if (name === 'sync' && values.help !== true) {
  const { json, quick, only } = values
  await benchSync({ json, quick, runs: wanted, only: only?.split(',') })
  process.exit(0)
}
const benchmark =
  name !== undefined && Object.hasOwn(BENCHMARKS, name)
    ? BENCHMARKS[name as keyof typeof BENCHMARKS]
    : undefined
if (values.help === true) usage(0)
if (benchmark === undefined) usage(2)
const { json, quick, runtimes } = values
await benchmark.run({ json, quick, runtimes, runs: wanted ?? benchmark.runs })
process.exit(0)

function usage(code: number): never {
  process.stdout.write(HELP)
  process.exit(code)
}
