import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import type {
  JsonObject,
  KubeObject,
  ObjectKey,
  OpenObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Controller,
  createGarbageCollector,
  createVolumeProtection,
} from '../../../../../src/adapters/kubernetes/controllers/index.ts'
import { openTestReplica, openTestStore } from '../../../../support/fleet.ts'
import { untilGone, untilShown } from '../../../../support/until-shown.ts'

let replica: Replica
let store: OpenObjectStore
let running: Controller[] = []
const parts = (): Parameters<typeof createGarbageCollector>[0] => ({
  store,
  clock: systemClock,
  random: systemRandom,
  logger: consoleLogger('silent'),
})
beforeEach(async () => {
  replica = await openTestReplica()
  store = await openTestStore(replica)
})
afterEach(async () => {
  for (const controller of running) await controller.close()
  running = []
  await store.close()
  await replica.close()
})

const map = (name: string): ObjectKey => ({ resource: 'configmaps', namespace: 'team', name })
const referTo = (owner: KubeObject, more: JsonObject = {}): JsonObject => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  ...more,
})
const make = (
  name: string,
  owners: readonly JsonObject[] = [],
  finalizers: readonly string[] = [],
): Promise<KubeObject> =>
  store.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'team',
      ...(owners.length === 0 ? {} : { ownerReferences: owners }),
      ...(finalizers.length === 0 ? {} : { finalizers }),
    },
  })
const release = (key: ObjectKey): Promise<KubeObject> =>
  store.update(key, (object) => ({ ...object, metadata: { ...object.metadata, finalizers: [] } }), {
    part: 'desired',
  })

describe('the garbage collector', () => {
  test('deletes what belongs to what was deleted, down to the last', async () => {
    running.push(createGarbageCollector(parts()))
    const top = await make('top')
    const middle = await make('middle', [referTo(top)])
    await make('bottom', [referTo(middle)])
    await make('free')
    await store.delete(map('top'))
    await untilGone(store, map('bottom'))
    expect(store.list('configmaps').items.map(({ metadata }) => metadata.name)).toEqual(['free'])
  })

  test('takes up what was left before it started', async () => {
    const top = await make('top')
    await make('left', [referTo(top)])
    await store.delete(map('top'))
    running.push(createGarbageCollector(parts()))
    await untilGone(store, map('left'))
  })

  test('keeps what has another owner, without the one that is gone', async () => {
    running.push(createGarbageCollector(parts()))
    const [one, two] = [await make('one'), await make('two')]
    await make('shared', [referTo(one), referTo(two)])
    await store.delete(map('one'))
    const kept = await untilShown(store, map('shared'), ({ metadata }) =>
      (metadata.ownerReferences ?? []).every(({ name }) => name === 'two'),
    )
    expect(kept.metadata.ownerReferences).toEqual([referTo(two)])
  })

  test('leaves the dependents of an orphaning owner, without it', async () => {
    running.push(createGarbageCollector(parts()))
    const top = await make('top')
    await make('left', [referTo(top)])
    const asked = await store.delete(map('top'), { propagation: 'Orphan' })
    expect(asked.metadata.finalizers).toEqual(['orphan'])
    await untilGone(store, map('top'))
    expect(store.get(map('left'))?.metadata.ownerReferences ?? []).toEqual([])
  })

  test('lets an owner go after the dependents that block it', async () => {
    running.push(createGarbageCollector(parts()))
    const top = await make('top')
    await make('held', [referTo(top, { blockOwnerDeletion: true })], ['test.io/hold'])
    await make('free', [referTo(top)], ['test.io/hold'])
    await store.delete(map('top'), { propagation: 'Foreground' })
    const isLeaving = ({ metadata }: KubeObject): boolean =>
      metadata.deletionTimestamp !== undefined
    await untilShown(store, map('held'), isLeaving)
    await untilShown(store, map('free'), isLeaving)
    expect(store.get(map('top'))).toBeDefined()
    await release(map('held'))
    await untilGone(store, map('top'))
    expect(store.get(map('free'))).toBeDefined()
    await release(map('free'))
    await untilGone(store, map('free'))
  })

  test('ends a circle whose members wait for each other', async () => {
    running.push(createGarbageCollector(parts()))
    const one = await make('one')
    const two = await make('two', [referTo(one, { blockOwnerDeletion: true })])
    await store.update(
      map('one'),
      (object) => ({
        ...object,
        metadata: {
          ...object.metadata,
          ownerReferences: [referTo(two, { blockOwnerDeletion: true })],
        },
      }),
      { part: 'desired' },
    )
    await store.delete(map('one'), { propagation: 'Foreground' })
    await untilGone(store, map('one'))
    await untilGone(store, map('two'))
  })

  test('leaves alone what belongs to an owner that is not here yet, or of a kind that is not served', async () => {
    running.push(createGarbageCollector(parts()))
    // The same fleet on another replica: an object made there has the uid that it will have here.
    const [elsewhere, there] = await open()
    const coming = await there.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'coming', namespace: 'team' },
    })
    const widget = { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'u' }
    await make('early', [referTo(coming)])
    await make('strange', [widget])
    await make('wrong', [{ ...referTo(coming), uid: '00000000-0000-8000-8000-000000000000' }])
    // No object of this name can ever have that uid.
    await untilGone(store, map('wrong'))
    expect(store.get(map('early'))?.metadata.deletionTimestamp).toBeUndefined()
    expect(store.get(map('strange'))?.metadata.deletionTimestamp).toBeUndefined()
    await make('coming')
    await store.delete(map('coming'))
    await untilGone(store, map('early'))
    await there.close()
    await elsewhere.close()
  })

  test('two of them do no harm to each other', async () => {
    running.push(createGarbageCollector(parts()), createGarbageCollector(parts()))
    const top = await make('top')
    for (let i = 0; i < 10; i += 1) {
      const owner = await make(`middle-${i}`, [referTo(top, { blockOwnerDeletion: true })])
      await make(`bottom-${i}`, [referTo(owner, { blockOwnerDeletion: true })])
    }
    await store.delete(map('top'), { propagation: 'Foreground' })
    await untilGone(store, map('top'))
    expect(store.list('configmaps').items).toEqual([])
  })
})

