import { describe, expect, test } from 'vitest'
import {
  errorCodesDocumented,
  invariantsChecked,
  markdownTitle,
  readmeBlocksRun,
} from '../../tidy/documents.ts'
import { lockComplete, pins, subpaths } from '../../tidy/manifest.ts'
import { RULES } from '../../tidy/rules.ts'
import { manifest, report } from './bad-tree.ts'

const FENCE = '```'

describe('documents', () => {
  test('a Markdown file has one title, and a comment in a shell block is none', () => {
    expect(report(markdownTitle, { 'a.md': 'no title' })).toEqual([
      'a.md:1: 0 titles, there must be one',
    ])
    expect(report(markdownTitle, { 'a.md': '# One\n\n# Two' })).toHaveLength(1)
    expect(report(markdownTitle, { 'a.md': `# One\n\n${FENCE}sh\n# go\n${FENCE}\n` })).toEqual([])
  })

  test('error codes and their sections name each other', () => {
    const errors = `export type ErrorCode =\n  | 'USAGE_CLOSED'\n  | 'ACCESS_DENIED'\n\n`
    const reports = report(errorCodesDocumented, {
      'src/core/errors.ts': errors,
      'docs/errors.md': '# Errors\n\n## USAGE_CLOSED\n\n## STORAGE_GONE\n',
    })
    expect(reports).toEqual([
      'docs/errors.md:1: no section for ACCESS_DENIED',
      'docs/errors.md:5: STORAGE_GONE is no ErrorCode',
    ])
    expect(report(errorCodesDocumented, {})).toHaveLength(1)
  })

  test('an invariant names a check that exists', () => {
    const text = '# Invariants\n\n## I1 One\n\nBy `test/a.test.ts`.\n\n## I2 Two\n\nBy hope.\n'
    expect(report(invariantsChecked, { 'docs/invariants.md': text })).toEqual([
      'docs/invariants.md:3: I1 names test/a.test.ts, which does not exist',
      'docs/invariants.md:7: I2 names no check',
    ])
    expect(report(invariantsChecked, {})).toHaveLength(1)
  })

  test('a block of the README has a name, and a test that runs it', () => {
    const text = `# A\n\n${FENCE}ts\n1\n${FENCE}\n\n${FENCE}ts embed\n2\n${FENCE}\n`
    expect(report(readmeBlocksRun, { 'README.md': text })).toHaveLength(2)
    const running = { 'test/integration/readme.test.ts': `readBlock('embed')` }
    expect(report(readmeBlocksRun, { 'README.md': text, ...running })).toHaveLength(1)
  })
})

describe('the manifest', () => {
  const target = { types: './dist/a/index.d.ts', default: './dist/transports/a/index.js' }

  test('a subpath without a source and a source without a subpath are refused', () => {
    const files = {
      'package.json': manifest({ './transports/a': target }),
      'src/transports/b/index.ts': '',
    }
    expect(report(subpaths, files)).toEqual([
      'package.json:1: src/transports/a/index.ts is named by exports or bin and does not exist',
      'package.json:1: examples/demo/main.ts is named by exports or bin and does not exist',
      'src/transports/b/index.ts:1: no subpath in package.json leads here',
    ])
  })

  test('types come first', () => {
    const swapped = { default: target.default, types: target.types }
    const files = {
      'package.json': manifest({ './transports/a': swapped }),
      'src/transports/a/index.ts': '',
      'examples/demo/main.ts': '',
    }
    expect(report(subpaths, files)).toEqual([
      'package.json:1: ./transports/a has default,types, not types,default',
    ])
  })

  test('a loose tool and a mandatory peer are refused', () => {
    const rest = { devDependencies: { knip: '^6.0.0' }, peerDependencies: { ws: '^8.0.0' } }
    expect(report(pins, { 'package.json': manifest({}, rest) })).toHaveLength(2)
  })

  test('a lock file without the builds for other machines is refused', () => {
    const tool = { optionalDependencies: { 'tool-linux': '1.0.0', 'tool-darwin': '1.0.0' } }
    const packages = { 'node_modules/tool': tool, 'node_modules/tool-linux': {} }
    const reports = report(lockComplete, { 'package-lock.json': JSON.stringify({ packages }) })
    expect(reports).toHaveLength(1)
    expect(reports[0]).toContain('tool-darwin of node_modules/tool is missing')
  })
})

test('rules have names of their own', () => {
  expect(new Set(RULES.map((rule) => rule.name)).size).toBe(RULES.length)
})
