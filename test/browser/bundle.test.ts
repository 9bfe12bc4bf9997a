import { expect, test } from 'vitest'
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

function expectNoNode(code: string, inputs: readonly string[], imports: readonly string[]): void {
  expect(imports).toEqual([])
  expect(inputs.filter((path) => /^src\/|node_modules\/(?:ws|classic-level)\//.test(path))).toEqual(
    [],
  )
  expect(code.match(/["']node:\w+["']/g)).toBeNull()
  expect(code.match(/\bfrom\s*["']ws["']|\b(?:require|import)\(["']ws["']\)/g)).toBeNull()
}
