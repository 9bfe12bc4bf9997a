import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { percentile } from '../../report.ts'
import { edgeName } from '../fan-in/scenario.ts'
import type { Program } from '../harness/programs.ts'
import { atMost, type Figures, figure, medians, type RowResult } from '../harness/result.ts'
import { nowMs, type Usage } from '../harness/usage.ts'
import { collectionOf } from '../replica-options.ts'
import type { Row, RowContext } from '../row.ts'
import type { Fleet } from './fleet.ts'

const FULL: Fleet = { edges: 10_000, documentsPerEdge: 100 }
const QUICK: Fleet = { edges: 20, documentsPerEdge: 5 }
const MIB = 2 ** 20
const CHECKED_EDGES = 20
/** 30 s for 10,000 edges. */
const CPU_MS_PER_EDGE_MAX = 3
/** How much a storm may add to the memory of the cloud, an edge: what `memory bounded` means here. */
const GROWTH_KIB_MAX = 64

/**
 * A fleet of 10,000 edges with 100 documents each: what its log costs the cloud that starts on it, and
 * what it takes when all edges come back at once.
 */
export const fleetRow: Row = {
  name: 'fleet',
  about: '1,000,000 documents in one cloud log, and a storm of 10,000 edges that come back at once',
  run: async (context) => {
    // A smaller fleet is for who tunes the engine: the report says how large it was.
    const wanted = Number(process.env['TIDEWAY_BENCH_EDGES'] ?? FULL.edges)
    const fleet = context.quick ? QUICK : { ...FULL, edges: wanted }
    const directory = await mkdtemp(join(context.directory, 'fleet-'))
    const edges = await context.programs.start('fleet-edges', ['--max-old-space-size=12000'])
    try {
      await build(context, fleet, edges, directory)
      const { million, cloud } = await restarts(context, fleet, directory)
      const storm = await storms(context, fleet, { edges, cloud, directory })
      return [million, storm]
    } finally {
      await edges.kill()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

/** Lets all edges upload once, over the protocol itself: the cloud's log is written by the engine. */
async function build(
  { programs, say }: RowContext,
  fleet: Fleet,
  edges: Program,
  directory: string,
): Promise<void> {
  say(`fleet: ${fleet.edges} edges with ${fleet.documentsPerEdge} documents each`)
  let begin = nowMs()
  const lap = (what: string): void => {
    say(`  ${what} in ${((nowMs() - begin) / 1000).toFixed(1)} s`)
    begin = nowMs()
  }
  await edges.call('prepare', fleet)
  lap('edges prepared')
  const cloud = await programs.start('fleet-cloud')
  await cloud.call('start', placesOf(directory, 'build'))
  await edges.call('upload', { path: placesOf(directory, 'build').path })
  await cloud.call('stop')
  await cloud.kill()
  lap('all uploaded')
}

/** Starts a cloud on the log several times, and leaves the last one running. */
async function restarts(
  context: RowContext,
  fleet: Fleet,
  directory: string,
): Promise<{ readonly million: RowResult; readonly cloud: Program }> {
  const { programs, say } = context
  const runs = context.runs ?? (context.quick ? 1 : 5)
  const documents = fleet.edges * fleet.documentsPerEdge
  const all: Figures[] = []
  let cloud: Program | undefined
  for (let run = 0; run < runs; run += 1) {
    await cloud?.call('stop')
    await cloud?.kill()
    const empty = await programs.start('fleet-cloud')
    await empty.call('start', placesOf(join(directory, `empty-${run}`), `empty-${run}`))
    const { rssBytes: emptyRssBytes } = await empty.call<Usage>('usage')
    await empty.call('stop')
    await empty.kill()
    const begin = nowMs()
    cloud = await programs.start('fleet-cloud')
    const started = await cloud.call<{ readyAtMs: number; head: number }>(
      'start',
      placesOf(directory, `million-${run}`),
    )
    if (started.head < documents) throw new Error(`the log holds ${started.head} entries only`)
    const { rssBytes } = await cloud.call<Usage>('usage')
    const readyMs = started.readyAtMs - begin
    const rssBytesPerDocument = Math.max(0, rssBytes - emptyRssBytes) / documents
    all.push({
      readyMs,
      rssBytesPerDocument,
      rssMiB: rssBytes / MIB,
      emptyMiB: emptyRssBytes / MIB,
    })
    say(
      `  restart ${run + 1}/${runs}: ready in ${readyMs.toFixed(0)} ms, RSS ${(rssBytes / MIB).toFixed(0)} MiB`,
    )
  }
  if (cloud === undefined) throw new Error('no cloud was started')
  return { million: millionResult(documents, runs, medians(all)), cloud }
}

function millionResult(documents: number, runs: number, tideway: Figures): RowResult {
  const systems = { tideway }
  const checks = [
    atMost('bytes of RSS a document', figure(systems, 'tideway', 'rssBytesPerDocument'), 200),
    atMost('ms until ready to serve', figure(systems, 'tideway', 'readyMs'), 3_000),
  ]
  return {
    row: 'million',
    title: `${documents.toLocaleString('en')} documents in one cloud log`,
    target: 'at most 200 bytes of RSS a document, ready to serve in under 3 s after a restart',
    runs,
    systems,
    checks,
    met: checks.every(({ met }) => met),
    notes: [
      'the log was written by the engine, from the uploads of the whole fleet',
      'RSS is what a process on this log has more than one on an empty log; ready counts from its start',
    ],
  }
}

/** Everybody leaves, both sides edit one document an edge, everybody comes back. */
async function storms(
  { runs: wanted, quick, say }: RowContext,
  fleet: Fleet,
  parts: { readonly edges: Program; readonly cloud: Program; readonly directory: string },
): Promise<RowResult> {
  const { edges, cloud, directory } = parts
  const runs = wanted ?? (quick ? 1 : 3)
  // The pipe of the cloud that was started last.
  const { path } = placesOf(directory, `million-${(wanted ?? (quick ? 1 : 5)) - 1}`)
  const all: Figures[] = []
  for (let run = 0; run < runs; run += 1) {
    const count = 1_000 + run
    await edges.call('partAndEdit', { count })
    const head = await cloud.call<number>('editAll', { edges: fleet.edges, count })
    const before = await cloud.call<Usage>('usage')
    const arrived = cloud.call<{ atMs: number }>('reached', { head: head + fleet.edges })
    const storm = await edges.call<{ beginMs: number; doneMs: number[]; cpuMs: number }>('storm', {
      path,
    })
    const { atMs } = await arrived
    const cloudCpuMs = (await cloud.call<number>('cpu')) - before.cpuMs
    const { rssPeakBytes } = await cloud.call<Usage>('usage')
    await assertEqual(fleet, edges, cloud)
    all.push({
      cloudCpuMs,
      allDurableMs: atMs - storm.beginMs,
      p50Ms: percentile(storm.doneMs, 0.5),
      p99Ms: percentile(storm.doneMs, 0.99),
      lastMs: percentile(storm.doneMs, 1),
      rssBeforeMiB: before.rssBytes / MIB,
      rssPeakMiB: rssPeakBytes / MIB,
      edgesCpuMs: storm.cpuMs,
    })
    say(`  storm ${run + 1}/${runs}: ${JSON.stringify(all.at(-1))}`)
  }
  return stormResult(fleet, runs, medians(all))
}

function stormResult(fleet: Fleet, runs: number, tideway: Figures): RowResult {
  const systems = { tideway }
  const of = (name: string): number => figure(systems, 'tideway', name)
  const growthKiB = ((of('rssPeakMiB') - of('rssBeforeMiB')) * 1024) / fleet.edges
  const checks = [
    atMost('ms of cloud CPU an edge', of('cloudCpuMs') / fleet.edges, CPU_MS_PER_EDGE_MAX),
    atMost('KiB that the RSS grows by an edge, at its peak', growthKiB, GROWTH_KIB_MAX),
  ]
  return {
    row: 'storm',
    title: `storm: ${fleet.edges.toLocaleString('en')} edges with ${fleet.documentsPerEdge} documents each reconnect at once`,
    target: 'under 30 s of cloud CPU in all (3 ms an edge), memory bounded, nobody starved',
    runs,
    systems,
    checks,
    met: checks.every(({ met }) => met),
    notes: [
      `completion: p99 is ${(of('p99Ms') / of('p50Ms')).toFixed(2)} times p50`,
      'each edge and the cloud changed one document of the edge meanwhile; all edges share one process',
    ],
  }
}

/** What came together must be the same on both sides. */
async function assertEqual(fleet: Fleet, edges: Program, cloud: Program): Promise<void> {
  const step = Math.max(1, Math.floor(fleet.edges / CHECKED_EDGES))
  for (let index = 0; index < fleet.edges; index += step) {
    const collection = collectionOf(edgeName(index))
    const [here, there] = await Promise.all([
      edges.call<string>('digest', { index }),
      cloud.call<string>('digest', { collection }),
    ])
    if (here !== there) throw new Error(`edge ${index} and the cloud are not equal after the storm`)
  }
}

/** The log's directory, and the socket of one start on it. */
function placesOf(directory: string, start: string): { directory: string; path: string } {
  return { directory: join(directory, 'log'), path: join(directory, `${start}.sock`) }
}
