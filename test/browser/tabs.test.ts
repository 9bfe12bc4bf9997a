import type { JSHandle } from 'playwright-core'
import { createReplica, grants, type Listener, type Replica } from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { webSocketServer } from 'tideway/transports/websocket/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CHROMIUM_HINT, findChromium } from '../support/chromium.ts'
import { skipUnless } from '../support/skip.ts'
import { type BrowserRoom, openBrowserRoom, type PageTabRoom, roomOf } from './browser-room.ts'
import { bundleFile } from './bundle.ts'
import type { PageRoom } from './page/page-main.ts'
import type { Tab, TabOptions } from './page/page-tab.ts'

const NOTES = { read: ['notes'], write: ['notes'] }
const EDITS = 60

const executable = await findChromium()
let browser: BrowserRoom | undefined
let node: Replica
let listener: Listener
let links = 0
let database = ''

beforeAll(async () => {
  if (executable === undefined) return
  const { code } = await bundleFile('page-main.ts')
  browser = await openBrowserRoom(executable, code)
})
afterAll(() => browser?.close())
beforeEach(async ({ task }) => {
  links = 0
  // One of its own for each test, and for each attempt at it.
  database = `${task.name} ${Date.now()}`
  const policy = grants({ browser: NOTES })
  node = await createReplica({ name: 'node', storage: memoryStorage(), policy })
  node.onPeer((_peer, isConnected) => {
    if (isConnected) links += 1
  })
  listener = await webSocketServer({ authenticate: () => 'browser' })
  node.serve(listener)
})
afterEach(async () => {
  await browser?.closeTabs()
  await node.close()
})

function address(): string {
  return listener.addresses[0] ?? ''
}

function open(room: JSHandle<PageRoom>, options: Partial<TabOptions>): Promise<JSHandle<Tab>> {
  const all: TabOptions = { database, shared: false, ...options }
  return room.evaluateHandle((page, tab) => page.openTab(tab), all)
}

const keys = (prefix: string, count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, n]))

describe('a tab as a replica', () => {
  test('keeps what it wrote offline through a reload, and syncs it then', async (context) => {
    const { page, room } = await newTab(context)
    const before = await open(room, {})
    const { name, actor, epoch } = await identity(before)
    await before.evaluate((tab) => tab.set('today', 'text', 'written offline'))
    const acked = await before.evaluate((tab) => tab.head())
    await page.reload()
    const after = await open(await roomOf(page), { address: address() })
    expect(await identity(after)).toEqual({ name, actor, epoch })
    expect(await after.evaluate((tab) => tab.head())).toBe(acked)
    await after.evaluate((tab) => tab.set('today', 'more', 'after the reload'))
    await after.evaluate((tab) => tab.durableAt('today', 'node'))
    const copy = await node.open('today')
    expect(copy.value).toEqual({ text: 'written offline', more: 'after the reload' })
    expect(await after.evaluate((tab) => tab.digest())).toBe(await node.digest(['notes']))
    copy.change((draft) => ({ ...draft, node: true }))
    await copy.durable('browser')
    await page.reload()
    const again = await open(await roomOf(page), {})
    expect(await again.evaluate((tab) => tab.value('today'))).toEqual(copy.value)
    await again.evaluate((tab) => tab.close())
    expect(browser?.pageErrors).toEqual([])
  })

  test('loses nothing that it acknowledged when its process dies', async (context) => {
    const { page, room } = await newTab(context)
    const tab = await open(room, {})
    let acked = 0
    await page.exposeFunction('acknowledged', (count: number) => {
      acked = count
    })
    const dying = tab.evaluate(async (each) => {
      const { acknowledged } = globalThis as unknown as { acknowledged: (n: number) => void }
      for (let n = 0; ; n++) {
        await each.set('today', `k${n % 50}`, n)
        acknowledged(n + 1)
      }
    })
    const gone = expect(dying).rejects.toThrow()
    await expect.poll(() => acked).toBeGreaterThan(25)
    const crashed = new Promise((resolve) => page.once('crash', resolve))
    page.goto('chrome://crash').catch(() => undefined)
    await crashed
    await gone
    const { room: nextRoom } = await newTab(context)
    const next = await open(nextRoom, {})
    const value = await next.evaluate((each) => each.value('today'))
    expect(Math.max(...Object.values(value).map(Number))).toBeGreaterThanOrEqual(acked - 1)
    expect(await next.evaluate((each) => each.head())).toBeGreaterThanOrEqual(acked)
    await next.evaluate((each) => each.set('today', 'next', 1))
    await next.evaluate((each) => each.close())
  })

  test('has its database alone unless it shares it', async (context) => {
    const { room } = await newTab(context)
    await open(room, {})
    const second = await newTab(context)
    for (const shared of [false, true]) {
      await expect(open(second.room, { shared })).rejects.toThrow('another tab has this database')
    }
  })
})

