import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LONG_FILES, longFirst } from '../../support/long-first.ts'

test('every file that is said to be long is there', () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  expect(LONG_FILES.filter((name) => !existsSync(`${root}${name}`))).toEqual([])
  expect(LONG_FILES.length).toBeGreaterThan(3)
})

test('the long files begin before the others of their room, and all else keeps its order', () => {
  const inRoom = (room: string): readonly string[] =>
    LONG_FILES.filter((name) => name.startsWith(`/test/${room}/`))
  const [longest = '', second = '', third = ''] = inRoom('integration')
  const [suite = ''] = inRoom('compliance')
  const others = ['/test/integration/a.test.ts', '/test/integration/b.test.ts']
  const before = ['/test/unit/kubectl.test.ts', '/test/simulation/demo.test.ts']
  const between = '/test/compliance/a.test.ts'
  const after = ['/test/browser/a.test.ts']
  const given = [...before, others[0], between, third, others[1], longest, suite, second, ...after]
  const wanted = [...before, longest, second, third, others[0], suite, between, others[1], ...after]
  expect(longFirst(given, (name) => `/somewhere${name}`)).toEqual(wanted)
  expect(longFirst(before, (name) => name ?? '')).toEqual(before)
})
