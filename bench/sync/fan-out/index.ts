import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { median, percentile } from '../../report.ts'
import type { Program } from '../harness/programs.ts'
import { type Check, type Figures, figure, inTurns } from '../harness/result.ts'
import type { Row, RowContext } from '../row.ts'

/** Processes that share the subscribers, so that neither stands still for the other. */
const PROCESSES = 2
const WARM_UP = 5
/** A subscriber that has not got an edition by then does not get it: this run of the system failed. */
const EDITION_MS_MAX = 30_000

interface Scale {
  readonly subscribers: number
  readonly editions: number
}

/** One shared document, edited at the cloud, until the last of many subscribers has the edit. */
export const fanOutRow: Row = {
  name: 'fan-out',
  about: 'one shared document to 1,000 subscribers: time to the last, beside a raw ws broadcast',
  run: async (context) => {
    const scale = context.quick
      ? { subscribers: 10, editions: 3 }
      : { subscribers: 1_000, editions: 20 }
    const runs = context.runs ?? (context.quick ? 1 : 5)
    context.say(`fan-out to ${scale.subscribers} subscribers, ${scale.editions} editions a run`)
    let bytes = 0
    const systems = await inTurns(
      runs,
      {
        tideway: async () => {
          const figures = await tideway(context, scale)
          bytes = Math.round(figures['bytesPerSubscriber'] ?? 0)
          return figures
        },
        'raw ws': () => broadcast(context, scale, 'raw', { bytes }),
        'automerge-repo': () => broadcast(context, scale, 'automerge-repo'),
        hocuspocus: () => broadcast(context, scale, 'hocuspocus'),
      },
      context.say,
    )
    const ms = figure(systems, 'tideway', 'lastP50Ms')
    const ratio = ms / figure(systems, 'raw ws', 'lastP50Ms')
    // The table asks for the two figures and sets no limit: they have to be there.
    const checks: Check[] = [
      { name: 'ms until the last has it', value: ms, met: Number.isFinite(ms) },
      { name: 'times a raw ws broadcast', value: ratio, met: Number.isFinite(ratio) },
    ]
    return [
      {
        row: 'fan-out',
        title: `fan-out: one shared document to ${scale.subscribers.toLocaleString('en')} subscribers`,
        target: 'time to the last, and its ratio to a raw ws broadcast',
        runs,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          'tideway: the clock runs while the edit is synced to the disk of the cloud, and until it is in the log of each subscriber',
          'the peers keep the document in memory; their clock stops when it is changed in the memory of each subscriber',
        ],
      },
    ]
  },
}

async function tideway(context: RowContext, scale: Scale): Promise<Figures> {
  const directory = await mkdtemp(join(context.directory, 'fan-out-'))
  try {
    return await broadcast(context, scale, 'tideway', { directory })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function broadcast(
  { programs }: RowContext,
  scale: Scale,
  system: string,
  options: { readonly directory?: string; readonly bytes?: number } = {},
): Promise<Figures> {
  const cloud = await programs.start(`${system}-cloud`)
  const subscribers: Program[] = []
  try {
    const { address } = await cloud.call<{ address: string }>('start', options)
    const shared = await share(cloud, system)
    const each = Math.ceil(scale.subscribers / PROCESSES)
    for (let first = 0; first < scale.subscribers; first += each) {
      const program = await programs.start(`${system}-subscribers`)
      subscribers.push(program)
      await program.call('prepare', { address, first, subscribers: each, ...shared })
    }
    for (let edition = 1; edition <= WARM_UP; edition += 1) {
      await publish(cloud, subscribers, edition, options)
    }
    const wire = async (): Promise<number> => {
      if (system !== 'tideway') return 0
      const all = await Promise.all(subscribers.map((program) => program.call<number>('wire')))
      return all.reduce((sum, bytes) => sum + bytes, 0)
    }
    const [cpuBefore, wireBefore] = [await cloud.call<number>('cpu'), await wire()]
    const samples: Sample[] = []
    for (let edition = 1; edition <= scale.editions; edition += 1) {
      samples.push(await publish(cloud, subscribers, WARM_UP + edition, options))
    }
    const cloudCpuMs = ((await cloud.call<number>('cpu')) - cpuBefore) / scale.editions
    const sent = ((await wire()) - wireBefore) / scale.editions / scale.subscribers
    return { ...figuresOf(samples), cloudCpuMs, ...(sent > 0 ? { bytesPerSubscriber: sent } : {}) }
  } finally {
    await Promise.all([cloud, ...subscribers].map((program) => program.kill()))
  }
}

/** Makes the document before anybody asks for it, where the system needs that. */
async function share(cloud: Program, system: string): Promise<{ readonly url?: string }> {
  if (system === 'tideway') await cloud.call('publish', { count: 0 })
  if (system === 'automerge-repo') return await cloud.call<{ url: string }>('share')
  if (system === 'hocuspocus') await cloud.call('share')
  return {}
}

interface Sample {
  readonly lastMs: number
  readonly durableMs: number
}

async function publish(
  cloud: Program,
  subscribers: readonly Program[],
  count: number,
  options: { readonly bytes?: number },
): Promise<Sample> {
  const arrivals = subscribers.map((program) =>
    program.call<number>('edition', { edition: count }, EDITION_MS_MAX),
  )
  const command = options.bytes === undefined ? 'publish' : 'broadcast'
  const { beginMs, durableMs } = await cloud.call<{ beginMs: number; durableMs?: number }>(
    command,
    { count, ...options },
  )
  const last = Math.max(...(await Promise.all(arrivals)))
  return { lastMs: last - beginMs, durableMs: (durableMs ?? beginMs) - beginMs }
}

function figuresOf(samples: readonly Sample[]): Figures {
  const last = samples.map(({ lastMs }) => lastMs)
  return {
    lastP50Ms: percentile(last, 0.5),
    lastP99Ms: percentile(last, 0.99),
    ownSyncP50Ms: median(samples.map(({ durableMs }) => durableMs)),
  }
}
