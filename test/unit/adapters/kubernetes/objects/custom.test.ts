import { afterEach, beforeEach, expect, test } from 'vitest'
import { homeOf } from '../../../../../src/adapters/kubernetes/objects/homes.ts'
import type { OpenObjectStore } from '../../../../../src/adapters/kubernetes/objects/object-store.ts'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import type { Replica } from '../../../../../src/core/index.ts'
import { openTestReplica, openTestStore } from '../../../../support/fleet.ts'

const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io'
const WIDGETS = 'widgets.example.com'

let replica: Replica
let store: OpenObjectStore

beforeEach(async () => {
  replica = await openTestReplica()
  store = await openTestStore(replica)
})

afterEach(async () => {
  await store.close()
  await replica.close()
})

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: { type: 'object', properties: { name: { type: 'string' } } },
        },
      },
    },
  },
}

function definition(subresources: object = { status: {} }): KubeObject {
  const names = { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' }
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: SCHEMA } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: WIDGETS },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names,
      versions: [{ ...version, subresources }],
    },
    status: {
      acceptedNames: names,
      conditions: [{ type: 'Established', status: 'True' }],
      storedVersions: ['v1'],
    },
  } as unknown as KubeObject
}

function widget(name: string, rest: object = {}): KubeObject {
  return {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name, namespace: 'default' },
    ...rest,
  } as unknown as KubeObject
}

function names(): readonly string[] {
  return store.list(WIDGETS).items.map((object) => object.metadata.name)
}

test('a kind is there as long as its definition says that it is established', async () => {
  const { status, ...waiting } = definition() as unknown as { status: object }
  await store.create(waiting as unknown as KubeObject)
  expect(store.resource(WIDGETS)).toBeUndefined()
  let changes = 0
  const stop = store.onResources(() => {
    changes += 1
  })
  const key = { resource: DEFINITIONS, name: WIDGETS }
  const say = (next: object) =>
    store.update(key, (object) => ({ ...object, status: next }) as unknown as KubeObject, {
      part: 'observed',
    })
  await say(status)
  expect(store.resource(WIDGETS)).toMatchObject({ custom: true, kind: 'Widget', status: true })
  expect(changes).toBe(1)
  await say({ ...status, note: 'the same kind' })
  expect(changes).toBe(1)
  stop()
})

test('objects go with the definition and come back with it', async () => {
  await store.create(definition())
  await store.create(widget('a', { spec: { size: 1 } }))
  const seen: string[] = []
  const stop = store.watch(WIDGETS, {}, ({ type, object }) => {
    seen.push(`${type} ${object.metadata.name}`)
  })
  await store.remove({ resource: DEFINITIONS, name: WIDGETS })
  expect(names()).toEqual([])
  expect(store.resource(WIDGETS)).toBeUndefined()
  await store.create(definition())
  expect(names()).toEqual(['a'])
  expect(seen).toEqual(['DELETED a', 'ADDED a'])
  stop()
})

test('a store that is opened again shows what it showed', async () => {
  await store.create(definition())
  const made = await store.create(widget('a', { spec: { size: 1 }, status: { ready: true } }))
  await store.close()
  store = await openTestStore(replica)
  expect(store.get({ resource: WIDGETS, namespace: 'default', name: 'a' })).toEqual(made)
})

test('an empty spec stays, and only what is asked for counts as a generation', async () => {
  await store.create(definition())
  const made = await store.create(widget('a', { spec: {} }))
  expect(made['spec']).toEqual({})
  const key = { resource: WIDGETS, namespace: 'default', name: 'a' }
  const status = await store.update(key, (object) => ({ ...object, status: { ready: true } }), {
    part: 'observed',
  })
  expect(status.metadata.generation).toBe(1)
  const asked = await store.update(key, (object) => ({ ...object, data: 1 }), { part: 'desired' })
  expect(asked.metadata.generation).toBe(2)
})

test('items of lists with keys merge: each writer adds its own', async () => {
  await store.create(definition())
  const base = await store.create(widget('a', { spec: { parts: [{ name: 'one' }] } }))
  const key = { resource: WIDGETS, namespace: 'default', name: 'a' }
  const add = (name: string) =>
    store.update(
      key,
      () => ({ ...base, spec: { parts: [{ name: 'one' }, { name }] } }) as unknown as KubeObject,
      { part: 'desired', base },
    )
  await add('two')
  const merged = await add('three')
  const { parts } = merged['spec'] as unknown as { parts: readonly { name: string }[] }
  expect(parts.map(({ name }) => name).sort()).toEqual(['one', 'three', 'two'])
})

test('they live where what their namespace shares lives', () => {
  expect(homeOf(WIDGETS, widget('a'))).toBe('namespace/default')
})
