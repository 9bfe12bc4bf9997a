import type { JSHandle } from 'playwright-core'
import {
  type Connection,
  ConnectionClosedError,
  createReplica,
  type DocumentHandle,
  equalValues,
  grants,
  type JsonMap,
  type Listener,
  type Replica,
} from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { webSocketServer } from 'tideway/transports/websocket/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CHROMIUM_HINT, findChromium } from '../support/chromium.ts'
import { skipUnless } from '../support/skip.ts'
import { type BrowserRoom, openBrowserRoom } from './browser-room.ts'
import { bundleFile } from './bundle.ts'
import type { PageReplica } from './page/page-replica.ts'

const NOTES = { read: ['notes'], write: ['notes'] }
const LARGE_CHARACTERS = 1_000_000

/** A replica in Node whose link to the page the test can cut. */
class NodeSide {
  readonly replica: Replica
  readonly #listener: Listener
  readonly #connections = new Set<Connection>()
  readonly #link: { isCut: boolean }

  constructor(replica: Replica, listener: Listener, link: { isCut: boolean }) {
    this.replica = replica
    this.#listener = listener
    this.#link = link
  }

  static async open(): Promise<NodeSide> {
    const policy = grants({ page: NOTES })
    const replica = await createReplica({ name: 'node', storage: memoryStorage(), policy })
    const link = { isCut: false }
    const listener = await webSocketServer({
      authenticate: () => (link.isCut ? undefined : 'page'),
    })
    return new NodeSide(replica, listener, link)
  }

  get address(): string {
    return this.#listener.addresses[0] ?? ''
  }

  /** Accepts every connection until the listener closes. */
  async serve(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection)
      this.replica.accept(connection)
    }
  }

  /** Aborts what is open and refuses what comes, until {@link mend}. */
  cut(): void {
    this.#link.isCut = true
    const reason = new ConnectionClosedError('the test cuts the link')
    for (const connection of this.#connections) connection.abort(reason)
    this.#connections.clear()
  }

  mend(): void {
    this.#link.isCut = false
  }

  async close(): Promise<void> {
    await this.#listener.close()
    await this.replica.close()
  }
}

const executable = await findChromium()
let browser: BrowserRoom | undefined
let node: NodeSide
let serving: Promise<void>

beforeEach(async () => {
  node = await NodeSide.open()
  serving = node.serve()
  if (executable === undefined) return
  const { code } = await bundleFile('page-main.ts')
  browser = await openBrowserRoom(executable, code)
})
afterEach(async () => {
  await browser?.close()
  browser = undefined
  await node.close()
  await serving
})

describe('a replica in a page of Chromium and one in Node', () => {
  test('sync both ways, through a cut with writes on both sides', async (context) => {
    skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
    const page = await openPage()
    const note = await open('shared')
    note.change((draft) => ({ ...draft, node: 1, list: ['from node'] }))
    await page.evaluate((replica) => replica.set('shared', 'page', 1))
    const both = { node: 1, list: ['from node'], page: 1 }
    await Promise.all([
      reached(note, both),
      page.evaluate((replica, value) => replica.reached('shared', value), JSON.stringify(both)),
    ])

    node.cut()
    await page.evaluate((replica) => replica.hasStatus('waiting'))
    note.change((draft) => ({ ...draft, node: 2 }))
    const nodeOnly = await open('node-only')
    nodeOnly.change(() => ({ text: 'written in Node', large: 'n'.repeat(LARGE_CHARACTERS) }))
    await page.evaluate(async (replica, length) => {
      await replica.set('shared', 'page', 2)
      await replica.set('page-only', 'text', 'written in the page')
      await replica.set('page-only', 'large', 'p'.repeat(length))
    }, LARGE_CHARACTERS)
    expect(note.value).toEqual({ ...both, node: 2 })
    expect(await page.evaluate((replica) => replica.digest())).not.toBe(
      await node.replica.digest(['notes']),
    )

    node.mend()
    const merged = { node: 2, list: ['from node'], page: 2 }
    const pageOnly = await open('page-only')
    await Promise.all([
      reached(note, merged),
      reached(pageOnly, { text: 'written in the page', large: 'p'.repeat(LARGE_CHARACTERS) }),
      page.evaluate((replica, value) => replica.reached('shared', value), JSON.stringify(merged)),
      page.evaluate(
        (replica, value) => replica.reached('node-only', value),
        JSON.stringify(nodeOnly.value),
      ),
    ])
    await Promise.all([note.durable('page'), nodeOnly.durable('page')])
    await page.evaluate((replica) => replica.durableAt('page-only', 'node'))
    expect(await page.evaluate((replica) => replica.digest())).toBe(
      await node.replica.digest(['notes']),
    )
    const statuses = await page.evaluate((replica) => replica.statuses())
    expect(statuses.slice(0, 3)).toEqual(['connecting', 'connected', 'waiting'])
    expect(statuses.at(-1)).toBe('connected')
    await page.evaluate((replica) => replica.close())
    expect(browser?.pageErrors).toEqual([])
  })

  test('a page in the background, whose timers fire once a minute, sends on', async (context) => {
    skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
    const page = await openPage()
    await browser?.page.evaluate(slowTimersDown)
    await page.evaluate(async (replica) => {
      const bytes = new Uint8Array(50_000)
      for (let index = 0; index < 40; index++) {
        crypto.getRandomValues(bytes)
        await replica.set(`photo-${index}`, 'bytes', btoa(String.fromCharCode(...bytes)))
      }
    })
    await page.evaluate((replica) => replica.durableAt('photo-39', 'node'))
    expect(await page.evaluate((replica) => replica.digest())).toBe(
      await node.replica.digest(['notes']),
    )
  })

  test('a page that is closed leaves no link behind in Node', async (context) => {
    skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
    const gone = new Promise<string>((resolve) => {
      node.replica.onPeer(({ replica }, connected) => {
        if (!connected) resolve(replica)
      })
    })
    const page = await openPage()
    await page.evaluate((replica) => replica.set('shared', 'page', 1))
    await reached(await open('shared'), { page: 1 })
    expect(node.replica.peers().map(({ replica }) => replica)).toEqual(['page'])
    await browser?.page.close()
    expect(await gone).toBe('page')
    expect(node.replica.peers()).toEqual([])
  })
})

/** Runs in the page: what Chromium does to a tab that has been hidden for five minutes. */
function slowTimersDown(): void {
  const { setTimeout } = globalThis
  const slow = (callback: () => void, delayMs: number = 0) =>
    setTimeout(callback, Math.max(delayMs, 60_000))
  Object.assign(globalThis, { setTimeout: slow })
}

async function openPage(): Promise<JSHandle<PageReplica>> {
  if (browser === undefined) throw new Error('there is no browser')
  const page = await browser.room.evaluateHandle(
    (room, address) => room.openReplica(address),
    node.address,
  )
  await page.evaluate((replica) => replica.hasStatus('connected'))
  return page
}

function open(id: string): Promise<DocumentHandle<JsonMap>> {
  return node.replica.open(id, { collection: 'notes' })
}

async function reached(handle: DocumentHandle<JsonMap>, value: JsonMap): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = () => {
      if (!equalValues(handle.value, value)) return
      cancel()
      resolve()
    }
    const cancel = handle.subscribe(look)
    look()
  })
}
