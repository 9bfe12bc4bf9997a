import { expect, test } from 'vitest'

import {
  builtinResources,
  type KubeObject,
  type Resource,
} from '../../../../../src/adapters/kubernetes/objects/index.ts'
import { assemble, shownParts } from '../../../../../src/adapters/kubernetes/objects/parts.ts'
import type { StoredEntry } from '../../../../../src/index.ts'
import { openTestReplica, openTestStore } from '../../../../support/fleet.ts'

const POD = { resource: 'pods', namespace: 'default', name: 'web' }

function owner(manager: string, subresource?: string): Record<string, string> {
  const time = '2026-01-02T03:04:05Z'
  return { manager, operation: 'Update', time, ...(subresource ? { subresource } : {}) }
}

function pod(managedFields: readonly object[], status?: object): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' }, managedFields },
    spec: { nodeName: 'edge-1', containers: [{ name: 'c', image: 'i' }] },
    ...(status === undefined ? {} : { status }),
  } as unknown as KubeObject
}

function kind(id: string): Resource {
  const found = builtinResources.find((resource) => resource.id === id)
  if (found === undefined) throw new Error(`no ${id}`)
  return found
}

test.each([
  ['no status', pod([owner('a')])],
  ['a status', pod([owner('a')], { phase: 'Running' })],
  ['owners of both parts', pod([owner('a'), owner('b', 'status'), owner('c')], { phase: 'X' })],
  ['no owners', pod([])],
])('an object with %s is made again of the parts that it shows', (_, object) => {
  const resource = kind('pods')
  const derived = { key: POD, uid: 'u', resourceVersion: 7 }
  const { desired, observed } = shownParts(resource, object)
  const first = assemble(resource, desired, observed, derived)
  const parts = shownParts(resource, first)
  expect(assemble(resource, parts.desired, parts.observed, derived)).toEqual(first)
  expect(first['status']).toEqual(object['status'])
  expect(first.metadata['managedFields'] ?? []).toEqual(object.metadata['managedFields'])
})

test('owners of a status belong to the object where it has no status of its own', () => {
  const resource = kind('configmaps')
  const object = pod([owner('a', 'status')])
  const { desired } = shownParts(resource, object)
  expect(desired).toEqual(object)
})

test('both parts of a new object share an append, and it is told of once', async () => {
  const replica = await openTestReplica()
  const store = await openTestStore(replica)
  const appended: (readonly StoredEntry[])[] = []
  replica.onAppended((entries) => appended.push(entries))
  const told: string[] = []
  store.watch('pods', {}, ({ type, object }) =>
    told.push(`${type} ${JSON.stringify(object['status'])}`),
  )
  await store.create(pod([], { phase: 'Pending' }))
  const events = appended.map((entries) => entries.filter(({ kind }) => kind === 'event'))
  const documents = events.map((entries) => new Set(entries.map(({ document }) => document)))
  expect(documents).toEqual([
    new Set(['pods/default/web/1/observed', 'pods/default/web/1/desired']),
  ])
  expect(told).toEqual(['ADDED {"phase":"Pending"}'])
  await store.close()
  await replica.close()
})

test('after edits of either part an object is what its documents say', async () => {
  const replica = await openTestReplica()
  const store = await openTestStore(replica)
  await store.create(pod([owner('a')]))
  const edits = [
    (now: KubeObject) => ({ ...now, status: { phase: 'Pending' } }),
    (now: KubeObject) => ({ ...now, spec: { ...(now['spec'] as object), priority: 3 } }),
    (now: KubeObject) => pod([owner('z'), owner('b', 'status')], now['status'] as object),
    (now: KubeObject) => ({ ...now, status: { phase: 'Running', podIP: '10.0.0.1' } }),
    (now: KubeObject) => pod([owner('a')], now['status'] as object),
    (now: KubeObject) => pod([owner('y'), owner('a')], now['status'] as object),
  ]
  for (const edit of edits) {
    const shown = await store.update(POD, (now) => edit(now) as KubeObject, { part: 'both' })
    // Another store reads both documents anew.
    const other = await openTestStore(replica)
    expect(other.get(POD)).toEqual(shown)
    await other.close()
  }
  expect(store.get(POD)).toMatchObject({ status: { phase: 'Running', podIP: '10.0.0.1' } })
  await store.close()
  await replica.close()
})
