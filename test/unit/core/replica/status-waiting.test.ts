import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countWaiting } from '../../../../src/core/replica/status-waiting.ts'

test('counts events without all their ancestors, whatever the order', () => {
  const chain = [
    { hash: 'a', parents: [] },
    { hash: 'b', parents: ['a'] },
    { hash: 'c', parents: ['b'] },
    { hash: 'd', parents: ['a', 'c'] },
    { hash: 'e', parents: ['x'] },
    { hash: 'f', parents: ['d', 'e'] },
  ]
  fc.assert(
    fc.property(fc.shuffledSubarray(chain, { minLength: 6 }), (headers) => {
      expect(countWaiting(headers)).toBe(2)
    }),
  )
  expect(countWaiting(chain.filter(({ hash }) => hash !== 'b'))).toBe(4)
  expect(countWaiting([...chain, ...chain])).toBe(2)
  expect(countWaiting([])).toBe(0)
})
