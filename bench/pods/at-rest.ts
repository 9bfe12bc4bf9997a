import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMsOf } from '../programs.ts'
import type { Figures } from '../sync/harness/result.ts'
import type { BenchNode } from './node.ts'

/** Longer than a start and the collections after it take. */
const SETTLE_MS = 20_000
const MIB = 1 << 20
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const MEGABYTE = 1e6

/** What an edgecore costs that has nothing to do. */
export interface AtRest {
  /** From its start until it has all pods that ran before. */
  readonly adoptedMs: number
  readonly figures: Figures
  readonly megabytesADay: number
}

/**
 * Starts edgecore anew, as it mostly is when a node runs for long, and looks at it while nothing happens.
 *
 * @param idleMs how long it is watched; 0 looks at its memory only.
 */
export async function atRest(node: BenchNode, idleMs: number): Promise<AtRest> {
  const adoptedMs = await node.restartEdge()
  await sleep(SETTLE_MS)
  const beforeMs = await cpuMsOf(node.edgePid)
  node.link.reset()
  await sleep(idleMs)
  const cpuMs = (await cpuMsOf(node.edgePid)) - beforeMs
  const { bytesUp, bytesDown } = node.link.traffic
  const idle: Figures =
    idleMs === 0
      ? {}
      : { cpuMsAMinute: (cpuMs / idleMs) * MINUTE_MS, percentOfCore: (cpuMs / idleMs) * 100 }
  return {
    adoptedMs,
    figures: { ...(await memoryOf(node.edgePid)), ...idle },
    megabytesADay: (((bytesUp + bytesDown) / idleMs) * DAY_MS) / MEGABYTE,
  }
}

/**
 * Resident and proportional memory of a process; what of it no other process shares; and what of that its heap of
 * C takes, the rest being V8's (Linux).
 */
async function memoryOf(pid: number): Promise<Figures> {
  const [rollup, maps] = await Promise.all(
    ['smaps_rollup', 'smaps'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
  )
  const kib = (text: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN)
  const mib = (kilobytes: number): number => (kilobytes * 1024) / MIB
  const of = (name: string): number => kib(rollup ?? '', name)
  const heap = (maps ?? '').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  return {
    rssMiB: mib(of('Rss')),
    pssMiB: mib(of('Pss')),
    privateMiB: mib(of('Private_Clean') + of('Private_Dirty')),
    mappedFilesMiB: mib(of('Rss') - of('Anonymous')),
    cHeapMiB: mib(kib(heap.find((map) => map.includes('[heap]')) ?? '', 'Rss')),
  }
}
