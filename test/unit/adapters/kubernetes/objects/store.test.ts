import { describe, expect, test } from 'vitest'

import {
  builtinResources,
  documentKind,
  type KubeObject,
  type ObjectEvent,
  type OpenObjectStore,
  type Resource,
} from '../../../../../src/adapters/kubernetes/objects/index.ts'
import { MemoryMedium, memoryStorage } from '../../../../../src/adapters/storage/memory/index.ts'
import { grants } from '../../../../../src/core/access/policy.ts'
import type { Replica } from '../../../../../src/index.ts'
import { MemoryHub } from '../../../../../src/transports/memory/index.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'

const CM = { resource: 'configmaps', namespace: 'default', name: 'a' }
const POD = { resource: 'pods', namespace: 'default', name: 'web' }

function configMap(data: Record<string, string>, name = 'a'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data }
}

function pod(containers: readonly { name: string; image: string }[]): KubeObject {
  const spec = { nodeName: 'edge-1', containers }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default' }, spec }
}

async function place(options: Parameters<typeof openTestReplica>[0] = {}) {
  const replica = await openTestReplica(options)
  return { replica, store: await openTestStore(replica) }
}

function resourceNamed(id: string): Resource {
  const found = builtinResources.find((resource) => resource.id === id)
  if (found === undefined) throw new Error(`no resource ${id}`)
  return found
}

function record(store: OpenObjectStore, resource: string, since?: number): ObjectEvent[] {
  const events: ObjectEvent[] = []
  store.watch(resource, { since }, (event) => events.push(event))
  return events
}

const edit = (data: Record<string, string>) => (current: KubeObject) => ({ ...current, data })

describe('homes', () => {
  const bound = (current: KubeObject) =>
    ({ ...current, spec: { ...(current['spec'] as object), nodeName: 'edge-1' } }) as KubeObject
  const waiting = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  }

  test('a move that a crash interrupted is finished at the next start', async () => {
    const { replica, store } = await place()
    await store.create(waiting)
    await store.close()
    // The edit alone, as it stands in the log when the process dies before the move.
    const id = 'pods/default/web/1/desired'
    const kind = documentKind(resourceNamed('pods'), 'desired')
    const handle = await replica.open(id, { kind })
    handle.change((draft) => bound(draft as KubeObject) as never)
    await handle.durable()
    await handle.close()
    expect((await replica.record(id))?.collection).toBe('unscheduled')
    const again = await openTestStore(replica)
    expect((await replica.record(id))?.collection).toBe('node/edge-1')
    expect(again.get(POD)).toMatchObject({ spec: { nodeName: 'edge-1' } })
    await again.close()
    await replica.close()
  })

  test('where homes are not decided, an edit that would move an object is refused', async () => {
    const replica = await openTestReplica()
    const store = await openTestStore(replica, { moves: false })
    await store.create(waiting)
    await expect(store.update(POD, bound, { part: 'desired' })).rejects.toMatchObject({
      reason: 'Forbidden',
    })
    expect(store.get(POD)).not.toMatchObject({ spec: { nodeName: 'edge-1' } })
    await store.close()
    await replica.close()
  })
})

