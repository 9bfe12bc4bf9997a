import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SparseMap, SparseSet } from '../../../src/core/sparse-collections.ts'

const step = fc.record({
  what: fc.constantFrom('add' as const, 'delete' as const, 'clear' as const),
  key: fc.nat({ max: 5 }),
})

test('they hold what a Map and a Set would, in the same order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const [map, set] = [new SparseMap<number, number>(), new SparseSet<number>()]
      const [plainMap, plainSet] = [new Map<number, number>(), new Set<number>()]
      for (const [index, { what, key }] of steps.entries()) {
        if (what === 'add') {
          for (const each of [map, plainMap]) each.set(key, index)
          for (const each of [set, plainSet]) each.add(key)
        } else if (what === 'delete') {
          expect(map.delete(key)).toBe(plainMap.delete(key))
          expect(set.delete(key)).toBe(plainSet.delete(key))
        } else {
          for (const each of [map, set, plainMap, plainSet]) each.clear()
        }
        expect([...map]).toEqual([...plainMap])
        expect([...map.keys()]).toEqual([...plainMap.keys()])
        expect([...map.values()]).toEqual([...plainMap.values()])
        expect([...set]).toEqual([...plainSet])
        expect([map.size, set.size]).toEqual([plainMap.size, plainSet.size])
        expect([map.get(key), map.has(key)]).toEqual([plainMap.get(key), plainMap.has(key)])
        expect(set.has(key)).toBe(plainSet.has(key))
      }
    }),
  )
})
