import { describe, expect, test } from 'vitest'
import { coreGlobals } from '../../tidy/core-globals.ts'
import { fileLength, fileNames } from '../../tidy/files.ts'
import { escapes, machinePaths, unfinished } from '../../tidy/leftovers.ts'
import { orphans } from '../../tidy/orphans.ts'
import { manifest, report } from './bad-tree.ts'

describe('globals in core', () => {
  test.each([
    'const a = Date.now()',
    'const a = new Date()',
    'const a = Math.random()',
    'setTimeout(f, 1)',
    'f(setInterval)',
    'const a = performance.now()',
    'const a = crypto.randomUUID()',
    'console.log(1)',
    'const a = process.env',
    'const a = Buffer.alloc(1)',
    'const a = globalThis.fetch',
    'const a = { now: Date }',
  ])('%s is refused', (text) => {
    const reports = report(coreGlobals, { 'src/core/log/a.ts': `\n${text}\n` })
    expect(reports).toHaveLength(1)
    expect(reports[0]).toMatch(/^src\/core\/log\/a\.ts:2: core has no /)
  })

  test('the same words as names of members, in comments and outside core pass', () => {
    const text =
      '// Date\nconst a = { process: 1 }\nexport const b = a instanceof Date || a.process || new Date(0)'
    expect(report(coreGlobals, { 'src/core/a.ts': text, 'src/system.ts': 'Date.now()' })).toEqual(
      [],
    )
  })
})

describe('files', () => {
  const lines = (count: number): string => 'const a = 1\n'.repeat(count)

  test('a file past its length is refused, one at it passes', () => {
    expect(report(fileLength, { 'src/a.ts': lines(401) })).toHaveLength(1)
    expect(report(fileLength, { 'examples/demo/a.ts': lines(401) })).toHaveLength(1)
    expect(report(fileLength, { 'test/unit/a.test.ts': lines(601) })).toHaveLength(1)
    expect(report(fileLength, { 'src/a.ts': lines(400), 'test/a.ts': lines(600) })).toEqual([])
  })

  test.each(['src/log-utils.ts', 'test/support/helper.ts', 'src/base.ts', 'src/eventLog.ts'])(
    'the name %s is refused',
    (path) => {
      expect(report(fileNames, { [path]: '' })).toHaveLength(1)
    },
  )

  test('a word inside another word passes', () => {
    expect(report(fileNames, { 'src/database.ts': '' })).toEqual([])
  })

  test('a service is a thing in Kubernetes only', () => {
    const path = 'adapters/kubernetes/objects/service-account.ts'
    expect(report(fileNames, { [`src/${path}`]: '', [`test/unit/${path}`]: '' })).toEqual([])
    expect(report(fileNames, { 'src/core/service.ts': '' })).toHaveLength(1)
  })

  test('a file that nobody imports or starts is refused', () => {
    const entry = { '.': { default: './dist/index.js' } }
    const files = {
      'package.json': manifest(entry),
      'src/index.ts': `export { a } from './a.ts'`,
      'src/a.ts': '',
      'src/alone.ts': '',
      'src/shim.ts': '',
      'test/unit/a.test.ts': `const program = 'shim.ts'`,
    }
    expect(report(orphans, files)).toEqual([
      'src/alone.ts:1: nobody imports this file, and nobody starts it by name',
    ])
  })
})

describe('leftovers', () => {
  const later = 'TO' + 'DO'
  const focus = 'on' + 'ly'
  const ignore = '@ts-' + 'ignore'
  const home = '/ho' + 'me/'

  test('work left for later is refused', () => {
    expect(report(unfinished, { 'docs/a.md': `\n${later}: write this` })).toEqual([
      `docs/a.md:2: ${later}: do it, or file it`,
    ])
  })

  test.each([
    `test.${focus}('a', f)`,
    `describe.concurrent.${focus}('a', f)`,
    `// ${ignore}`,
    'const a = b as any',
    'const a = <any>b',
  ])('%s is refused', (text) => {
    expect(report(escapes, { 'test/unit/a.test.ts': text })).toHaveLength(1)
  })

  test('a path of one machine is refused, also in prose', () => {
    expect(report(machinePaths, { 'README.md': `cd ${home}me/tideway` })).toHaveLength(1)
    expect(report(machinePaths, { 'README.md': `https://example.com${home}me` })).toEqual([])
  })
})
