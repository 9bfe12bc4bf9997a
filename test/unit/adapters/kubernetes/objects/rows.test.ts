import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { KindRows } from '../../../../../src/adapters/kubernetes/objects/kind-rows.ts'
import { rowOf, Shown, TreeCache } from '../../../../../src/adapters/kubernetes/objects/rows.ts'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'

const identity = { resource: 'pods', namespace: 'default', name: 'web', incarnation: 1 }

function shown(object: KubeObject, cache: TreeCache = new TreeCache()): Shown {
  return new Shown(identity, object, cache, false)
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

const objects = fc.record({
  apiVersion: fc.constant('v1'),
  kind: fc.constant('Pod'),
  metadata: fc.record(
    {
      name: fc.constant('web'),
      labels: fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
      managedFields: fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
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
        expect(JSON.parse(textOf(row.json))).toEqual(plain)
        expect(row.lean).toEqual({ ...plain, metadata })
        expect(row.head).toEqual({ apiVersion: 'v1', kind: 'Pod', metadata })
        const part = row.json.subarray(row.metadataStart, row.metadataEnd)
        expect(JSON.parse(textOf(part))).toEqual(plain.metadata)
        expect(row.object).toEqual(plain)
      }),
    )
  })

  test('is frozen where it is looked at, and a field named __proto__ is a field', () => {
    const text = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"__proto__":{"a":1}}'
    const row = shown(JSON.parse(text) as KubeObject)
    expect(textOf(row.json)).toBe(text)
    expect(Object.isFrozen(row.object.metadata)).toBe(true)
    expect(Object.keys(row.object)).toContain('__proto__')
  })

  test('has no field before its owners, or no owners', () => {
    const owners = [{ manager: 'm' }]
    const only = { apiVersion: 'v1', kind: 'X', metadata: { managedFields: owners } }
    expect(shown(only as unknown as KubeObject).lean).toEqual({ ...only, metadata: {} })
    const row = rowOf({ apiVersion: 'v1', kind: 'X', metadata: { name: 'a' } })
    expect(textOf(row.json)).toBe('{"apiVersion":"v1","kind":"X","metadata":{"name":"a"}}')
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
    const cache = new TreeCache()
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
    const cache = new TreeCache()
    const row = shown(large('a'), cache)
    const { object } = row
    cache.drop(row)
    expect(cache.get(row)).toBeUndefined()
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
  return new Shown({ ...identity, namespace, name }, object, new TreeCache(), false)
}
