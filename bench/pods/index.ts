import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasContainerd, startContainerd } from '../../test/containers/containerd.ts'
import { hasEngine, startEngine } from '../../test/containers/engine.ts'
import { pauseImage, shellImage } from '../../test/containers/images.ts'
import {
  atMost,
  type Check,
  type Figures,
  medians,
  type RowResult,
} from '../sync/harness/result.ts'
import { machine } from '../sync/machine.ts'
import { readable } from '../sync/readable.ts'
import { atRest } from './at-rest.ts'
import { KUBEEDGE } from './kubeedge.ts'
import { type BenchEngine, type BenchNode, type RuntimeName, startNode } from './node.ts'
import { Beacons, createPod, namesOf, ReadyPods } from './pods.ts'
import { bareTimes, configTimes, oneByOne, type PodLoad, together } from './times.ts'

/** Engines that take ten times as long for a pod: enough of them to see how long. */
const SLOW: PodLoad = { single: 8, atOnce: 20, resting: [0, 10], watched: [], idleMs: 0 }

const LOADS: Readonly<Record<RuntimeName, PodLoad>> = {
  cri: {
    single: 15,
    atOnce: 40,
    resting: [0, 10, 50, 100],
    watched: [0, 50, 100],
    idleMs: 30_000,
  },
  process: { single: 15, atOnce: 40, resting: [0, 10, 50, 100], watched: [100], idleMs: 30_000 },
  docker: SLOW,
  podman: SLOW,
}
const QUICK: PodLoad = { single: 3, atOnce: 4, resting: [0, 2], watched: [0, 2], idleMs: 2_000 }

/** What is promised of pods in containers. Limits that end in `Ratio` are beside the bare calls. */
const TARGETS: Readonly<Record<string, Figures>> = {
  'at the edge, to running': { p50Ratio: 1.25 },
  '20 at once at the edge': { ratio: 1.15 },
  'at the cloud, to running': { p50Ms: 280 },
  'at the cloud, to Ready there': { p50Ms: 400 },
  'many at once, to Ready at the cloud': { lastMs: 6_000 },
  'a config map, to the file in a pod': { p50Ms: 500 },
  'adopting the pods that run': { ms: 3_000 },
  'edgecore without pods': { rssMiB: 75, cpuMsAMinute: 73 },
  'edgecore with 10 pods': {},
  'edgecore with 50 pods': { cpuMsAMinute: 245 },
  'edgecore with 100 pods': { rssMiB: 95, percentOfCore: 1 },
  'the link while nothing happens': { megabytesADay: 1 },
}

type Measured = Readonly<Record<string, Figures>>

/** How pods are measured. */
export interface PodsBenchOptions {
  readonly json: boolean
  readonly runs: number
  readonly quick: boolean
  /** Which runtimes, separated by commas. Default: cri,process. */
  readonly runtimes?: string | undefined
}

const DEFAULT_RUNTIMES = 'cri,process'

/** Measures pods on some runtimes, and beside bare calls to the engine, and prints the table. */
export async function benchPods(options: PodsBenchOptions): Promise<void> {
  const runtimes = runtimesOf(options.runtimes ?? DEFAULT_RUNTIMES)
  const all = new Map<RuntimeName, Measured[]>(runtimes.map((name) => [name, []]))
  const say = (line: string): void => {
    if (!options.json) process.stderr.write(`${line}\n`)
  }
  for (let run = 0; run < options.runs; run += 1) {
    for (const [runtime, found] of all) {
      say(`  ${run + 1}/${options.runs} ${runtime}`)
      const load = options.quick ? QUICK : LOADS[runtime]
      found.push(await measureOn(runtime, load, say))
    }
  }
  const names = [...new Set([...all.values()].flat().flatMap((each) => Object.keys(each)))]
  const rows = names.map((row) => rowOf(row, all, options.runs))
  const report = { benchmark: 'pods', quick: options.quick, machine: machine(), versions: {}, rows }
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else process.stdout.write(readable('Pods', report))
}

function runtimesOf(text: string): readonly RuntimeName[] {
  const names = text.split(',')
  for (const name of names) {
    if (!Object.hasOwn(LOADS, name))
      throw new Error(`--runtimes ${text}: ${name} is none of ${Object.keys(LOADS).join(', ')}`)
    const isHere =
      name === 'process' ||
      (name === 'docker' || name === 'podman' ? hasEngine(name) : hasContainerd())
    if (!isHere) throw new Error(`pods cannot be measured on ${name}, which is not here`)
  }
  return names as readonly RuntimeName[]
}

