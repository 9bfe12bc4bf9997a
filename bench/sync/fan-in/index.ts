import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Program } from '../harness/programs.ts'
import { atLeast, type Figures, figure, inTurns } from '../harness/result.ts'
import type { Row, RowContext } from '../row.ts'
import { eventsOf, type FanIn } from './scenario.ts'

const FULL: FanIn = { connections: 100, documents: 10, eventsPerDocument: 100 }
const QUICK: FanIn = { connections: 5, documents: 2, eventsPerDocument: 10 }
/** What a connection of ours sends at once, so that the bare socket is asked for the same. */
const BATCH_BYTES = 64 * 1024

interface Sent {
  readonly beginMs: number
  readonly endMs: number
  readonly cpuMs: number
  readonly bytesUp: number
}

/** Many connections bring events at once; how many a second are durable at the cloud. */
export const fanInRow: Row = {
  name: 'fan-in',
  about: '100 connections writing, all durable at the cloud, beside the bare socket',
  run: async (context) => {
    const scenario = context.quick ? QUICK : FULL
    const runs = context.runs ?? (context.quick ? 1 : 5)
    const events = eventsOf(scenario)
    context.say(`fan-in of ${events} events over ${scenario.connections} connections`)
    let bytesUp = 0
    const systems = await inTurns(
      runs,
      {
        tideway: async () => {
          const figures = await tideway(context, scenario)
          bytesUp = figures['bytesUp'] ?? 0
          return figures
        },
        'raw ws, one event a message': () =>
          raw(context, scenario, events, Math.round(bytesUp / events)),
        'raw ws, the same bytes in batches': () => {
          const messages = Math.max(scenario.connections, Math.ceil(bytesUp / BATCH_BYTES))
          return raw(context, scenario, messages, Math.round(bytesUp / messages))
        },
        'automerge-repo': () => automergeRepo(context, scenario),
        hocuspocus: () => hocuspocus(context, scenario),
      },
      context.say,
    )
    const rate = figure(systems, 'tideway', 'eventsPerSecond')
    const single = figure(systems, 'raw ws, one event a message', 'eventsPerSecond')
    const checks = [atLeast('events/s durable at the cloud', rate, 30_000)]
    return [
      {
        row: 'fan-in',
        title: `fan-in: ${scenario.connections} connections writing ${events.toLocaleString('en')} events`,
        target: 'at least 30,000 events/s durable at the cloud, and the ratio to raw ws',
        runs,
        systems,
        checks,
        met: checks.every(({ met }) => met),
        notes: [
          `raw ws takes ${(single / rate).toFixed(2)} times the events of tideway in a second when each is a message`,
          'only tideway stores here: the others keep everything in memory, and send states instead of events',
        ],
      },
    ]
  },
}

async function tideway(context: RowContext, scenario: FanIn): Promise<Figures> {
  const directory = await mkdtemp(join(context.directory, 'fan-in-'))
  try {
    return await withPair(context, 'tideway', async (cloud, edges) => {
      await edges.call('prepare', scenario)
      const { address } = await cloud.call<{ address: string }>('start', { directory })
      const before = await cloud.call<number>('cpu')
      const arrived = cloud.call<{ atMs: number }>('reached', { head: eventsOf(scenario) })
      const sent = await edges.call<Sent>('upload', { address })
      const { atMs } = await arrived
      return figures(scenario, sent, atMs, (await cloud.call<number>('cpu')) - before)
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function automergeRepo(context: RowContext, scenario: FanIn): Promise<Figures> {
  return withPair(context, 'automerge-repo', async (cloud, edges) => {
    await edges.call('prepare', scenario)
    const count = scenario.eventsPerDocument - 1
    const { address } = await cloud.call<{ address: string }>('start', { count })
    const before = await cloud.call<number>('cpu')
    const documents = scenario.connections * scenario.documents
    const arrived = cloud.call<{ atMs: number }>('reached', { documents, flush: false })
    const { beginMs } = await edges.call<{ beginMs: number }>('upload', { address })
    const { atMs } = await arrived
    const cloudCpuMs = (await cloud.call<number>('cpu')) - before
    const used = await edges.call<{ cpuMs: number; bytesUp: number }>('wire')
    return figures(scenario, { beginMs, ...used }, atMs, cloudCpuMs)
  })
}

function hocuspocus(context: RowContext, scenario: FanIn): Promise<Figures> {
  return withPair(context, 'hocuspocus', async (cloud, edges) => {
    await edges.call('prepare', scenario)
    const { address } = await cloud.call<{ address: string }>('start')
    const before = await cloud.call<number>('cpu')
    const sent = await edges.call<Sent>('upload', { address })
    return figures(scenario, sent, sent.endMs, (await cloud.call<number>('cpu')) - before)
  })
}

function raw(
  context: RowContext,
  scenario: FanIn,
  messages: number,
  bytes: number,
): Promise<Figures> {
  return withPair(context, 'raw', async (cloud, edges) => {
    const { address } = await cloud.call<{ address: string }>('start')
    const before = await cloud.call<number>('cpu')
    const { connections } = scenario
    const each = Math.ceil(messages / connections)
    const all = each * connections * bytes
    const arrived = cloud.call<{ atMs: number }>('received', { bytes: all })
    const load = { address, connections, messages: each, bytes }
    const sent = await edges.call<{ beginMs: number; cpuMs: number }>('upload', load)
    const { atMs } = await arrived
    const cloudCpuMs = (await cloud.call<number>('cpu')) - before
    return figures(scenario, { ...sent, bytesUp: all }, atMs, cloudCpuMs)
  })
}

function figures(
  scenario: FanIn,
  sent: Omit<Sent, 'endMs'>,
  atMs: number,
  cloudCpuMs: number,
): Figures {
  const events = eventsOf(scenario)
  const ms = atMs - sent.beginMs
  return {
    eventsPerSecond: (events / ms) * 1000,
    ms,
    cloudCpuUsPerEvent: (cloudCpuMs * 1000) / events,
    edgesCpuMs: sent.cpuMs,
    bytesUp: sent.bytesUp,
  }
}

async function withPair(
  { programs }: RowContext,
  system: string,
  measure: (cloud: Program, edges: Program) => Promise<Figures>,
): Promise<Figures> {
  const cloud = await programs.start(`${system}-cloud`)
  const edges = await programs.start(`${system}-edges`)
  try {
    return await measure(cloud, edges)
  } finally {
    await Promise.all([cloud.kill(), edges.kill()])
  }
}
