import { Counter, change, ImmutableString, init } from '@automerge/automerge'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { orderKeyBetween, orderKeys } from '../../src/core/document/order-key.ts'
import { readValue } from '../../src/core/document/read-value.ts'
import type { JsonMap, JsonValue } from '../../src/core/document/value.ts'
import { checkValue, equalValues } from '../../src/core/document/value.ts'
import { Side, shown } from '../support/document-side.ts'
import { items, leaf, value } from '../support/document-values.ts'

describe('writing JSON into a document', () => {
  test('a document shows what was written, through any series of edits', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (values) => {
        const side = new Side('a')
        for (const next of values) {
          side.write(side.document.value, next)
          expect(
            equalValues(side.document.value, shown(next)),
            JSON.stringify([side.document.value, next]),
          ).toBe(true)
        }
      }),
    )
  })

  test('an edit that changes nothing makes no event', () => {
    fc.assert(
      fc.property(value, (next) => {
        const side = new Side('a')
        side.write(side.document.value, next)
        const made = side.made.length
        side.write(side.document.value, structuredClone(side.document.value) as JsonMap)
        side.write({}, side.document.value)
        expect(side.made.length).toBe(made)
      }),
    )
  })
})

describe('merging', () => {
  test('two sides with the same events show the same, in whatever order they came', () => {
    fc.assert(
      fc.property(
        value,
        fc.array(value, { maxLength: 3 }),
        fc.array(value, { maxLength: 3 }),
        (start, left, right) => {
          const [a, b] = [new Side('a'), new Side('b')]
          a.write({}, start)
          b.take(a.made)
          const shared = a.made.length
          for (const next of left) a.write(a.document.value, next)
          for (const next of right) b.write(b.document.value, next)
          const fromA = a.made.slice(shared)
          a.take(b.made)
          // The other way round, and twice: order and repetition do not matter.
          b.take([...fromA].reverse())
          b.take(fromA)
          expect(b.document.heads).toEqual(a.document.heads)
          expect(b.document.value).toEqual(a.document.value)
        },
      ),
    )
  })

  test('edits of different fields both survive', () => {
    fc.assert(
      fc.property(leaf, leaf, (left, right) => {
        const [a, b] = [new Side('a'), new Side('b')]
        a.write({}, { labels: { one: 'old', two: 'old' } })
        b.take(a.made)
        const base = a.document.value as { labels: JsonMap }
        a.write(base, { labels: { ...base.labels, one: left } })
        b.write(base, { labels: { ...base.labels, two: right } })
        b.take(a.made)
        a.take(b.made)
        expect(a.document.value['labels']).toEqual({ one: left, two: right })
        expect(b.document.value['labels']).toEqual({ one: left, two: right })
      }),
    )
  })

  test('the same document created on both sides while apart is one merged document', () => {
    const [a, b] = [new Side('a'), new Side('b')]
    a.write({}, { labels: { from: 'a' }, items: [{ name: 'p' }] })
    b.write({}, { labels: { also: 'b' }, items: [{ name: 'q' }], words: ['red'] })
    a.take(b.made)
    b.take(a.made)
    expect(a.document.value).toEqual(b.document.value)
    expect(a.document.value['labels']).toEqual({ from: 'a', also: 'b' })
    expect(
      (a.document.value['items'] as { name: string }[]).map((item) => item.name).sort(),
    ).toEqual(['p', 'q'])
  })

  test('items of a list are told apart by their key, never by their place', () => {
    const [a, b] = [new Side('a'), new Side('b')]
    a.write({}, { items: [{ name: 'web', image: 'web:1' }] })
    b.take(a.made)
    const base = a.document.value
    a.write(base, {
      items: [
        { name: 'sidecar', image: 's:1' },
        { name: 'web', image: 'web:1' },
      ],
    })
    b.write(base, { items: [{ name: 'web', image: 'web:2' }] })
    b.take(a.made)
    a.take(b.made)
    const expected = [
      { name: 'sidecar', image: 's:1' },
      { name: 'web', image: 'web:2' },
    ]
    expect(a.document.value['items']).toEqual(expected)
    expect(b.document.value['items']).toEqual(expected)
  })

  test('counters add up', () => {
    const [a, b] = [new Side('a'), new Side('b')]
    a.write({}, { count: 1 })
    b.take(a.made)
    a.write(a.document.value, { count: 4 })
    b.write(b.document.value, { count: 2 })
    a.take(b.made)
    b.take(a.made)
    expect([a.document.value['count'], b.document.value['count']]).toEqual([5, 5])
  })

  test('a counter that a deleted one hid keeps its increments', () => {
    for (const [left, right] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const [a, b] = [new Side(left), new Side(right)]
      a.write({}, { count: 0 })
      a.write(a.document.value, { count: 1 })
      b.write({}, { count: 0 })
      b.write(b.document.value, {})
      a.take(b.made)
      b.take(a.made)
      expect([a.document.value, b.document.value]).toEqual([{ count: 1 }, { count: 1 }])
    }
  })

  test('a writer who saw an older state changes only what it changed', () => {
    const side = new Side('a')
    side.write({}, { a: 'old', b: 'old' })
    const seen = side.document.value
    side.write(seen, { a: 'old', b: 'new by another' })
    side.write(seen, { a: 'mine', b: 'old' })
    expect(side.document.value).toEqual({ a: 'mine', b: 'new by another' })
  })
})