function rowOf(row: string, all: ReadonlyMap<RuntimeName, Measured[]>, runs: number): RowResult {
  const measured = Object.fromEntries(
    [...all].map(([name, each]) => [name, medians(each.map((run) => run[row] ?? {}))]),
  )
  const peer = KUBEEDGE[row]
  const systems = peer === undefined ? measured : { ...measured, 'KubeEdge, not in this run': peer }
  const limits = all.has('cri') ? Object.entries(TARGETS[row] ?? {}) : []
  const checks: readonly Check[] = limits.map(([figure, limit]) =>
    atMost(figure, measured['cri']?.[figure] ?? Number.NaN, limit),
  )
  const promised = limits.map(([figure, limit]) => `${figure} at most ${limit}`).join(', ')
  const target = promised === '' ? 'none' : `${promised}, on containerd`
  const met = checks.every((check) => check.met)
  return { row, title: row, target, runs, systems, checks, met, notes: [] }
}

async function measureOn(
  runtime: RuntimeName,
  load: PodLoad,
  say: (line: string) => void,
): Promise<Measured> {
  const engine = await openEngine(runtime)
  const folder = await mkdtemp(join(tmpdir(), 'bench-pods-'))
  try {
    const node = await startNode(folder, runtime, engine)
    const beacons = new Beacons(node.beacons)
    try {
      return await measure(node, load, beacons, engine, say)
    } finally {
      beacons.close()
      await node.close()
    }
  } finally {
    await engine?.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function openEngine(runtime: RuntimeName): Promise<BenchEngine | undefined> {
  if (runtime === 'process') return undefined
  if (runtime === 'cri') return await startContainerd([shellImage()])
  return await startEngine(runtime, [pauseImage(), shellImage()])
}

async function measure(
  node: BenchNode,
  load: PodLoad,
  beacons: Beacons,
  engine: BenchEngine | undefined,
  say: (line: string) => void,
): Promise<Measured> {
  const measured: Record<string, Figures> = {}
  const note = (row: string, figures: Figures): void => {
    measured[row] = figures
    say(`    ${row} ${JSON.stringify(figures)}`)
  }
  const ready = await ReadyPods.open(node.cloud)
  try {
    await measureTimes(node, load, beacons, ready, engine, note)
    await measureRest(node, load, ready, note)
  } finally {
    ready.close()
  }
  return measured
}

async function measureTimes(
  node: BenchNode,
  load: PodLoad,
  beacons: Beacons,
  ready: ReadyPods,
  engine: BenchEngine | undefined,
  note: (row: string, figures: Figures) => void,
): Promise<void> {
  const bare = engine === undefined ? undefined : await bareTimes(engine, load, node, beacons)
  const edge = await oneByOne(namesOf('edge', load.single), node, 'edge', beacons, ready)
  const ratio =
    bare === undefined ? {} : { p50Ratio: edge.running.p50Ms / bare.p50Ms, bareP50Ms: bare.p50Ms }
  note('at the edge, to running', { ...edge.running, ...ratio })
  const twentyNames = namesOf('twenty', Math.min(20, load.atOnce))
  const twenty = await together(twentyNames, node, 'edge', beacons, ready)
  const { edgecoreCpuMsAPod } = twenty
  const beside =
    bare === undefined ? {} : { ratio: twenty.runningMs / bare.togetherMs, bareMs: bare.togetherMs }
  note('20 at once at the edge', { lastMs: twenty.runningMs, ...beside, edgecoreCpuMsAPod })
  const cloud = await oneByOne(namesOf('cloud', load.single), node, 'cloud', beacons, ready)
  note('at the cloud, to running', cloud.running)
  note('at the cloud, to Ready there', cloud.ready)
  const many = await together(namesOf('many', load.atOnce), node, 'cloud', beacons, ready)
  note('many at once, to Ready at the cloud', {
    lastMs: many.readyMs,
    runningMs: many.runningMs,
    edgecoreCpuMsAPod: many.edgecoreCpuMsAPod,
  })
  note('a config map, to the file in a pod', await configTimes(load.single, node, ready))
}

/** What edgecore costs that was started anew, with more and more pods that run. */
async function measureRest(
  node: BenchNode,
  load: PodLoad,
  ready: ReadyPods,
  note: (row: string, figures: Figures) => void,
): Promise<void> {
  let running = 0
  let link: Figures = {}
  for (const pods of load.resting) {
    const more = namesOf('resting', pods).slice(running)
    running = pods
    await Promise.all(more.map((name) => node.cloud.send(createPod(name, node.beacons))))
    await Promise.all(more.map((name) => ready.ready(name)))
    const isWatched = load.watched.includes(pods)
    const found = await atRest(node, isWatched ? load.idleMs : 0)
    note(pods === 0 ? 'edgecore without pods' : `edgecore with ${pods} pods`, found.figures)
    if (isWatched) link = { ...link, ...linkFigures(pods, found.megabytesADay) }
    if (pods === load.resting.at(-1))
      note('adopting the pods that run', { ms: found.adoptedMs, pods })
  }
  if (Object.keys(link).length > 0) note('the link while nothing happens', link)
}

/** With how many pods, and what is promised: without regard to how many there are. */
function linkFigures(pods: number, megabytesADay: number): Figures {
  return { megabytesADay, [`megabytesADayWith${pods}`]: megabytesADay }
}
