import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { atLeast, atMost, type Check, type Figures, medians } from '../sync/harness/result.ts'
import { machine } from '../sync/machine.ts'
import { readable } from '../sync/readable.ts'
import { type ApiLoad, type Measured, measure } from './measures.ts'
import { startCloudcore, startKubeApiServer } from './systems.ts'

const LOAD: ApiLoad = {
  some: 1_000,
  many: 10_000,
  gets: 4_000,
  lists: 20,
  writes: 1_000,
  watchers: 1_000,
  changes: 50,
  restMs: 12_000,
}

const QUICK: ApiLoad = {
  some: 20,
  many: 30,
  gets: 20,
  lists: 4,
  writes: 10,
  watchers: 5,
  changes: 3,
  restMs: 0,
}

const READS = ['get', 'list of 1,000', 'table of 1,000', 'list of 10,000', 'table of 10,000']
const WRITES = ['create', 'patch', 'apply']

/** How the Kubernetes API is measured. */
export interface ApiBenchOptions {
  readonly json: boolean
  readonly runs: number
  /** Small amounts: to see that everything works. */
  readonly quick: boolean
}

/** Measures cloudcore's API beside kube-apiserver on etcd, which take turns, and prints the table. */
export async function benchApi(options: ApiBenchOptions): Promise<void> {
  const say = (line: string): void => {
    if (!options.json) process.stderr.write(`${line}\n`)
  }
  const directory = await mkdtemp(join(tmpdir(), 'bench-api-'))
  const load = options.quick ? QUICK : LOAD
  const all: Record<'tideway' | 'kube-apiserver', Measured[]> = {
    tideway: [],
    'kube-apiserver': [],
  }
  try {
    for (let run = 0; run < options.runs; run += 1) {
      for (const name of ['tideway', 'kube-apiserver'] as const) {
        say(`  ${run + 1}/${options.runs} ${name}`)
        const system =
          name === 'tideway' ? await startCloudcore(directory) : await startKubeApiServer()
        try {
          all[name].push(await measure(system, load, say))
        } finally {
          await system.close()
        }
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  const rows = Object.keys(all.tideway[0] ?? {}).map((row) => {
    const systems = {
      tideway: medians(all.tideway.map((measured) => measured[row] ?? {})),
      'kube-apiserver': medians(all['kube-apiserver'].map((measured) => measured[row] ?? {})),
    }
    const { check, target } = promiseOf(row, systems.tideway, systems['kube-apiserver'])
    const { runs } = options
    return { row, title: row, target, runs, systems, checks: [check], met: check.met, notes: [] }
  })
  const { quick } = options
  const report = { benchmark: 'api', quick, machine: machine(), versions: {}, rows }
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else process.stdout.write(readable('Kubernetes API', report))
}

function promiseOf(
  row: string,
  ours: Figures,
  theirs: Figures,
): { readonly check: Check; readonly target: string } {
  const ratio = (name: string): number => (ours[name] ?? Number.NaN) / (theirs[name] ?? Number.NaN)
  if (row === 'memory') {
    const target = 'under a quarter of the memory of kube-apiserver and etcd, with 11,000 pods'
    return { check: atMost('times the memory', ratio('fullMiB'), 0.25), target }
  }
  if (row === 'watch') {
    const target = 'as many events a second as kube-apiserver, to 1,000 watchers'
    return { check: atLeast('times the events/s', ratio('eventsPerSecond'), 1), target }
  }
  const isRead = READS.includes(row)
  if (!isRead && !WRITES.includes(row)) throw new Error(`no promise is known for ${row}`)
  const target = isRead
    ? 'as many a second as kube-apiserver'
    : 'half as many a second as kube-apiserver, on the disk'
  return {
    check: atLeast('times the requests/s', ratio('requestsPerSecond'), isRead ? 1 : 0.5),
    target,
  }
}
