import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transportSuite } from '../../src/compliance/index.ts'
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

describe('websocket transport, dialled by a page in Chromium', () => {
  // The checks run in the page, with its WebSocket. Only their names are taken here.
  transportSuite({
    test: (name) => {
      test(name, async (context) => {
        skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
        await browser?.room.evaluate((room, check) => room.runCheck(check), name)
        expect(browser?.pageErrors).toEqual([])
      })
    },
    factory: () => {
      throw new Error('the checks run in the page')
    },
  })
})

describe('the machine, as a page in Chromium has it', () => {
  test('random bytes come in any length, past what the browser fills at once', async (context) => {
    skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
    expect(await browser?.room.evaluate((room) => room.countRandomValues(200_000))).toBe(256)
  })

  test('a timer past the range of the browser does not fire at once', async (context) => {
    skipUnless(context, browser !== undefined, 'Chromium', CHROMIUM_HINT)
    expect(await browser?.room.evaluate((room) => room.firesEarly(2 ** 33))).toBe(false)
    expect(await browser?.room.evaluate((room) => room.firesEarly(0))).toBe(true)
  })
})
