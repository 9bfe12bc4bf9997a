import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/adapters/kubernetes/objects/types.ts'
import {
  difference,
  type FieldSet,
  intersection,
  isEmptySet,
  sameSet,
  setFromJson,
  setToJson,
  union,
} from '../../src/adapters/kubernetes/server/apply/field-set.ts'

// The algebra of owned fields, held beside plain sets of paths.

const element = fc.constantFrom('f:a', 'f:b', 'f:c', 'k:{"name":"x"}', 'v:1')
/** What a client may send is not all as the server writes it: other keys, and a mark that holds something. */
const key = fc.oneof(
  { weight: 8, arbitrary: element },
  { weight: 2, arbitrary: fc.constant('.') },
  { weight: 1, arbitrary: fc.constantFrom('x', 'f', 'fx:a', '') },
)

const { json } = fc.letrec<{ json: JsonObject; item: Json }>((tie) => ({
  json: fc.dictionary(key, tie('item'), { maxKeys: 4, depthIdentifier: 'sets' }),
  item: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'sets', depthSize: 'small' },
    fc.constant({}),
    fc.constantFrom<Json>(null, 1, []),
    tie('json'),
  ),
}))

function members(set: FieldSet, path = ''): ReadonlySet<string> {
  const all = new Set<string>()
  if (set.self) all.add(path)
  for (const [name, child] of set.children)
    for (const member of members(child, `${path}/${name}`)) all.add(member)
  return all
}

/** The same set as if it had been put together, not read. */
function unread({ self, children }: FieldSet): FieldSet {
  return { self, children: new Map([...children].map(([name, child]) => [name, unread(child)])) }
}

const sorted = (all: Iterable<string>): readonly string[] => [...all].sort()

test('sets of fields are sets of paths', () => {
  fc.assert(
    fc.property(json, json, (one, other) => {
      const [a, b] = [setFromJson(one), setFromJson(other)]
      const [inA, inB] = [members(a), members(b)]
      expect(sorted(members(union(a, b)))).toEqual(sorted(new Set([...inA, ...inB])))
      const left = [...inA].filter((path) => !inB.has(path))
      expect(sorted(members(difference(a, b)))).toEqual(sorted(left))
      const both = [...inA].filter((path) => inB.has(path))
      expect(sorted(members(intersection(a, b)))).toEqual(sorted(both))
      expect(sameSet(a, b)).toBe(inA.size === inB.size && both.length === inA.size)
      expect(isEmptySet(a)).toBe(inA.size === 0)
      expect(members(a)).toEqual(inA)
    }),
  )
})

test('a set that was read is written as if it had been put together', () => {
  fc.assert(
    fc.property(json, json, (one, other) => {
      const [a, b] = [setFromJson(one), setFromJson(other)]
      for (const set of [a, union(a, b), difference(a, b), intersection(a, b)])
        expect(JSON.stringify(setToJson(set))).toBe(JSON.stringify(setToJson(unread(set))))
    }),
  )
})
