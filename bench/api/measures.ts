import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../report.ts'
import type { Figures } from '../sync/harness/result.ts'
import { ApiClient, type ApiRequest, type Timings } from './client.ts'
import {
  applyPod,
  createNamespace,
  createPod,
  getPod,
  listPods,
  numbers,
  patchPod,
  TABLE,
} from './requests.ts'
import { type ApiSystem, cpuMsOfAll, memoryOfAll } from './systems.ts'
import { fanOut } from './watchers.ts'

/** How much is asked of each server. */
export interface ApiLoad {
  /** Pods in the smaller and in the larger namespace. */
  readonly some: number
  readonly many: number
  readonly gets: number
  readonly lists: number
  readonly writes: number
  readonly watchers: number
  readonly changes: number
  /** How long a server rests before its memory is looked at: who collects garbage gives back what the work took. */
  readonly restMs: number
}

/** Figures by the name of the row. */
export type Measured = Readonly<Record<string, Figures>>

/** Requests under way at a time: as many as a few busy controllers have. */
const AT_ONCE = 16

/** Lists under way at a time: an answer of 10,000 pods has 20 MB. */
const LISTS_AT_ONCE = 2

const MIB = 1 << 20

/** Goes through every row with one server, which is new and empty. */
export async function measure(
  system: ApiSystem,
  load: ApiLoad,
  say: (line: string) => void,
): Promise<Measured> {
  const client = new ApiClient(system.target)
  const measured: Record<string, Figures> = {}
  const memory = async (when: string): Promise<Figures> => {
    await sleep(load.restMs)
    const { rssBytes, anonymousBytes } = await memoryOfAll(system)
    return { [`${when}MiB`]: rssBytes / MIB, [`${when}AnonymousMiB`]: anonymousBytes / MIB }
  }
  const row = async (name: string, all: readonly ApiRequest[], atOnce: number): Promise<void> => {
    const cpuMs = await cpuMsOfAll(system)
    const timings = await client.sendAll(all, atOnce)
    measured[name] = figuresOf(timings, (await cpuMsOfAll(system)) - cpuMs)
    say(`    ${name} ${Math.round(measured[name]?.['requestsPerSecond'] ?? 0)}/s`)
  }
  try {
    await client.sendAll(['some', 'many'].map(createNamespace), 1)
    const idle = await memory('idle')
    await row(
      'create',
      numbers(load.some).map((n) => createPod('some', n)),
      AT_ONCE,
    )
    await row(
      'get',
      numbers(load.gets).map((n) => getPod(n % load.some)),
      AT_ONCE,
    )
    await row('list of 1,000', listPods(load.lists, 'some', undefined), LISTS_AT_ONCE)
    await row('table of 1,000', listPods(load.lists, 'some', TABLE), LISTS_AT_ONCE)
    await row(
      'patch',
      numbers(load.writes).map((n) => patchPod(n % load.some)),
      AT_ONCE,
    )
    await row(
      'apply',
      numbers(load.writes).map((n) => applyPod(n % load.some)),
      AT_ONCE,
    )
    measured['watch'] = await fanOut(client, system, load)
    say(`    watch ${Math.round(measured['watch']['eventsPerSecond'] ?? 0)} events/s`)
    await client.sendAll(
      numbers(load.many).map((n) => createPod('many', n)),
      AT_ONCE,
    )
    const full = await memory('full')
    const few = Math.ceil(load.lists / 4)
    await row('list of 10,000', listPods(few, 'many', undefined), LISTS_AT_ONCE)
    await row('table of 10,000', listPods(few, 'many', TABLE), LISTS_AT_ONCE)
    measured['memory'] = { ...idle, ...full, ...(await memory('afterLists')) }
    return measured
  } finally {
    client.close()
  }
}

function figuresOf({ totalMs, eachMs, bytes }: Timings, cpuMs: number): Figures {
  return {
    requestsPerSecond: (eachMs.length / totalMs) * 1000,
    p50Ms: percentile(eachMs, 0.5),
    p99Ms: percentile(eachMs, 0.99),
    cpuUsPerRequest: (cpuMs / eachMs.length) * 1000,
    bytesPerAnswer: Math.round(bytes / eachMs.length),
  }
}
