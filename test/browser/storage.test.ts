import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { storageSuite } from '../../src/compliance/index.ts'
import { CHROMIUM_HINT, findChromium } from '../support/chromium.ts'
import { skipUnless } from '../support/skip.ts'
import { type BrowserRoom, openBrowserRoom } from './browser-room.ts'
import { bundleFile } from './bundle.ts'

const executable = await findChromium()
let browser: BrowserRoom | undefined

beforeAll(async () => {
  if (executable === undefined) return
  const { code } = await bundleFile('page-main.ts')
  browser = await openBrowserRoom(executable, code)
})
afterAll(() => browser?.close())

describe.each(['alone', 'shared'] as const)('indexeddb storage in Chromium, %s', (mode) => {
  // The checks run in the page, on its IndexedDB. Only their names are taken here.
  storageSuite({
    test: (name) => {
      test(name, async (context) => {
        skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
        await browser?.room.evaluate((room, check) => room.runStorageCheck(...check), [
          mode,
          name,
        ] as const)
        expect(browser?.pageErrors).toEqual([])
      })
    },
    factory: () => {
      throw new Error('the checks run in the page')
    },
  })
})

describe('indexeddb storage in a browser that has no more room', () => {
  test('says so, stores nothing of what it refused, and goes on later', async (context) => {
    skipUnless(context, executable !== undefined, 'Chromium', CHROMIUM_HINT)
    // A browser of its own: one that has stored something counts on the room that there was then.
    const { code } = await bundleFile('page-main.ts')
    const fresh = await openBrowserRoom(executable ?? '', code)
    try {
      await fresh.setQuota(3_000_000)
      const filled = await fresh.room.evaluate((room) => room.fillStorage('full'))
      expect(filled).toMatchObject({ code: 'STORAGE_UNAVAILABLE', reason: 'QuotaExceededError' })
      expect(filled.head).toBeGreaterThan(10)
      expect(filled.records).toBe(filled.head)
      await fresh.setQuota(undefined)
      const head = await fresh.room.evaluate((room) => room.appendOne('full'))
      expect(head).toBe(filled.head + 1)
      expect(fresh.pageErrors).toEqual([])
    } finally {
      await fresh.close()
    }
  })
})
