import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Containerd,
  hasContainerd,
  startContainerd,
} from '../../test/containers/containerd.ts'
import { shellImage } from '../../test/containers/images.ts'
import { cpuMsOf } from '../programs.ts'
import { percentile } from '../report.ts'
import {
  atMost,
  type Check,
  type Figures,
  medians,
  type RowResult,
} from '../sync/harness/result.ts'
import { machine } from '../sync/machine.ts'
import { readable } from '../sync/readable.ts'
import { BarePods } from './bare.ts'
import { type BenchNode, type RuntimeName, startNode } from './node.ts'
import { Beacons, createPod, deletePod, namesOf, ReadyPods } from './pods.ts'

/** How many pods are looked at. */
interface PodLoad {
  readonly single: number
  readonly atOnce: number
  readonly many: number
  readonly idleMs: number
}

const LOAD: PodLoad = { single: 20, atOnce: 40, many: 50, idleMs: 30_000 }
const QUICK: PodLoad = { single: 3, atOnce: 4, many: 5, idleMs: 2_000 }
const SETTLE_MS = 5_000
const MIB = 1 << 20
const MINUTE_MS = 60_000

/** What is promised of pods in containers. Limits that end in `Ratio` are beside the bare calls. */
const TARGETS = {
  'at the edge, to running': { figure: 'p50Ratio', limit: 1.25 },
  '20 at once at the edge': { figure: 'ratio', limit: 1.15 },
  'at the cloud, to running': { figure: 'p50Ms', limit: 280 },
  'at the cloud, to Ready there': { figure: 'p50Ms', limit: 400 },
  'many at once, to Ready at the cloud': { figure: 'lastMs', limit: 6_000 },
  'adopting the pods that run': { figure: 'ms', limit: 3_000 },
  'memory of edgecore without pods': { figure: 'rssMiB', limit: 75 },
  'memory of edgecore with pods': { figure: 'rssMiB', limit: 95 },
  'CPU of an idle edgecore with pods': { figure: 'percentOfCore', limit: 1 },
} as const

type RowName = keyof typeof TARGETS
type Measured = Partial<Record<RowName, Figures>>

/** How pods are measured. */
export interface PodsBenchOptions {
  readonly json: boolean
  readonly runs: number
  readonly quick: boolean
}

/** Measures pods on both runtimes, and beside bare calls to the engine, and prints the table. */
export async function benchPods(options: PodsBenchOptions): Promise<void> {
  if (!hasContainerd()) throw new Error('pods are measured on containerd, which is not here')
  const load = options.quick ? QUICK : LOAD
  const all: Record<RuntimeName, Measured[]> = { cri: [], process: [] }
  const say = (line: string): void => {
    if (!options.json) process.stderr.write(`${line}\n`)
  }
  for (let run = 0; run < options.runs; run += 1) {
    for (const runtime of ['cri', 'process'] as const) {
      say(`  ${run + 1}/${options.runs} ${runtime}`)
      all[runtime].push(await measureOn(runtime, load, say))
    }
  }
  const rows = (Object.keys(TARGETS) as RowName[]).map((row) => rowOf(row, all, options.runs))
  const report = { benchmark: 'pods', quick: options.quick, machine: machine(), versions: {}, rows }
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else process.stdout.write(readable('Pods', report))
}

function rowOf(row: RowName, all: Record<RuntimeName, Measured[]>, runs: number): RowResult {
  const systems = Object.fromEntries(
    Object.entries(all).map(([name, measured]) => [
      name,
      medians(measured.map((each) => each[row] ?? {})),
    ]),
  )
  const { figure, limit } = TARGETS[row]
  const check: Check = atMost(figure, systems['cri']?.[figure] ?? Number.NaN, limit)
  const target = `${figure} at most ${limit}, on containerd`
  return { row, title: row, target, runs, systems, checks: [check], met: check.met, notes: [] }
}