describe('several tabs on one database', () => {
  test('see what the others write, at once and after they are gone', async (context) => {
    const { page, room } = await newTab(context)
    const second = await newTab(context)
    const tabs = await Promise.all([
      open(room, { shared: true }),
      open(second.room, { shared: true }),
    ])
    const [a, b] = tabs
    const [ofA, ofB] = await Promise.all(tabs.map(identity))
    expect([ofA?.name, ofA?.epoch]).toEqual([ofB?.name, ofB?.epoch])
    expect(ofA?.actor).not.toBe(ofB?.actor)
    const all = { ...keys('a', EDITS), ...keys('b', EDITS) }
    await Promise.all([
      a.evaluate((tab, count) => tab.setMany('today', 'a', count), EDITS),
      b.evaluate((tab, count) => tab.setMany('today', 'b', count), EDITS),
      ...tabs.map((each) =>
        each.evaluate((tab, value) => tab.reached('today', value), JSON.stringify(all)),
      ),
    ])
    const digest = await a.evaluate((tab) => tab.digest())
    await expect.poll(() => b.evaluate((tab) => tab.digest())).toBe(digest)
    // One closes in good order, one is just gone.
    await a.evaluate((tab) => tab.close())
    await page.close()
    await b.evaluate((tab) => tab.set('today', 'last', 'word'))
    await second.page.close()
    const { room: thirdRoom } = await newTab(context)
    const third = await open(thirdRoom, { shared: true })
    expect(await third.evaluate((tab) => tab.value('today'))).toEqual({ ...all, last: 'word' })
    // The numbers of the openers are free again, and so their names as writers.
    expect([ofA?.actor, ofB?.actor]).toContain((await identity(third)).actor)
    expect(browser?.pageErrors).toEqual([])
  })

  test('keep it when the browser is closed and started again', async (context) => {
    const { room } = await newTab(context)
    const second = await newTab(context)
    const a = await open(room, { shared: true })
    const b = await open(second.room, { shared: true })
    await Promise.all([
      a.evaluate((tab) => tab.setMany('one', 'a', 20)),
      b.evaluate((tab) => tab.setMany('two', 'b', 20)),
    ])
    const after = (await browser?.restart()) ?? (await newTab(context))
    const tab = await open(after.room, { shared: true })
    expect(await tab.evaluate((each) => each.value('one'))).toEqual(keys('a', 20))
    expect(await tab.evaluate((each) => each.value('two'))).toEqual(keys('b', 20))
  })

  test('connect through one of them, and through the next when that one is gone', async (context) => {
    const { page, room } = await newTab(context)
    const second = await newTab(context)
    const options = { shared: true, address: address() }
    const a = await open(room, options)
    await expect.poll(() => a.evaluate((tab) => tab.isConnected())).toBe(true)
    const b = await open(second.room, options)
    // What the other tab writes goes out by the one that is connected, and its author hears of it.
    await b.evaluate((tab) => tab.setMany('today', 'b', 10))
    await b.evaluate((tab) => tab.durableAt('today', 'node'))
    const copy = await node.open('today')
    expect(copy.value).toEqual(keys('b', 10))
    expect(await b.evaluate((tab) => tab.isConnected())).toBe(false)
    copy.change((draft) => ({ ...draft, node: 1 }))
    const json = JSON.stringify({ ...keys('b', 10), node: 1 })
    await b.evaluate((tab, value) => tab.reached('today', value), json)

    await a.evaluate((tab) => tab.set('today', 'a', 1))
    await page.close()
    await expect.poll(() => b.evaluate((tab) => tab.isConnected())).toBe(true)
    await b.evaluate((tab) => tab.set('today', 'b', 2))
    await b.evaluate((tab) => tab.durableAt('today', 'node'))
    expect(copy.value).toEqual({ ...keys('b', 10), node: 1, a: 1, b: 2 })
    expect(await b.evaluate((tab) => tab.digest())).toBe(await node.digest(['notes']))
    expect(links).toBe(2)
    expect(browser?.pageErrors).toEqual([])
  })

  test('all take back what a peer refuses', async (context) => {
    const { room } = await newTab(context)
    const second = await newTab(context)
    const policy = grants({ browser: { read: ['notes'], write: [] } })
    const strict = await createReplica({ name: 'strict', storage: memoryStorage(), policy })
    const at = await webSocketServer({ authenticate: () => 'browser' })
    strict.serve(at)
    try {
      const a = await open(room, { shared: true, address: at.addresses[0] ?? '' })
      await expect.poll(() => a.evaluate((tab) => tab.isConnected())).toBe(true)
      const b = await open(second.room, { shared: true })
      await b.evaluate((tab) => tab.set('today', 'b', 1))
      for (const each of [a, b]) {
        await expect.poll(() => each.evaluate((tab) => tab.rejected())).toEqual(['today'])
        expect(await each.evaluate((tab) => tab.value('today'))).toEqual({})
      }
    } finally {
      await strict.close()
    }
  })
})

/** A tab; the test is skipped where there is no browser. */
async function newTab(context: Parameters<typeof skipUnless>[0]): Promise<PageTabRoom> {
  skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
  if (browser === undefined) throw new Error('there is no browser')
  return await browser.newTab()
}

async function identity(tab: JSHandle<Tab>) {
  return await tab.evaluate(({ name, actor, epoch }) => ({ name, actor, epoch }))
}