describe('after a merge', () => {
  test('a list shows the order that was written, also where both sides put items at one place', () => {
    fc.assert(
      fc.property(items, items, items, items, (start, left, right, last) => {
        const [a, b] = [new Side('a'), new Side('b')]
        a.write({}, { items: start })
        b.take(a.made)
        const shared = a.made.length
        a.write(a.document.value, { items: left })
        b.write(b.document.value, { items: right })
        a.take(b.made)
        b.take(a.made.slice(shared))
        a.write(a.document.value, { items: last })
        const names = (list: JsonValue | undefined) =>
          (list as { name: string }[] | undefined)?.map(({ name }) => name) ?? []
        expect(names(a.document.value['items'])).toEqual(names(last))
      }),
    )
  })

  test('keys that every object has merge like others', () => {
    const key = fc.constantFrom('constructor', 'toString', 'valueOf', 'hasOwnProperty', 'a')
    const map = fc.dictionary(key, fc.string({ maxLength: 2 }), { maxKeys: 4 })
    fc.assert(
      fc.property(fc.array(map, { minLength: 1, maxLength: 4 }), (maps) => {
        const side = new Side('a')
        for (const next of maps) {
          side.write(side.document.value, { a: next, labels: next })
          expect(equalValues(side.document.value, shown({ a: next, labels: next }))).toBe(true)
        }
      }),
    )
  })
})

describe('values that no writer of ours makes', () => {
  const scalar = fc.oneof(
    fc.string(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
    fc.constantFrom(
      new Date(8e15),
      new Date(-8e15),
      new Uint8Array([1]),
      null,
      true,
      new Counter(3),
    ),
    fc.string().map((text) => new ImmutableString(text)),
  )
  const node: fc.Arbitrary<unknown> = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      scalar,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('#list', '#set', '#', '#x', 'a', 'constructor'), tie('node'), {
        maxKeys: 3,
      }),
    ),
  })).node

  test('are read without a throw, and what is read can be written back', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'items', 'words', 'count', '#list'), node),
        (root) => {
          let doc = init<Record<string, unknown>>()
          try {
            doc = change(doc, (draft) => void Object.assign(draft, structuredCloneOf(root)))
          } catch {
            return
          }
          const value = readValue(doc)
          expect(() => checkValue(value)).not.toThrow()
        },
      ),
    )
  })

  test('nesting is read down to the depth that may be written', () => {
    let deep: unknown = 1
    for (let level = 0; level < 5000; level += 1) deep = level % 2 === 0 ? { a: deep } : [deep]
    expect(() => checkValue(readValue(deep))).not.toThrow()
  })

  test('dates that are none, and order keys that are not ours', () => {
    expect(readValue(new Date(Number.NaN))).toBeNull()
    const list = {
      '#list': { p: { '#': 'z'.repeat(100_000), name: 'p' }, q: { '#': 'n', name: 'q' } },
    }
    expect(readValue(list)).toEqual([{ name: 'p' }, { name: 'q' }])
  })
})

/** A copy without shared parts, which a document does not take. */
function structuredCloneOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCloneOf)
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, structuredCloneOf(item)]),
  )
}

describe('order keys', () => {
  test('between any two there is a third', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 60 }), (places) => {
        const keys: string[] = []
        for (const place of places) {
          const index = place % (keys.length + 1)
          keys.splice(index, 0, orderKeyBetween(keys[index - 1], keys[index]))
        }
        expect([...keys].sort()).toEqual(keys)
        expect(new Set(keys).size).toBe(keys.length)
      }),
    )
  })

  test('a new list gets ordered, distinct keys with room at both ends', () => {
    for (const count of [0, 1, 2, 25, 26, 27, 700]) {
      const keys = orderKeys(count)
      expect([...keys].sort()).toEqual([...keys])
      expect(new Set(keys).size).toBe(count)
      if (count > 0)
        expect((orderKeyBetween(undefined, keys[0]) ?? '') < (keys[0] ?? '')).toBe(true)
    }
  })
})
