import { expect, test } from 'vitest'
import { entriesOf, readEntries } from '../../../scripts/entries.mjs'

test('a subpath, a server half and a program lead to their sources', () => {
  const entries = entriesOf({
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './a/server': { types: './dist/a/server.d.ts', default: './dist/a/server.js' },
      './package.json': './package.json',
    },
    bin: { run: 'dist/examples/run/main.js' },
  })
  expect(entries).toEqual([
    { name: 'index', source: 'src/index.ts' },
    { name: 'a/server', source: 'src/a/server.ts' },
    { name: 'examples/run/main', source: 'examples/run/main.ts' },
    { name: 'examples/demo/main', source: 'examples/demo/main.ts' },
  ])
})

test('every entry of this package is either there or missing', () => {
  const { present, missing } = readEntries()
  expect(present.length + missing.length).toBeGreaterThanOrEqual(17)
  expect(present.map((entry) => entry.name)).toContain('index')
})
