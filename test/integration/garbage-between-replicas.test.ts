import {
  consoleLogger,
  grants,
  type Replica,
  systemClock,
  systemRandom,
  type Uplink,
} from 'tideway'
import { type Controller, createGarbageCollector } from 'tideway/adapters/kubernetes/controllers'
import {
  homeOf,
  type KubeObject,
  type ObjectKey,
  type OpenObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { MemoryHub } from 'tideway/transports/memory'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestReplica, openTestStore } from '../support/fleet.ts'
import { untilGone, untilShown } from '../support/until-shown.ts'

const ALL = { read: ['*'], write: ['*'] }
const COLLECTIONS = ['namespace/default', 'node/edge']

interface Side {
  readonly replica: Replica
  readonly store: OpenObjectStore
  readonly garbage: Controller
}

let cloud: Side
let edge: Side
let hub: MemoryHub
let link: Uplink | undefined
beforeEach(async () => {
  hub = new MemoryHub()
  cloud = await open('cloud', () => true)
  // A node collects what is its own.
  edge = await open('edge', (resource, object) => homeOf(resource, object) === 'node/edge')
  cloud.replica.serve(hub.listen('memory:cloud'))
})
afterEach(async () => {
  await link?.close()
  link = undefined
  for (const { garbage, store, replica } of [edge, cloud]) {
    await garbage.close()
    await store.close()
    await replica.close()
  }
})

async function open(
  name: string,
  runs: (resource: string, object: KubeObject) => boolean,
): Promise<Side> {
  const replica = await openTestReplica({
    name,
    policy: grants(name === 'cloud' ? { edge: ALL } : { cloud: ALL }),
  })
  const store = await openTestStore(replica, { moves: name === 'cloud' })
  const parts = { store, clock: systemClock, random: systemRandom, logger: consoleLogger('silent') }
  return { replica, store, garbage: createGarbageCollector({ ...parts, runs }) }
}

function connect(): void {
  const transport = hub.transport({ principal: 'edge' })
  link = edge.replica.connect({ transport, address: 'memory:cloud', collections: COLLECTIONS })
}
async function cut(): Promise<void> {
  await link?.close()
  link = undefined
}

const set: ObjectKey = { resource: 'replicasets.apps', namespace: 'default', name: 'web' }
const pod = (name: string): ObjectKey => ({ resource: 'pods', namespace: 'default', name })

/** A replica set that the node runs, or, without a node, the cloud. */
const makeSet = ({ store }: Side, node?: string): Promise<KubeObject> =>
  store.create({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default' },
    spec: { template: { spec: node === undefined ? {} : { nodeName: node } } },
  })
const makePod = ({ store }: Side, name: string, owner: KubeObject): Promise<KubeObject> => {
  const { apiVersion, kind, metadata } = owner
  const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true }
  return store.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      ownerReferences: [{ ...reference, blockOwnerDeletion: true }],
    },
    // It goes at once: nothing runs it.
    spec: { nodeName: 'edge', terminationGracePeriodSeconds: 0, containers: [] },
  })
}

test('what was made at a node for an owner that was deleted meanwhile goes when both meet', async () => {
  connect()
  const owner = await makeSet(cloud)
  await untilShown(edge.store, set)
  await cut()
  await makePod(edge, 'late', owner)
  await cloud.store.delete(set)
  connect()
  await untilGone(edge.store, set)
  await untilGone(edge.store, pod('late'))
  await untilGone(cloud.store, pod('late'))
})

test('a node collects what is its own while it is cut off', async () => {
  const owner = await makeSet(edge, 'edge')
  await makePod(edge, 'one', owner)
  await edge.store.delete(set, { propagation: 'Foreground' })
  await untilGone(edge.store, set)
  expect(edge.store.get(pod('one'))).toBeUndefined()
  connect()
  await edge.store.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'last', namespace: 'default' },
  })
  await untilShown(cloud.store, { resource: 'configmaps', namespace: 'default', name: 'last' })
  expect(cloud.store.get(set)).toBeUndefined()
  expect(cloud.store.get(pod('one'))).toBeUndefined()
})

test('what arrives before its owner stays, and both stay when it comes', async () => {
  const owner = await makeSet(edge, 'edge')
  await makePod(edge, 'early', owner)
  // The set is in a collection that the cloud gets with the pods; what is made last arrives last.
  connect()
  await untilShown(cloud.store, pod('early'))
  await untilShown(cloud.store, set)
  await makePod(edge, 'second', owner)
  await untilShown(cloud.store, pod('second'))
  expect(cloud.store.get(pod('early'))?.metadata.deletionTimestamp).toBeUndefined()
})

test('orphaned at the cloud while the node is cut off: its pods stay, with no owner', async () => {
  connect()
  const owner = await makeSet(cloud)
  await untilShown(edge.store, set)
  await makePod(edge, 'one', owner)
  await untilShown(cloud.store, pod('one'))
  await cut()
  await cloud.store.delete(set, { propagation: 'Orphan' })
  await untilGone(cloud.store, set)
  connect()
  await untilGone(edge.store, set)
  const kept = await untilShown(edge.store, pod('one'))
  expect(kept.metadata.ownerReferences ?? []).toEqual([])
  expect(kept.metadata.deletionTimestamp).toBeUndefined()
})
