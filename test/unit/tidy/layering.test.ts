import { describe, expect, test } from 'vitest'
import { browserSafe } from '../../tidy/browser-safe.ts'
import { layering } from '../../tidy/layering.ts'
import { manifest, report } from './bad-tree.ts'

const PACKAGE = manifest(
  { '.': { default: './dist/index.js' } },
  { dependencies: { pino: '^10.0.0' }, peerDependencies: { ws: '^8.0.0' } },
)

describe('layering', () => {
  const forbidden: readonly (readonly [string, string])[] = [
    ['src/core/sync/a.ts', '../../adapters/edged/index.ts'],
    ['src/core/sync/a.ts', '../../transports/memory/index.ts'],
    ['src/core/sync/a.ts', '../document/value.ts'],
    ['src/core/log/a.ts', '../sync/session.ts'],
    ['src/core/interfaces/a.ts', '../log/event.ts'],
    ['src/core/replica/a.ts', 'node:fs'],
    ['src/core/replica/a.ts', 'ws'],
    ['src/core/replica/a.ts', 'tideway'],
    ['src/core/replica/a.ts', 'node:fs/promises'],
    ['src/transports/memory/a.ts', '../websocket/index.ts'],
    ['src/transports/memory/a.ts', '../../core/sync/io.ts'],
    ['src/transports/memory/a.ts', '../../adapters/reconciler/index.ts'],
    ['src/adapters/storage/memory/a.ts', '../level/index.ts'],
    ['src/adapters/kubernetes/server/a.ts', '../../edged/index.ts'],
    ['src/adapters/kubernetes/objects/a.ts', '../server/index.ts'],
    ['src/adapters/runtime/process/a.ts', '../../edged/index.ts'],
    ['src/adapters/edged/a.ts', '../runtime/process/index.ts'],
    ['src/adapters/edged/a.ts', '../kubernetes/server/index.ts'],
    ['src/adapters/edged/a.ts', '../storage/level/index.ts'],
    ['src/compliance/a.ts', '../transports/memory/index.ts'],
    ['src/compliance/a.ts', 'vitest'],
    ['src/newroom/a.ts', '../core/index.ts'],
    ['examples/demo/a.ts', '../../src/index.ts'],
    ['examples/demo/a.ts', '../cloudcore/main.ts'],
    ['examples/demo/a.ts', 'tideway/core/log'],
    ['examples/demo/a.ts', 'vitest'],
  ]

  test.each(forbidden)('%s may not import %s', (path, specifier) => {
    for (const text of [
      `import { a } from '${specifier}'`,
      `import type { a } from '${specifier}'`,
      `export { a } from '${specifier}'`,
      `const a = await import('${specifier}')`,
      `type A = import('${specifier}').A`,
    ]) {
      const reports = report(layering, { 'package.json': PACKAGE, [path]: `\n${text}\n` })
      expect(reports, text).toHaveLength(1)
      expect(reports[0]).toMatch(new RegExp(`^${path}:[12]: `))
    }
  })

  test('what the table allows passes', () => {
    const reports = report(layering, {
      'package.json': PACKAGE,
      'src/core/sync/a.ts': `import { b } from '../log/event.ts'\nimport { c } from './io.ts'`,
      'src/core/document/a.ts': `import { next } from '@automerge/automerge'`,
      'src/transports/websocket/a.ts': `import { b } from '../../core/errors.ts'\nimport 'ws'`,
      'src/adapters/edged/a.ts': `import { b } from '../runtime/index.ts'\nimport 'node:fs'`,
      'examples/demo/a.ts': `import { b } from 'tideway'\nimport 'pino'\nimport './story.ts'\nimport '../shared/logger.ts'`,
    })
    expect(reports).toEqual([])
  })
})

describe('browser safety', () => {
  test('a Node module is found through other files', () => {
    const reports = report(browserSafe, {
      'src/index.ts': `export { a } from './a.ts'`,
      'src/a.ts': `\nimport { readFile } from 'node:fs/promises'`,
    })
    expect(reports).toEqual(['src/a.ts:2: src/index.ts would pull node:fs/promises into a browser'])
  })

  test('types vanish, so they may name anything', () => {
    const text = `import type { WebSocket } from 'ws'\nimport { type Stats } from 'node:fs'`
    expect(report(browserSafe, { 'src/index.ts': text })).toEqual([])
  })
})
