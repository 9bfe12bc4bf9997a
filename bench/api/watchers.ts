import type { IncomingMessage } from 'node:http'

import { percentile } from '../report.ts'
import type { Figures } from '../sync/harness/result.ts'
import type { ApiClient } from './client.ts'
import { patchPod } from './requests.ts'
import { type ApiSystem, cpuMsOfAll } from './systems.ts'

/** Watches opened at a time: each is a TLS handshake of its own. */
const OPENED_AT_ONCE = 20

/** How long one change may take to reach everybody. */
const REACH_MS = 60_000

/**
 * Changes one pod after another while many watch all of them: how long until the last watcher has heard
 * of a change, and how many events a second that is.
 */
export async function fanOut(
  client: ApiClient,
  system: ApiSystem,
  load: { readonly some: number; readonly watchers: number; readonly changes: number },
): Promise<Figures> {
  const heard = new Heard()
  const watches: IncomingMessage[] = []
  try {
    while (watches.length < load.watchers) {
      const count = Math.min(OPENED_AT_ONCE, load.watchers - watches.length)
      const path = '/api/v1/namespaces/some/pods?watch=true&resourceVersion=0'
      const opened = await Promise.all(Array.from({ length: count }, () => client.watch(path)))
      for (const watch of opened) watch.on('data', (chunk: Buffer) => heard.read(chunk))
      watches.push(...opened)
    }
    // A watch begins with what there is: every pod, to every watcher.
    await heard.reaches(load.watchers * load.some)
    const cpuMs = await cpuMsOfAll(system)
    const lastMs: number[] = []
    const begin = performance.now()
    for (let index = 0; index < load.changes; index += 1) {
      const changed = performance.now()
      await client.send(patchPod(index % load.some))
      await heard.reaches(load.watchers * (load.some + index + 1))
      lastMs.push(performance.now() - changed)
    }
    const totalMs = performance.now() - begin
    const events = load.watchers * load.changes
    return {
      eventsPerSecond: (events / totalMs) * 1000,
      lastP50Ms: percentile(lastMs, 0.5),
      lastP99Ms: percentile(lastMs, 0.99),
      cpuUsPerEvent: (((await cpuMsOfAll(system)) - cpuMs) / events) * 1000,
    }
  } finally {
    for (const watch of watches) watch.destroy()
  }
}

/** Counts events: every one is a line. */
class Heard {
  #lines = 0
  #waiting: { readonly lines: number; readonly resolve: () => void } | undefined

  read(chunk: Buffer): void {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) this.#lines += 1
    if (this.#waiting === undefined || this.#lines < this.#waiting.lines) return
    this.#waiting.resolve()
    this.#waiting = undefined
  }

  reaches(lines: number): Promise<void> {
    if (this.#lines >= lines) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`watchers heard ${this.#lines} of ${lines} events`))
      const timer = setTimeout(late, REACH_MS)
      this.#waiting = {
        lines,
        resolve: () => {
          clearTimeout(timer)
          resolve()
        },
      }
    })
  }
}
