import { systemClock, systemRandom } from 'tideway'
import { transportSuite } from 'tideway/compliance'
import { webSocket } from 'tideway/transports/websocket'
import { farPlace } from './far-listener.ts'
import { openPageReplica, type PageReplica } from './page-replica.ts'
import { openTab, type Tab, type TabOptions } from './page-tab.ts'
import { appendOne, type Filled, fillStorage, runStorageCheck } from './storage-place.ts'

/** What Node may call in the page. */
export interface PageRoom {
  /** Runs one check of the transport suite; rejects when it fails. */
  runCheck(name: string): Promise<void>
  openReplica(address: string): Promise<PageReplica>
  /** Runs one check of the storage suite on IndexedDB, alone or as one of several openers. */
  runStorageCheck(mode: 'alone' | 'shared', name: string): Promise<void>
  /** Fills a database until the browser refuses. */
  fillStorage(database: string): Promise<Filled>
  appendOne(database: string): Promise<number>
  /** Opens a replica of this tab on a database. */
  openTab(options: TabOptions): Promise<Tab>
  /** How many different values the bytes of a large random buffer have, from its last part. */
  countRandomValues(length: number): number
  /** Whether a timer that is due after `delayMs` has fired before one that is due after 50 ms. */
  firesEarly(delayMs: number): Promise<boolean>
}

const checks = new Map<string, () => Promise<void>>()
transportSuite({
  test: (name, run) => checks.set(name, run),
  factory: () => farPlace(webSocket()),
})

const room: PageRoom = {
  async runCheck(name) {
    const run = checks.get(name)
    if (run === undefined) throw new Error(`the page has no check of the name ${name}`)
    await run()
  },
  openReplica: openPageReplica,
  runStorageCheck,
  fillStorage,
  appendOne,
  openTab,
  countRandomValues(length) {
    const bytes = new Uint8Array(length)
    systemRandom.fill(bytes)
    return new Set(bytes.subarray(-10_000)).size
  },
  firesEarly: (delayMs) =>
    new Promise((resolve) => {
      const cancel = systemClock.schedule(delayMs, () => resolve(true))
      systemClock.schedule(50, () => {
        cancel()
        resolve(false)
      })
    }),
}

Object.assign(globalThis, { room })
