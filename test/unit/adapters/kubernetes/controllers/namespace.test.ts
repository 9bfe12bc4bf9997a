import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import type { KubeObject, ObjectKey, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNamespaceController } from '../../../../../src/adapters/kubernetes/controllers/namespace.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'

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

const home: ObjectKey = { resource: 'namespaces', name: 'team' }
const make = (kind: string, name: string, more: object = {}): Promise<KubeObject> =>
  store.create({
    apiVersion: 'v1',
    kind,
    metadata: { name, ...(kind === 'Namespace' ? {} : { namespace: 'team' }) },
    ...more,
  })

test('a namespace goes when its content is gone, also what waits for a finalizer', async () => {
  await make('Namespace', 'team', {
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  })
  await make('ConfigMap', 'plain')
  const metadata = { name: 'held', namespace: 'team', finalizers: ['test.io/hold'] }
  await store.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata })
  const options = {
    store,
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('silent'),
  }
  const controller = createNamespaceController(options)
  await store.delete(home)
  const held: ObjectKey = { resource: 'configmaps', namespace: 'team', name: 'held' }
  await eventually(() => store.get(held)?.metadata.deletionTimestamp)
  await eventually(() => store.list('configmaps', 'team').items.length === 1)
  expect(store.get(home)?.['status']).toMatchObject({ phase: 'Terminating' })
  const release = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, finalizers: [] },
  })
  await store.update(held, release, { part: 'desired' })
  await eventually(() => store.get(home) === undefined)
  expect(store.list('configmaps', 'team').items).toEqual([])
  await controller.close()
})

test('a namespace that was being deleted before is taken up at the start', async () => {
  await make('Namespace', 'team', { spec: { finalizers: ['kubernetes'] } })
  await make('Secret', 'left')
  await store.delete(home)
  expect(store.get(home)?.metadata.deletionTimestamp).toBeDefined()
  const options = {
    store,
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('silent'),
  }
  const controller = createNamespaceController(options)
  await eventually(() => store.get(home) === undefined)
  await controller.close()
})
