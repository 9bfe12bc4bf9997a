import { expect, test } from 'vitest'
import { CHROMIUM_HINT, findChromium } from '../support/chromium.ts'
import { skipUnless } from '../support/skip.ts'
import { openBrowserRoom } from './browser-room.ts'
import { bundleFile, bundleText } from './bundle.ts'
import { BROWSER_SUBPATHS } from './subpaths.ts'

test('a replica with the WebSocket and the memory storage bundles without Node and ws', async () => {
  const { code, inputs, imports } = await bundleFile('page-main.ts')
  expect(inputs).toContain('dist/index.js')
  expect(inputs).toContain('dist/transports/websocket/index.js')
  expect(inputs).toContain('dist/adapters/storage/memory/index.js')
  expect(inputs).toContain('dist/compliance/index.js')
  expectNoNode(code, inputs, imports)
})

test.each(BROWSER_SUBPATHS)('%s bundles without Node and ws', async (subpath) => {
  const { code, inputs, imports } = await bundleText(`export * from '${subpath}'`)
  expect(inputs.some((path) => path.startsWith('dist/'))).toBe(true)
  expectNoNode(code, inputs, imports)
})

test('all of them load together in a page', async (context) => {
  const chromium = await findChromium()
  skipUnless(context, chromium !== undefined, 'Chromium', CHROMIUM_HINT)
  const imports = BROWSER_SUBPATHS.map((path, index) => `import * as part${index} from '${path}'`)
  const parts = BROWSER_SUBPATHS.map((_, index) => `Object.keys(part${index}).length`)
  const { code } = await bundleText(
    `${imports.join('\n')}\nglobalThis.room = { exportCounts: [${parts.join(', ')}] }`,
  )
  const browser = await openBrowserRoom(chromium ?? '', code)
  try {
    const { exportCounts } = (await browser.room.jsonValue()) as unknown as {
      readonly exportCounts: readonly number[]
    }
    expect(exportCounts).toHaveLength(BROWSER_SUBPATHS.length)
    const empty = BROWSER_SUBPATHS.filter((_, index) => exportCounts[index] === 0)
    expect(empty).toEqual([])
    expect(browser.pageErrors).toEqual([])
  } finally {
    await browser.close()
  }
})

function expectNoNode(code: string, inputs: readonly string[], imports: readonly string[]): void {
  expect(imports).toEqual([])
  expect(inputs.filter((path) => /^src\/|node_modules\/(?:ws|classic-level)\//.test(path))).toEqual(
    [],
  )
  expect(code.match(/["']node:\w+["']/g)).toBeNull()
  expect(code.match(/\bfrom\s*["']ws["']|\b(?:require|import)\(["']ws["']\)/g)).toBeNull()
}
