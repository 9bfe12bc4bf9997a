import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import {
  atLeast,
  atMost,
  type Figures,
  figure,
  inTurns,
  type RowResult,
} from '../harness/result.ts'
import type { Row, RowContext } from '../row.ts'

const KB = 1000

interface Sent {
  readonly beginMs: number
  readonly cpuMs: number
  readonly bytesUp: number
  readonly bytesDown: number
}

interface Reached {
  readonly atMs: number
}

/** The first upload of many pods, beside the peers: once with everything in memory, once with it on disk. */
export const uploadRow: Row = {
  name: 'upload',
  about: 'first upload of 1,000 pods of 1.8 KB, in memory and durable on both sides',
  run: async (context) => [await upload(context, false), await upload(context, true)],
}

async function upload(context: RowContext, durable: boolean): Promise<RowResult> {
  const documents = context.quick ? 40 : 1_000
  const runs = context.runs ?? (context.quick ? 1 : 5)
  const place = durable ? 'durable on both sides' : 'in memory'
  context.say(`first upload of ${documents} pods, ${place}`)
  const systems = await inTurns(
    runs,
    {
      tideway: () => tideway(context, documents, durable),
      'automerge-repo': () => automergeRepo(context, documents, durable),
      hocuspocus: () => hocuspocus(context, documents, durable),
    },
    context.say,
  )
  const wire = figure(systems, 'tideway', 'bytesUp') + figure(systems, 'tideway', 'bytesDown')
  const faster = figure(systems, 'automerge-repo', 'ms') / figure(systems, 'tideway', 'ms')
  const wanted = durable ? 20 : 50
  const checks = [
    atLeast('times faster than automerge-repo', faster, wanted),
    atMost('KB on the wire', wire / KB, 120),
  ]
  return {
    row: durable ? 'upload-durable' : 'upload-memory',
    title: `first upload of ${documents.toLocaleString('en')} pods (1.8 KB), ${place}`,
    target: `${wanted} times faster than automerge-repo, at most 120 KB on the wire`,
    runs,
    systems,
    checks,
    met: checks.every(({ met }) => met),
    notes: durable ? DURABLE_NOTES : [],
  }
}

const DURABLE_NOTES = [
  'automerge-repo writes files and does not sync them to disk; its clock stops when its server has flushed',
  'hocuspocus stores at its server only, synced to disk; its clock stops when all documents are stored',
]

async function tideway(context: RowContext, documents: number, durable: boolean): Promise<Figures> {
  return await withPair(context, 'tideway', durable, async (cloud, edge, places) => {
    const { head } = await edge.call<{ head: number }>('prepare', { documents, ...places.edge })
    const { address } = await cloud.call<{ address: string }>('start', places.cloud)
    const before = await cloud.call<number>('cpu')
    const arrived = cloud.call<Reached>('reached', { head })
    const sent = await edge.call<Sent & { readonly endMs: number }>('upload', { address })
    await arrived
    return figuresOf(sent, sent.endMs, (await cloud.call<number>('cpu')) - before)
  })
}

async function automergeRepo(
  context: RowContext,
  documents: number,
  durable: boolean,
): Promise<Figures> {
  return await withPair(context, 'automerge-repo', durable, async (cloud, edge, places) => {
    await edge.call('prepare', { documents, ...places.edge })
    const { address } = await cloud.call<{ address: string }>('start', places.cloud)
    const before = await cloud.call<number>('cpu')
    const arrived = cloud.call<Reached>('reached', { documents, flush: durable })
    const { beginMs } = await edge.call<{ beginMs: number }>('upload', { address })
    const { atMs } = await arrived
    const cpuMs = (await cloud.call<number>('cpu')) - before
    const used = await edge.call<Omit<Sent, 'beginMs'>>('wire')
    return figuresOf({ beginMs, ...used }, atMs, cpuMs)
  })
}

async function hocuspocus(
  context: RowContext,
  documents: number,
  durable: boolean,
): Promise<Figures> {
  return await withPair(context, 'hocuspocus', durable, async (cloud, edge, places) => {
    await edge.call('prepare', { documents })
    const { address } = await cloud.call<{ address: string }>('start', places.cloud)
    const before = await cloud.call<number>('cpu')
    const stored = durable ? cloud.call<Reached>('stored', { documents }) : undefined
    const sent = await edge.call<Sent & { readonly endMs: number }>('upload', { address })
    const endMs = (await stored)?.atMs ?? sent.endMs
    return figuresOf(sent, Math.max(endMs, sent.endMs), (await cloud.call<number>('cpu')) - before)
  })
}

function figuresOf(sent: Sent, endMs: number, cloudCpuMs: number): Figures {
  const { beginMs, cpuMs, bytesUp, bytesDown } = sent
  return { ms: endMs - beginMs, cloudCpuMs, edgeCpuMs: cpuMs, bytesUp, bytesDown }
}

type Program = Awaited<ReturnType<RowContext['programs']['start']>>
interface Places {
  readonly cloud: { readonly directory?: string }
  readonly edge: { readonly directory?: string }
}

/** Fresh processes for both sides, and directories where the run is to be durable. */
async function withPair(
  { programs, directory }: RowContext,
  system: string,
  durable: boolean,
  measure: (cloud: Program, edge: Program, places: Places) => Promise<Figures>,
): Promise<Figures> {
  const root = await mkdtemp(join(directory, 'upload-'))
  const cloud = await programs.start(`${system}-cloud`)
  const edge = await programs.start(`${system}-edge`)
  const place = (name: string): { directory?: string } =>
    durable ? { directory: join(root, name) } : {}
  try {
    return await measure(cloud, edge, { cloud: place('cloud'), edge: place('edge') })
  } finally {
    await Promise.all([cloud.kill(), edge.kill()])
    await rm(root, { recursive: true, force: true })
  }
}