async function open(): Promise<readonly [Replica, OpenObjectStore]> {
  const other = await openTestReplica()
  return [other, await openTestStore(other)]
}

describe('the protection of volumes', () => {
  const claim: ObjectKey = { resource: 'persistentvolumeclaims', namespace: 'team', name: 'data' }
  const volume: ObjectKey = { resource: 'persistentvolumes', name: 'disk' }
  const makeBoth = async (): Promise<void> => {
    await store.create({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'disk', finalizers: ['kubernetes.io/pv-protection'] },
      spec: {},
    })
    await store.create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'team', finalizers: ['kubernetes.io/pvc-protection'] },
      spec: { volumeName: 'disk' },
    })
  }

  test('lets go what nobody uses', async () => {
    running.push(createVolumeProtection(parts()))
    await makeBoth()
    await store.delete(claim)
    await store.delete(volume)
    await untilGone(store, claim)
    await untilGone(store, volume)
  })

  test('waits for the pod that a node runs with a claim, and for the claim that is bound', async () => {
    await makeBoth()
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }]
    const metadata = { name: 'user', namespace: 'team' }
    const pod: ObjectKey = { resource: 'pods', namespace: 'team', name: 'user' }
    await store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: { nodeName: 'edge-1', volumes },
    })
    await store.delete(claim)
    await store.delete(volume)
    // Also what was being deleted before it started.
    running.push(createVolumeProtection(parts()))
    await store.create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'free', namespace: 'team', finalizers: ['kubernetes.io/pvc-protection'] },
      spec: {},
    })
    await store.delete({ ...claim, name: 'free' })
    await untilGone(store, { ...claim, name: 'free' })
    expect(store.get(claim)).toBeDefined()
    expect(store.get(volume)).toBeDefined()
    await store.delete(pod, { gracePeriodSeconds: 0 })
    await untilGone(store, claim)
    await untilGone(store, volume)
  })
})