describe('one replica', () => {
  test('changes of the spec are counted, for kinds with a controller only', async () => {
    const { replica, store } = await place()
    const key = { resource: 'replicasets.apps', namespace: 'default', name: 'web' }
    const metadata = { name: 'web', namespace: 'default' }
    const set = { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata, spec: { replicas: 1 } }
    expect((await store.create(set)).metadata.generation).toBe(1)
    const labelled = await store.update(
      key,
      (current) => ({ ...current, metadata: { ...current.metadata, labels: { a: 'b' } } }),
      { part: 'desired' },
    )
    expect(labelled.metadata.generation).toBe(1)
    const scaled = await store.update(key, (current) => ({ ...current, spec: { replicas: 2 } }), {
      part: 'desired',
    })
    expect(scaled.metadata.generation).toBe(2)
    expect((await store.create(configMap({}))).metadata.generation).toBeUndefined()
    await store.close()
    await replica.close()
  })

  test('create, update, delete: as a watch from the beginning tells it', async () => {
    const { replica, store } = await place()
    const created = await store.create(configMap({ k: '1' }))
    expect(created).toMatchObject({
      metadata: { uid: expect.any(String) },
      data: { k: '1' },
    })
    const updated = await store.update(CM, edit({ k: '2' }), { part: 'desired' })
    expect(Number(updated.metadata.resourceVersion)).toBeGreaterThan(
      Number(created.metadata.resourceVersion),
    )
    expect(await store.update(CM, (current) => current, { part: 'desired' })).toBe(store.get(CM))
    await store.delete(CM)
    expect(store.get(CM)).toBeUndefined()
    const events = record(store, 'configmaps', 0)
    expect(events.map(({ type, object }) => [type, object['data']])).toEqual([
      ['ADDED', { k: '1' }],
      ['MODIFIED', { k: '2' }],
      ['DELETED', { k: '2' }],
    ])
    const versions = events.map((event) => event.resourceVersion)
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
    for (const event of events)
      expect(event.object.metadata.resourceVersion).toBe(String(event.resourceVersion))
    const later = record(store, 'configmaps', versions[0])
    expect(later.map(({ type }) => type)).toEqual(['MODIFIED', 'DELETED'])
    await expect(store.update(CM, edit({}), { part: 'desired' })).rejects.toMatchObject({
      reason: 'NotFound',
    })
    await replica.close()
  })

  test('of two updates that saw the same version one succeeds', async () => {
    const { replica, store } = await place()
    const { resourceVersion } = (await store.create(configMap({}))).metadata
    const both = await Promise.allSettled(
      ['x', 'y'].map((value) =>
        store.update(CM, edit({ k: value }), { part: 'desired', resourceVersion }),
      ),
    )
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(both[1]).toMatchObject({ reason: { reason: 'Conflict' } })
    expect(store.get(CM)?.['data']).toEqual({ k: 'x' })
    await replica.close()
  })

  test('of two creates of one name one succeeds', async () => {
    const { replica, store } = await place()
    const both = await Promise.allSettled([
      store.create(configMap({ a: '1' })),
      store.create(configMap({ b: '2' })),
    ])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(both[1]).toMatchObject({ reason: { reason: 'AlreadyExists' } })
    expect(store.get(CM)?.['data']).toEqual({ a: '1' })
    await replica.close()
  })

  test('a name that is used again is another object, also after a restart', async () => {
    const medium = new MemoryMedium()
    const first = await place({ storage: memoryStorage({ medium }) })
    const one = await first.store.create(configMap({ k: '1' }))
    await first.store.delete(CM)
    await first.store.close()
    await first.replica.close()
    const second = await place({ storage: memoryStorage({ medium }) })
    expect(second.store.list('configmaps').items).toEqual([])
    const two = await second.store.create(configMap({ k: '2' }))
    expect(two.metadata.uid).not.toBe(one.metadata.uid)
    await second.replica.close()
    const third = await place({ storage: memoryStorage({ medium }) })
    expect(third.store.get(CM)).toEqual(two)
    expect(third.store.list('configmaps').resourceVersion).toBe(third.replica.head)
    expect(() => third.store.watch('configmaps', { since: 1 }, () => undefined)).toThrow(
      expect.objectContaining({ reason: 'Expired' }),
    )
    await third.replica.close()
  })

  test('what is not durable is never shown', async () => {
    let broken = false
    const sync = () => (broken ? Promise.reject(new Error('full')) : Promise.resolve())
    const { replica, store } = await place({
      storage: memoryStorage({ medium: new MemoryMedium(), sync }),
    })
    await store.create(configMap({ k: '1' }))
    const events = record(store, 'configmaps')
    // Its projection waits for turns in which the second edit is made and fails.
    const first = store.update(CM, edit({ k: '2' }), { part: 'desired' })
    const id = 'configmaps/default/a/1/desired'
    await using handle = await replica.open<{ data: Record<string, string> }>(id)
    replica.onAppended(() => {
      if (broken) return
      broken = true
      handle.change((draft) => {
        draft.data['k'] = 'lost'
      })
    })
    await first
    await handle.durable().catch(() => undefined)
    await eventually(() => handle.value.data['k'] === '2')
    expect(events.map(({ object }) => object['data'])).toEqual([{ k: '2' }])
    expect(store.get(CM)?.['data']).toEqual({ k: '2' })
    await replica.close()
  })

  test('data keys that every JavaScript object has are keys like others', async () => {
    const { replica, store } = await place()
    const data = { constructor: '1', toString: '2', valueOf: '3' }
    await store.create(configMap({}))
    expect((await store.update(CM, edit(data), { part: 'desired' }))['data']).toEqual(data)
    const rest = { toString: '2' }
    expect((await store.update(CM, edit(rest), { part: 'desired' }))['data']).toEqual(rest)
    await expect(
      store.update(CM, edit(JSON.parse('{"__proto__":"1"}')), { part: 'desired' }),
    ).rejects.toMatchObject({ reason: 'Invalid' })
    await replica.close()
  })

  test('an object that is being deleted is not brought back by who leaves the mark out', async () => {
    const { replica, store } = await place()
    const stale = await store.create(pod([{ name: 'web', image: 'web:1' }]))
    const marked = await store.delete(POD)
    expect(marked.metadata.deletionTimestamp).toBeDefined()
    const updated = await store.update(
      POD,
      () => ({ ...stale, metadata: { ...stale.metadata, labels: { a: 'b' } } }),
      { part: 'desired' },
    )
    expect(updated.metadata.deletionTimestamp).toBe(marked.metadata.deletionTimestamp)
    await store.remove(POD)
    await store.remove(POD)
    expect(store.get(POD)).toBeUndefined()
    await replica.close()
  })

  test('a removal with an update under way: nothing comes back', async () => {
    const { replica, store } = await place()
    await store.create(configMap({ k: '1' }))
    const [update] = await Promise.allSettled([
      store.update(CM, edit({ k: '2' }), { part: 'desired' }),
      store.remove(CM),
      store.remove(CM),
    ])
    expect(update.status).toBe('fulfilled')
    expect(store.get(CM)).toBeUndefined()
    await replica.close()
  })

  test('a watcher that throws, or ends another, is no harm to the rest', async () => {
    const replica = await openTestReplica()
    const { createObjectStore, builtinResources } = await import(
      '../../../../../src/adapters/kubernetes/objects/index.ts'
    )
    const { sha256 } = await import('../../../../support/memory-log.ts')
    const errors: unknown[] = []
    const onError = (error: unknown) => errors.push(error)
    const store = await createObjectStore({
      replica,
      resources: builtinResources,
      fleet: 'f',
      sha256,
      wallMs: Date.now,
      onError,
    })
    const heard: string[] = []
    let end: () => void = () => undefined
    store.watch('configmaps', {}, () => {
      end()
      throw new Error('not ours')
    })
    end = store.watch('configmaps', {}, () => heard.push('ended'))
    store.watch('configmaps', {}, () => heard.push('last'))
    await store.create(configMap({}))
    expect(heard).toEqual(['last'])
    expect(errors).toHaveLength(1)
    await replica.close()
  })

  test.each(['a/b', '', '_'])('the name %j is refused', async (name) => {
    const { replica, store } = await place()
    await expect(store.create(configMap({}, name))).rejects.toMatchObject({ reason: 'Invalid' })
    await replica.close()
  })

  test('who an object is follows from its document, not from what a writer puts in', async () => {
    const { replica, store } = await place()
    await store.create(configMap({}))
    await using handle = await replica.open<{ metadata: Record<string, string> }>(
      'configmaps/default/a/1/desired',
    )
    handle.change((draft) => {
      draft.metadata['namespace'] = 'kube-system'
      draft.metadata['name'] = 'other'
      draft.metadata['extra'] = 'x'
    })
    await eventually(
      () => (store.get(CM)?.metadata as { extra?: string } | undefined)?.extra === 'x',
    )
    expect(store.get(CM)?.metadata).toMatchObject({ name: 'a', namespace: 'default' })
    await replica.close()
  })
})

