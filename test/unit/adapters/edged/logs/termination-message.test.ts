import { expect, test } from 'vitest'
import {
  joinMessages,
  messagePath,
  shownMessage,
  usesLog,
} from '../../../../../src/adapters/edged/logs/termination-message.ts'
import { ended, pod } from '../pods.ts'

test.each([
  [undefined, '', undefined],
  ['broken', '', 'broken'],
  [undefined, 'bye', 'bye'],
  ['', 'bye', 'bye'],
  ['broken', 'bye', 'broken: bye'],
])('%j and %j are %j', (runtime, own, expected) => {
  expect(joinMessages(runtime, own)).toBe(expected)
})

test('each container of a pod gets its part of what is shown', () => {
  const long = 'x'.repeat(20_000)
  expect(shownMessage(long, 1)).toHaveLength(12_288)
  expect(shownMessage(long, 3)).toHaveLength(4_096)
  expect(shownMessage('short', 3)).toBe('short')
  // Characters stay whole.
  expect(shownMessage('ä'.repeat(10_000), 5)).toBe('ä'.repeat(1228))
  expect(shownMessage(`x${'ä'.repeat(10_000)}`, 3)).toBe(`x${'ä'.repeat(2047)}`)
})

test('where it is written, and when the log stands in for it', () => {
  const of = (json: object) => pod({ containers: [{ name: 'main', image: 'x', ...json }] })
  const plain = of({})
  const log = of({
    terminationMessagePolicy: 'FallbackToLogsOnError',
    terminationMessagePath: '/m',
  })
  const uses = (from: typeof plain, code: number, reason = 'Error'): boolean =>
    from.containers.some((container) => usesLog(container, ended(from, 'main', code, { reason })))
  expect(plain.containers.map(messagePath)).toEqual(['/dev/termination-log'])
  expect(log.containers.map(messagePath)).toEqual(['/m'])
  expect([uses(plain, 1), uses(log, 1), uses(log, 0), uses(log, 128, 'StartError')]).toEqual([
    false,
    true,
    false,
    false,
  ])
})
