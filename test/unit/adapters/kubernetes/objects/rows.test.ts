import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { KindRows } from '../../../../../src/adapters/kubernetes/objects/kind-rows.ts'
import {
  type RowCaches,
  rowOf,
  Shown,
  treeCache,
} from '../../../../../src/adapters/kubernetes/objects/rows.ts'
import { SharedTexts } from '../../../../../src/adapters/kubernetes/objects/shared-texts.ts'
import type { KubeObject, ObjectRow } from '../../../../../src/adapters/kubernetes/objects/types.ts'

const identity = { resource: 'pods', namespace: 'default', name: 'web', incarnation: 1 }

function caches(): RowCaches {
  return { trees: treeCache(), texts: new SharedTexts() }
}

function shown(object: KubeObject, cache: RowCaches = caches()): Shown {
  return new Shown(identity, object, cache, false)
}

function textOf(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString()
}

/** Which fields somebody owns: short ones, and such as are worth sharing. */
const fields = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(fc.string({ unit: 'grapheme' }), fc.constant({}), { minKeys: 20 }),
)

const owner = fc.oneof(
  fc.dictionary(fc.string(), fc.jsonValue()),
  fc.record(
    { manager: fc.string({ unit: 'grapheme' }), fieldsV1: fields, time: fc.constant('now') },
    { requiredKeys: ['fieldsV1'] },
  ),
)

const objects = fc.record({
  apiVersion: fc.constant('v1'),
  kind: fc.constant('Pod'),
  metadata: fc.record(
    {
      name: fc.constant('web'),
      labels: fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
      managedFields: fc.oneof(fc.array(owner), fc.jsonValue()),
    },
    { requiredKeys: ['name'] },
  ),
  spec: fc.jsonValue(),
  status: fc.option(fc.jsonValue(), { nil: undefined }),
})

describe('an object as text', () => {
  test('says what the object says, whole and in parts, whatever characters it has', () => {
    fc.assert(
      fc.property(objects, (given) => {
        const object = given as unknown as KubeObject
        const plain = JSON.parse(JSON.stringify(object)) as KubeObject
        const row = shown(object)
        const { managedFields: _, ...metadata } = plain.metadata
        expect(JSON.parse(textOf(row.parts))).toEqual(plain)
        expect(textOf(rowOf(object).parts)).toBe(textOf(row.parts))
        expect(row.size).toBe(Buffer.concat(row.parts).length)
        expect(row.lean).toEqual({ ...plain, metadata })
        expect(row.head).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata })
        expect(JSON.parse(textOf(row.metadataParts))).toEqual(plain.metadata)
        expect(row.object).toEqual(plain)
      }),
    )
  })

  test('is frozen where it is looked at, and a field named __proto__ is a field', () => {
    const text = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"__proto__":{"a":1}}'
    const row = shown(JSON.parse(text) as KubeObject)
    expect(textOf(row.parts)).toBe(text)
    expect(Object.isFrozen(row.object.metadata)).toBe(true)
    expect(Object.keys(row.object)).toContain('__proto__')
  })

  test('has no field before its owners, or no owners', () => {
    const owners = [{ manager: 'm' }]
    const only = { apiVersion: 'v1', kind: 'X', metadata: { managedFields: owners } }
    expect(shown(only as unknown as KubeObject).lean).toEqual({ ...only, metadata: {} })
    const row = rowOf({ apiVersion: 'v1', kind: 'X', metadata: { name: 'a' } })
    expect(textOf(row.parts)).toBe('{"apiVersion":"v1","kind":"X","metadata":{"name":"a"}}')
  })
})

describe('which fields somebody owns', () => {
  const owned = (name: string, key: string, letters = 200): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        managedFields: [
          { manager: 'a', fieldsV1: { [`f:${key}`]: 'x'.repeat(letters) }, time: name },
          { manager: 'b', fieldsV1: { [`f:${key}`]: 'y'.repeat(letters) } },
        ],
      },
    }) as unknown as KubeObject

  const inBoth = (a: ObjectRow, b: ObjectRow): number =>
    a.parts.filter((part) => b.parts.includes(part)).length

  test('is kept once for all objects that were made alike', () => {
    const cache = caches()
    const [a, b] = [shown(owned('a', 'é'), cache), shown(owned('b', 'é'), cache)]
    expect(inBoth(a, b)).toBe(2)
    expect(textOf(a.parts)).toBe(JSON.stringify(owned('a', 'é')))
    expect(textOf(b.metadataParts)).toBe(JSON.stringify(owned('b', 'é').metadata))
    expect(inBoth(a, shown(owned('c', 'other'), cache))).toBe(0)
    expect(inBoth(shown(owned('a', 's', 9), cache), shown(owned('b', 's', 9), cache))).toBe(0)
  })

  test('is found again while it is used, and forgotten when much else came', () => {
    const cache = caches()
    const [kept, left] = [shown(owned('a', 'kept'), cache), shown(owned('a', 'left'), cache)]
    for (let count = 0; count < 2_000; count += 1) {
      shown(owned('b', `m${count}`), cache)
      expect(inBoth(kept, shown(owned('b', 'kept'), cache))).toBe(2)
    }
    const again = shown(owned('a', 'left'), cache)
    expect(inBoth(left, again)).toBe(0)
    expect(textOf(again.parts)).toBe(textOf(left.parts))
  })
})

describe('trees', () => {
  const large = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { text: 'x'.repeat(100_000) },
  })

  test('are kept while they are looked at, and others go', () => {
    const cache = caches()
    const [kept, other] = [shown(large('kept'), cache), shown(large('other'), cache)]
    const [tree, forgotten] = [kept.object, other.object]
    for (let count = 0; count < 100; count += 1) {
      expect(kept.object).toBe(tree)
      expect(shown(large(`m${count}`), cache).object.metadata.name).toBe(`m${count}`)
    }
    expect(other.object).not.toBe(forgotten)
    expect(other.object).toEqual(forgotten)
  })

  test('of objects that are dropped are gone', () => {
    const cache = caches()
    const row = shown(large('a'), cache)
    const { object } = row
    cache.trees.drop(row)
    expect(cache.trees.get(row)).toBeUndefined()
    expect(object.metadata.name).toBe('a')
  })
})

describe('the objects of a kind', () => {
  test('are listed in order, those of a namespace or all, whatever came and went', () => {
    const names = fc.array(
      fc.record({
        namespace: fc.constantFrom('a', 'a-b', 'b'),
        name: fc.constantFrom('x', 'x-1', 'y', 'z'),
        goes: fc.boolean(),
      }),
    )
    fc.assert(
      fc.property(names, (steps) => {
        const rows = new KindRows('pods')
        const model = new Map<string, { readonly namespace: string; readonly name: string }>()
        for (const { namespace, name, goes } of steps) {
          const key = `pods/${namespace}/${name}`
          if (goes) rows.delete(key)
          else rows.set(key, shownAs(namespace, name))
          if (goes) model.delete(key)
          else model.set(key, { namespace, name })
        }
        const sorted = [...model.keys()].sort().map((key) => model.get(key))
        const listed = (namespace?: string) =>
          rows.list(namespace).map((row) => ({ namespace: row.namespace, name: row.name }))
        expect(listed()).toEqual(sorted)
        expect(listed('a')).toEqual(sorted.filter((row) => row?.namespace === 'a'))
      }),
    )
  })
})

function shownAs(namespace: string, name: string): Shown {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } }
  return new Shown({ ...identity, namespace, name }, object, caches(), false)
}
