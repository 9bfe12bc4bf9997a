import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { median } from '../../report.ts'
import { atMost, type Figures, figure, inTurns } from '../harness/result.ts'
import type { Row, RowContext } from '../row.ts'
import { reconnectOnce } from './index.ts'

/** The peers speak of every document at each reconnect and keep each in memory: more would take hours. */
const PEER_DOCUMENTS = 1_000
const RECONNECTS = 15

interface Settled {
  readonly cpuMs: number
  readonly bytesUp: number
  readonly bytesDown: number
  readonly roundTrips: number
}

/** Nothing changed while both sides were apart. */
export const unchangedRow: Row = {
  name: 'unchanged',
  about: 'reconnect with nothing changed and 100,000 documents: bytes each way and CPU a side',
  run: async (context) => {
    const documents = context.quick ? 200 : 100_000
    const peerDocuments = context.quick ? 20 : PEER_DOCUMENTS
    const runs = context.runs ?? (context.quick ? 1 : 5)
    context.say(`reconnect with ${documents} documents, nothing changed`)
    const peer = (system: string) => async (): Promise<Figures> => {
      const scenario = { documents: peerDocuments, changedAtCloud: 0, changedAtEdge: 0 }
      // No time: as nothing differs, there is no moment at which both sides become equal.
      const { ms: _, ...figures } = await reconnectOnce(context, system, scenario)
      return { documents: peerDocuments, ...figures }
    }
    const systems = await inTurns(
      runs,
      {
        tideway: () => tideway(context, documents),
        'automerge-repo': peer('automerge-repo'),
        hocuspocus: peer('hocuspocus'),
      },
      context.say,
    )
    const of = (name: string): number => figure(systems, 'tideway', name)
    const checks = [
      atMost('bytes up', of('bytesUp'), 120),
      atMost('bytes down', of('bytesDown'), 120),
      atMost('ms of CPU at the cloud', of('cloudCpuMs'), 5),
      atMost('ms of CPU at the edge', of('edgeCpuMs'), 5),
    ]
    return [
      {
        row: 'unchanged',
        title: `reconnect, nothing changed, ${documents.toLocaleString('en')} documents`,
        target: 'at most 120 bytes each way, under 5 ms CPU a side',
        runs,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          `each run: the median of ${RECONNECTS} reconnects in processes that stay up; the first one apart`,
          `CPU is that of the whole process over at least a quarter of a second`,
          `the peers have ${peerDocuments.toLocaleString('en')} documents: their bytes and CPU grow with the number`,
        ],
      },
    ]
  },
}

async function tideway(context: RowContext, documents: number): Promise<Figures> {
  const root = await mkdtemp(join(context.directory, 'unchanged-'))
  const cloud = await context.programs.start('tideway-cloud')
  const edge = await context.programs.start('tideway-reconnects')
  try {
    await edge.call('prepare', { documents, directory: join(root, 'edge') })
    const { address } = await cloud.call<{ address: string }>('start', {
      directory: join(root, 'cloud'),
    })
    await edge.call('upload', { address, last: documents - 1 })
    const all: Figures[] = []
    for (let time = 0; time < RECONNECTS; time += 1) {
      const before = await cloud.call<number>('cpu')
      const { ms } = await edge.call<{ ms: number }>('reconnect', { address })
      const { cpuMs, ...bytes } = await edge.call<Settled>('settled')
      const cloudCpuMs = (await cloud.call<number>('cpu')) - before
      all.push({ ms, edgeCpuMs: cpuMs, cloudCpuMs, ...bytes })
    }
    return figuresOf(documents, all)
  } finally {
    await Promise.all([cloud.kill(), edge.kill()])
    await rm(root, { recursive: true, force: true })
  }
}

function figuresOf(documents: number, all: readonly Figures[]): Figures {
  const of = (name: string): number => median(all.map((figures) => figures[name] ?? Number.NaN))
  return {
    documents,
    bytesUp: of('bytesUp'),
    bytesDown: of('bytesDown'),
    roundTrips: of('roundTrips'),
    ms: of('ms'),
    edgeCpuMs: of('edgeCpuMs'),
    cloudCpuMs: of('cloudCpuMs'),
    firstEdgeCpuMs: all[0]?.['edgeCpuMs'] ?? Number.NaN,
    firstCloudCpuMs: all[0]?.['cloudCpuMs'] ?? Number.NaN,
  }
}
