import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type Controller,
  createGarbageCollector,
  createNodeLifecycle,
  createReplicaSetController,
  createScheduler,
} from '../../../../../src/adapters/kubernetes/controllers/index.ts'
import type {
  KubeObject,
  OpenObjectStore,
} from '../../../../../src/adapters/kubernetes/objects/index.ts'
import { mapsAt } from '../../../../../src/adapters/kubernetes/objects/read.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'

let replica: Replica
let store: OpenObjectStore
const running: Controller[] = []
const base = () => ({
  store,
  clock: systemClock,
  random: systemRandom,
  logger: consoleLogger('silent'),
})

beforeEach(async () => {
  replica = await openTestReplica({ name: 'cloud' })
  store = await openTestStore(replica)
})

afterEach(async () => {
  for (const controller of running.splice(0)) await controller.close()
  await store.close()
  await replica.close()
})

async function addNode(name: string, ready = 'True'): Promise<void> {
  await store.create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { conditions: [{ type: 'Ready', status: ready }], allocatable: { pods: '10' } },
  })
}

function podNamed(name: string, spec: Record<string, unknown> = {}): KubeObject {
  const containers = [{ name: 'c', image: 'none' }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers, ...spec },
  } as KubeObject
}

function replicaSet(name: string, replicas: number, nodeName?: string): KubeObject {
  const labels = { app: name }
  const spec = {
    containers: [{ name: 'c', image: 'none' }],
    ...(nodeName === undefined ? {} : { nodeName }),
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  } as KubeObject
}

const podKey = (name: string) => ({ resource: 'pods', namespace: 'default', name })
const nodeNameOf = (name: string) =>
  (store.get(podKey(name))?.['spec'] as { nodeName?: string } | undefined)?.nodeName
const activePods = () =>
  store.list('pods').items.filter((pod) => pod.metadata.deletionTimestamp === undefined)

test('the scheduler spreads pods over nodes, and moves them to the collection of their node', async () => {
  await addNode('a')
  await addNode('b')
  running.push(createScheduler(base()))
  for (const name of ['p1', 'p2', 'p3', 'p4']) await store.create(podNamed(name))
  await eventually(() => ['p1', 'p2', 'p3', 'p4'].every((name) => nodeNameOf(name) !== undefined))
  const nodes = ['p1', 'p2', 'p3', 'p4'].map(nodeNameOf).sort()
  expect(nodes).toEqual(['a', 'a', 'b', 'b'])
  const record = await replica.record('pods/default/p1/1/desired')
  expect(record?.collection).toBe(`node/${nodeNameOf('p1')}`)
})

test('a pod that fits nowhere says why, and is bound when a node appears', async () => {
  running.push(createScheduler(base()))
  await store.create(podNamed('p'))
  const conditions = await eventually(
    () =>
      (store.get(podKey('p'))?.['status'] as { conditions?: readonly unknown[] } | undefined)
        ?.conditions,
  )
  expect(conditions).toEqual([
    expect.objectContaining({ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }),
  ])
  await addNode('late')
  await eventually(() => nodeNameOf('p') === 'late')
})

test('a pod that names its scheduler is left to it', async () => {
  await addNode('a')
  running.push(createScheduler(base()))
  await store.create(podNamed('mine', { schedulerName: 'other' }))
  await store.create(podNamed('p'))
  await eventually(() => nodeNameOf('p') === 'a')
  expect(nodeNameOf('mine')).toBeUndefined()
})

test('a replica set is scaled up and down, reports its state, and leaves no pod when it goes', async () => {
  running.push(createReplicaSetController({ ...base(), runs: (node) => node === undefined }))
  running.push(createGarbageCollector(base()))
  const key = { resource: 'replicasets.apps', namespace: 'default', name: 'web' }
  await store.create(replicaSet('web', 3))
  await eventually(() => activePods().length === 3)
  await eventually(
    () => (store.get(key)?.['status'] as { replicas?: number } | undefined)?.replicas === 3,
  )
  await store.update(
    key,
    (set) => ({ ...set, spec: { ...(set['spec'] as object), replicas: 1 } }) as KubeObject,
    {
      part: 'desired',
    },
  )
  await eventually(() => activePods().length === 1)
  const [left] = activePods()
  await store.remove(podKey(left?.metadata.name ?? ''))
  await eventually(
    () => activePods().length === 1 && activePods()[0]?.metadata.name !== left?.metadata.name,
  )
  await store.delete(key)
  await eventually(() => activePods().length === 0)
})

test('a replica set whose template names a node is run by that node only', async () => {
  running.push(createReplicaSetController({ ...base(), runs: (node) => node === undefined }))
  await store.create(replicaSet('pinned', 2, 'edge-1'))
  await store.create(replicaSet('free', 1))
  await eventually(() => activePods().length === 1)
  running.push(createReplicaSetController({ ...base(), runs: (node) => node === 'edge-1' }))
  await eventually(() => activePods().length === 3)
})

test('a node that is silent too long is marked, and nothing else of it is touched', async () => {
  await addNode('quiet')
  await addNode('lively')
  const lifecycle = createNodeLifecycle({ ...base(), graceMs: 1_000 })
  running.push(lifecycle)
  const beating = setInterval(() => lifecycle.beat('lively'), 10)
  const ready = (name: string) =>
    mapsAt(store.get({ resource: 'nodes', name }), 'status', 'conditions')[0]
  try {
    await eventually(() => ready('quiet')?.['status'] === 'Unknown')
    expect(ready('lively')?.['status']).toBe('True')
    expect(ready('quiet')).toMatchObject({ type: 'Ready', reason: 'NodeStatusUnknown' })
  } finally {
    clearInterval(beating)
  }
})

test('the pods of an earlier set of the same name go, and pods of nobody are left alone', async () => {
  const key = { resource: 'replicasets.apps', namespace: 'default', name: 'web' }
  const first = await store.create(replicaSet('web', 2))
  const controller = { ...base(), runs: (node: string | undefined) => node === undefined }
  const before = createReplicaSetController(controller)
  await eventually(() => activePods().length === 2)
  await before.close()
  // Nobody looks while the set is replaced, and while somebody makes a pod with the same labels.
  await store.delete(key)
  const second = await store.create(replicaSet('web', 1))
  const bare = podNamed('bare')
  await store.create({ ...bare, metadata: { ...bare.metadata, labels: { app: 'web' } } })
  running.push(createReplicaSetController(controller), createGarbageCollector(base()))
  const owners = () =>
    activePods().map(
      (pod) => (pod.metadata.ownerReferences?.[0] as { uid?: string } | undefined)?.uid,
    )
  await eventually(() => !owners().includes(first.metadata.uid))
  await eventually(() => owners().includes(second.metadata.uid))
  expect(owners().sort()).toEqual([second.metadata.uid, undefined].sort())
})
