import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredEntry } from '../../../../src/core/log/entry.ts'
import { LagTable } from '../../../../src/core/replica/status-lag.ts'

function entry(position: number, collection: string, from?: string): StoredEntry {
  const bytes = new Uint8Array(10)
  return {
    position,
    kind: 'event',
    document: 'd',
    collection,
    generation: 1,
    from,
    hash: 'h',
    bytes,
  }
}

test('counts what is new in the collections of a peer, apart from what it delivered', () => {
  const lag = new LagTable(0)
  lag.appended([entry(1, 'a'), entry(2, 'b'), entry(3, 'a', 'peer')], 3)
  lag.appended([entry(4, 'a'), entry(5, 'c')], 5)
  expect(lag.of('peer', ['a', 'b'], 0)).toEqual({ events: 3, bytes: 30 })
  expect(lag.of('peer', ['a', 'b'], 3)).toEqual({ events: 1, bytes: 10 })
  expect(lag.of('other', ['a'], 0)).toEqual({ events: 3, bytes: 30 })
  expect(lag.of('peer', ['a', 'b'], 5)).toEqual({ events: 0, bytes: 0 })
  expect(lag.of('peer', [], 0)).toEqual({ events: 0, bytes: 0 })
})

test('what was there before the start counts by positions, until it is acknowledged', () => {
  const lag = new LagTable(100)
  lag.appended([entry(101, 'a')], 101)
  expect(lag.of('peer', ['a'], 90).events).toBe(11)
  expect(lag.of('peer', ['a'], 100).events).toBe(1)
})

test('however much was appended: never less than nothing, and exact at both ends', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), (batches, part) => {
      const lag = new LagTable(0)
      let head = 0
      for (const count of batches) {
        const first = head + 1
        const entries = Array.from({ length: count }, (_, index) => entry(first + index, 'a'))
        head += count
        lag.appended(entries, head)
      }
      const acked = Math.floor(head * part)
      const { events, bytes } = lag.of('peer', ['a'], acked)
      expect(lag.of('peer', ['a'], 0)).toEqual({ events: head, bytes: head * 10 })
      expect(lag.of('peer', ['a'], head)).toEqual({ events: 0, bytes: 0 })
      // Every position is one of the collection here, so proportion within a run is exact but for rounding.
      expect(Math.abs(events - (head - acked))).toBeLessThanOrEqual(1)
      expect(Math.abs(bytes - (head - acked) * 10)).toBeLessThanOrEqual(1)
    }),
  )
})
