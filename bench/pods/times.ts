import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMsOf } from '../programs.ts'
import { percentile } from '../report.ts'
import type { Figures } from '../sync/harness/result.ts'
import { BareCriPods, type BarePods } from './bare.ts'
import { BareEnginePods } from './bare-engine.ts'
import type { BenchEngine, BenchNode } from './node.ts'
import {
  type Beacons,
  changeConfigMap,
  createConfigMap,
  createConfiguredPod,
  createPod,
  deletePod,
  namesOf,
  type ReadyPods,
} from './pods.ts'

/** How many pods are looked at. */
export interface PodLoad {
  /** One after the other. */
  readonly single: number
  /** Together. */
  readonly atOnce: number
  /** What runs while edgecore is looked at, each more than the one before. */
  readonly resting: readonly number[]
  /** Of those: with how many it is also watched while nothing happens. */
  readonly watched: readonly number[]
  readonly idleMs: number
}

const LOOK_MS = 2
const CONFIG_MS_MAX = 60_000

/** The same pods by bare calls, one by one and together. */
export async function bareTimes(
  engine: BenchEngine,
  load: Pick<PodLoad, 'single' | 'atOnce'>,
  node: BenchNode,
  beacons: Beacons,
): Promise<{ readonly p50Ms: number; readonly togetherMs: number }> {
  await mkdir(join(engine.folder, 'bare-logs'), { recursive: true })
  const bare: BarePods =
    'kind' in engine
      ? await BareEnginePods.open(engine, node.beacons)
      : new BareCriPods(engine, node.beacons)
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
export async function oneByOne(
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

/**
 * Pods that are made at once.
 *
 * @returns when the last of them ran, and was ready at the cloud, and what of the CPU edgecore took until then.
 */
export async function together(
  names: readonly string[],
  node: BenchNode,
  where: 'edge' | 'cloud',
  beacons: Beacons,
  ready: ReadyPods,
): Promise<{
  readonly runningMs: number
  readonly readyMs: number
  readonly edgecoreCpuMsAPod: number
}> {
  const cpuMs = await cpuMsOf(node.edgePid)
  const begin = performance.now()
  await Promise.all(names.map((name) => node[where].send(createPod(name, node.beacons))))
  const running = await Promise.all(names.map((name) => beacons.lit(name)))
  const shown = await Promise.all(names.map((name) => ready.ready(name)))
  const edgecoreCpuMsAPod = ((await cpuMsOf(node.edgePid)) - cpuMs) / names.length
  await Promise.all(names.map((name) => node[where].send(deletePod(name))))
  await Promise.all(names.map((name) => ready.gone(name)))
  await node.cleared()
  return {
    runningMs: Math.max(...running) - begin,
    readyMs: Math.max(...shown) - begin,
    edgecoreCpuMsAPod,
  }
}

function percentiles(eachMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  return { p50Ms: percentile(eachMs, 0.5), p99Ms: percentile(eachMs, 0.99) }
}

/** How long a change of a config map at the cloud takes to the file of a pod that has it. */
export async function configTimes(
  changes: number,
  node: BenchNode,
  ready: ReadyPods,
): Promise<Figures> {
  const name = 'configured'
  await node.cloud.send(createConfigMap(name))
  await node.cloud.send(createConfiguredPod(name, node.beacons))
  await ready.ready(name)
  const eachMs: number[] = []
  for (let change = 0; change < changes; change += 1) {
    const value = `value ${change}`
    const begin = performance.now()
    await node.cloud.send(changeConfigMap(name, value))
    while ((await node.configFile('value')) !== value) {
      if (performance.now() - begin > CONFIG_MS_MAX) throw new Error('a config map never arrived')
      await sleep(LOOK_MS)
    }
    eachMs.push(performance.now() - begin)
  }
  await node.cloud.send(deletePod(name))
  await ready.gone(name)
  await node.cleared()
  return percentiles(eachMs)
}