async function measureOn(
  runtime: RuntimeName,
  load: PodLoad,
  say: (line: string) => void,
): Promise<Measured> {
  const containerd = runtime === 'cri' ? await startContainerd([shellImage()]) : undefined
  const folder = await mkdtemp(join(tmpdir(), 'bench-pods-'))
  try {
    const node = await startNode(folder, runtime, containerd)
    const beacons = new Beacons(node.beacons)
    try {
      return await measure(node, load, beacons, containerd, say)
    } finally {
      beacons.close()
      await node.close()
    }
  } finally {
    await containerd?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(
  node: BenchNode,
  load: PodLoad,
  beacons: Beacons,
  containerd: Containerd | undefined,
  say: (line: string) => void,
): Promise<Measured> {
  const measured: Measured = {}
  const note = (row: RowName, figures: Figures): void => {
    measured[row] = figures
    say(`    ${row} ${JSON.stringify(figures)}`)
  }
  const ready = await ReadyPods.open(node.cloud)
  await sleep(SETTLE_MS)
  note('memory of edgecore without pods', await memoryOf(node.edgePid))

  const bare =
    containerd === undefined ? undefined : await bareTimes(containerd, load, node, beacons)
  const edge = await oneByOne(namesOf('edge', load.single), node, 'edge', beacons, ready)
  const ratio =
    bare === undefined ? {} : { p50Ratio: edge.running.p50Ms / bare.p50Ms, bareP50Ms: bare.p50Ms }
  note('at the edge, to running', { ...edge.running, ...ratio })
  const twenty = await together(
    namesOf('twenty', Math.min(20, load.atOnce)),
    node,
    'edge',
    beacons,
    ready,
  )
  const beside =
    bare === undefined ? {} : { ratio: twenty.runningMs / bare.togetherMs, bareMs: bare.togetherMs }
  note('20 at once at the edge', { lastMs: twenty.runningMs, ...beside })
  const cloud = await oneByOne(namesOf('cloud', load.single), node, 'cloud', beacons, ready)
  note('at the cloud, to running', cloud.running)
  note('at the cloud, to Ready there', cloud.ready)
  const forty = await together(namesOf('forty', load.atOnce), node, 'cloud', beacons, ready)
  note('many at once, to Ready at the cloud', { lastMs: forty.readyMs, runningMs: forty.runningMs })

  const many = namesOf('many', load.many)
  await Promise.all(many.map((name) => node.cloud.send(createPod(name, node.beacons))))
  await Promise.all(many.map((name) => ready.ready(name)))
  note('adopting the pods that run', { ms: await node.restartEdge(), pods: load.many })
  await sleep(SETTLE_MS)
  note('memory of edgecore with pods', { ...(await memoryOf(node.edgePid)), pods: load.many })
  const cpuMs = await cpuMsOf(node.edgePid)
  await sleep(load.idleMs)
  const used = (await cpuMsOf(node.edgePid)) - cpuMs
  note('CPU of an idle edgecore with pods', {
    percentOfCore: (used / load.idleMs) * 100,
    msPerMinute: (used / load.idleMs) * MINUTE_MS,
  })
  ready.close()
  return measured
}

async function bareTimes(
  containerd: Containerd,
  load: PodLoad,
  node: BenchNode,
  beacons: Beacons,
): Promise<{ readonly p50Ms: number; readonly togetherMs: number }> {
  await mkdir(join(containerd.folder, 'bare-logs'), { recursive: true })
  const bare = new BarePods(containerd, node.beacons)
  try {
    const eachMs: number[] = []
    for (const name of namesOf('bare', load.single)) eachMs.push(await bare.run(name, beacons))
    const begin = performance.now()
    const names = namesOf('bare-together', Math.min(20, load.atOnce))
    await Promise.all(names.map((name) => bare.run(name, beacons)))
    return { p50Ms: percentile(eachMs, 0.5), togetherMs: performance.now() - begin }
  } finally {
    await bare.close()
  }
}

/** Pods that are made one after the other, each gone before the next. */
async function oneByOne(
  names: readonly string[],
  node: BenchNode,
  where: 'edge' | 'cloud',
  beacons: Beacons,
  ready: ReadyPods,
): Promise<{ readonly running: { p50Ms: number; p99Ms: number }; readonly ready: Figures }> {
  const runningMs: number[] = []
  const readyMs: number[] = []
  for (const name of names) {
    const begin = performance.now()
    await node[where].send(createPod(name, node.beacons))
    runningMs.push((await beacons.lit(name)) - begin)
    readyMs.push((await ready.ready(name)) - begin)
    await node[where].send(deletePod(name))
    await ready.gone(name)
    await node.cleared()
  }
  return { running: percentiles(runningMs), ready: percentiles(readyMs) }
}

/** Pods that are made at once. @returns when the last of them ran, and was ready at the cloud. */
async function together(
  names: readonly string[],
  node: BenchNode,
  where: 'edge' | 'cloud',
  beacons: Beacons,
  ready: ReadyPods,
): Promise<{ readonly runningMs: number; readonly readyMs: number }> {
  const begin = performance.now()
  await Promise.all(names.map((name) => node[where].send(createPod(name, node.beacons))))
  const running = await Promise.all(names.map((name) => beacons.lit(name)))
  const shown = await Promise.all(names.map((name) => ready.ready(name)))
  await Promise.all(names.map((name) => node[where].send(deletePod(name))))
  await Promise.all(names.map((name) => ready.gone(name)))
  await node.cleared()
  return { runningMs: Math.max(...running) - begin, readyMs: Math.max(...shown) - begin }
}

function percentiles(eachMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  return { p50Ms: percentile(eachMs, 0.5), p99Ms: percentile(eachMs, 0.99) }
}

/** Resident and proportional memory of a process, and what of it no other process shares (Linux). */
async function memoryOf(pid: number): Promise<Figures> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const kib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN)
  const mib = (kilobytes: number): number => (kilobytes * 1024) / MIB
  return {
    rssMiB: mib(kib('Rss')),
    pssMiB: mib(kib('Pss')),
    privateMiB: mib(kib('Private_Clean') + kib('Private_Dirty')),
  }
}