describe('two replicas', () => {
  const collections = ['namespace/default', 'node/edge-1']
  const all = { read: ['*'], write: ['*'] }

  async function pair() {
    const hub = new MemoryHub()
    const cloud = await place({ name: 'cloud', policy: grants({ edge: all }) })
    const edge = await place({ name: 'edge', policy: grants({ cloud: all }) })
    cloud.replica.serve(hub.listen('memory:cloud'))
    const link = () =>
      edge.replica.connect({
        transport: hub.transport({ principal: 'edge' }),
        address: 'memory:cloud',
        collections,
      })
    return { cloud, edge, link }
  }

  async function close(...places: readonly { replica: Replica }[]): Promise<void> {
    for (const { replica } of places) await replica.close()
  }

  test('objects that both made while apart are one, with what both put in', async () => {
    const { cloud, edge, link } = await pair()
    await cloud.store.create({
      ...configMap({ cloud: '1' }),
      metadata: { name: 'a', namespace: 'default', finalizers: ['x/cloud'] },
    })
    await edge.store.create({
      ...configMap({ edge: '2' }),
      metadata: { name: 'a', namespace: 'default', finalizers: ['x/edge'] },
    })
    link()
    for (const { store } of [cloud, edge]) {
      await eventually(() => Object.keys(store.get(CM)?.['data'] ?? {}).length === 2)
      expect(store.get(CM)).toMatchObject({
        data: { cloud: '1', edge: '2' },
        metadata: { finalizers: ['x/cloud', 'x/edge'] },
      })
    }
    expect(edge.store.get(CM)?.metadata.uid).toBe(cloud.store.get(CM)?.metadata.uid)
    await close(edge, cloud)
  })

  test('a container that one adds and another that the other changes: both are there', async () => {
    const { cloud, edge, link } = await pair()
    await cloud.store.create(pod([{ name: 'web', image: 'web:1' }]))
    const uplink = link()
    await eventually(() => edge.store.get(POD))
    await uplink.close()
    const containers =
      (list: readonly { name: string; image: string }[]) => (current: KubeObject) => ({
        ...current,
        spec: { ...(current['spec'] as object), containers: list },
      })
    const added = [
      { name: 'side', image: 'side:1' },
      { name: 'web', image: 'web:1' },
    ]
    await cloud.store.update(POD, containers(added), { part: 'desired' })
    await edge.store.update(POD, containers([{ name: 'web', image: 'web:2' }]), { part: 'desired' })
    link()
    const merged = [
      { name: 'side', image: 'side:1' },
      { name: 'web', image: 'web:2' },
    ]
    for (const { store } of [cloud, edge]) {
      const listed = () =>
        (store.get(POD)?.['spec'] as { containers?: unknown[] } | undefined)?.containers ?? []
      await eventually(() => JSON.stringify(listed()).includes('web:2') && listed().length === 2)
      expect(listed()).toEqual(merged)
    }
    await close(edge, cloud)
  })
})
