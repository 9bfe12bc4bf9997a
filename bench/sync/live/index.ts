import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { percentile } from '../../report.ts'
import type { Program } from '../harness/programs.ts'
import { atMost, type Figures, figure, inTurns } from '../harness/result.ts'
import type { Row, RowContext } from '../row.ts'

/** An edit that has not arrived by then does not arrive: this run of the system failed. */
const ARRIVAL_MS_MAX = 30_000

/** Edits of a process that has just started: most of its code is interpreted still. */
const COLD_EDITS = 200

/** Edits after which a process is as fast as one that has run for long. */
const WARM_EDITS = 3_000

interface Sample {
  readonly ms: number
  readonly changeMs: number
  readonly rawMs: number
  readonly syncMs: number
  readonly roundTripMs: number
}

/** One field changed, durable on both sides and acknowledged, beside what disk and socket take alone. */
export const liveRow: Row = {
  name: 'live',
  about:
    'one field changed at A, durable at B, acknowledged at A, beside two syncs and a round trip',
  run: async (context) => {
    const edits = context.quick ? 20 : 500
    const runs = context.runs ?? (context.quick ? 1 : 5)
    context.say(`live edits, ${edits} a run`)
    const systems = await inTurns(
      runs,
      {
        tideway: () => tideway(context, edits),
        // Each of its edits waits for a timer of tens of milliseconds.
        'automerge-repo': () => automergeRepo(context, Math.ceil(edits / 10)),
        hocuspocus: () => hocuspocus(context, edits, context.quick ? 10 : WARM_EDITS),
      },
      context.say,
    )
    const ratio = figure(systems, 'tideway', 'p50Ms') / figure(systems, 'tideway', 'rawP50Ms')
    const checks = [atMost('times (two syncs to disk + one round trip), p50', ratio, 1.5)]
    return [
      {
        row: 'live',
        title: 'live: one field changed at A, durable at B, acknowledged at A',
        target: 'p50 at most 1.5 times (two syncs to disk + one raw ws round trip)',
        runs,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          `measured after ${WARM_EDITS} edits that are not counted, as in a process that has run for a while (coldP50Ms: the first ${COLD_EDITS}); automerge-repo has none, as each of its edits waits for a timer`,
          'changeP50Ms is the part of p50Ms until the edit is made, most of it in Automerge',
          'automerge-repo acknowledges nothing: its figure is the time until the edit is in the memory of the server',
          'hocuspocus acknowledges from memory: nothing is on a disk',
        ],
      },
    ]
  },
}

async function tideway(context: RowContext, edits: number): Promise<Figures> {
  const root = await mkdtemp(join(context.directory, 'live-'))
  const { programs } = context
  const started = [
    await programs.start('tideway-cloud'),
    await programs.start('raw-cloud'),
    await programs.start('tideway-live'),
  ] as const
  const [cloud, echo, edge] = started
  try {
    const { address } = await cloud.call<Address>('start', { directory: join(root, 'cloud') })
    const { address: echoAddress } = await echo.call<Address>('start', { echo: true })
    const directory = join(root, 'edge')
    await edge.call('prepare', { address, directory })
    const cold = { edits: context.quick ? 10 : COLD_EDITS, directory }
    const sizes = await edge.call('begin', cold)
    await edge.call('warmUp', { edits: context.quick ? 10 : WARM_EDITS })
    const options = { edits, diskDirectory: root, echoAddress, ...(sizes as Figures) }
    const before = await cloud.call<number>('cpu')
    const samples = await edge.call<readonly Sample[]>('measure', options)
    const cloudCpuMs = (await cloud.call<number>('cpu')) - before
    return {
      ...figuresOf(samples),
      cloudCpuUsPerEvent: (cloudCpuMs * 1000) / edits,
      ...(sizes as Figures),
    }
  } finally {
    await Promise.all(started.map((program) => program.kill()))
    await rm(root, { recursive: true, force: true })
  }
}

function figuresOf(samples: readonly Sample[]): Figures {
  const at = (name: keyof Sample, share: number): number =>
    percentile(
      samples.map((sample) => sample[name]),
      share,
    )
  return {
    p50Ms: at('ms', 0.5),
    p99Ms: at('ms', 0.99),
    p10Ms: at('ms', 0.1),
    changeP50Ms: at('changeMs', 0.5),
    rawP50Ms: at('rawMs', 0.5),
    rawP10Ms: at('rawMs', 0.1),
    rawP99Ms: at('rawMs', 0.99),
    oneSyncP50Ms: at('syncMs', 0.5),
    roundTripP50Ms: at('roundTripMs', 0.5),
  }
}

async function automergeRepo({ programs }: RowContext, edits: number): Promise<Figures> {
  const cloud = await programs.start('automerge-repo-cloud')
  const edge = await programs.start('automerge-repo-live')
  try {
    const { address } = await cloud.call<Address>('start')
    const first = cloud.call('counted', { count: -1 })
    await edge.call('prepare', { address })
    await first
    const samples: number[] = []
    for (let count = 0; count < edits; count += 1) samples.push(await arrival(cloud, edge, count))
    return inShort(samples)
  } finally {
    await Promise.all([cloud.kill(), edge.kill()])
  }
}

async function arrival(cloud: Program, edge: Program, count: number): Promise<number> {
  const counted = cloud.call<{ atMs: number }>('counted', { count }, ARRIVAL_MS_MAX)
  const { beginMs } = await edge.call<{ beginMs: number }>('edit', { count })
  return (await counted).atMs - beginMs
}

async function hocuspocus(
  { programs }: RowContext,
  edits: number,
  warmEdits: number,
): Promise<Figures> {
  const cloud = await programs.start('hocuspocus-cloud')
  const edge = await programs.start('hocuspocus-live')
  try {
    const { address } = await cloud.call<Address>('start')
    await edge.call('prepare', { address })
    await edge.call('measure', { edits: warmEdits })
    return inShort(await edge.call<readonly number[]>('measure', { edits }))
  } finally {
    await Promise.all([cloud.kill(), edge.kill()])
  }
}

function inShort(samples: readonly number[]): Figures {
  return { p50Ms: percentile(samples, 0.5), p99Ms: percentile(samples, 0.99) }
}

interface Address {
  readonly address: string
}
