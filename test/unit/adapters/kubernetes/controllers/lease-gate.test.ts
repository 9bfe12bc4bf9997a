import { consoleLogger, type Replica } from 'tideway'
import type { KubeObject, ObjectKey, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type Controller,
  createLeaseGate,
} from '../../../../../src/adapters/kubernetes/controllers/index.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'
import { ManualClock } from '../../reconciler/manual-clock.ts'

let replica: Replica
let store: OpenObjectStore
let gate: Controller | undefined
let running = 0
let starts = 0
let taken = 0
const clock = new ManualClock()
beforeEach(async () => {
  replica = await openTestReplica()
  store = await openTestStore(replica)
  running = 0
  starts = 0
  taken = 0
})
afterEach(async () => {
  await gate?.close()
  expect(running).toBe(0)
  await store.close()
  await replica.close()
})

function open(): void {
  gate = createLeaseGate({
    store,
    clock,
    logger: consoleLogger('silent'),
    lease: 'kube-controller-manager',
    start: () => {
      running += 1
      starts += 1
      const close = async (): Promise<void> => {
        running -= 1
      }
      return [{ close }]
    },
    onHeld: () => {
      taken += 1
    },
  })
}

const key: ObjectKey = {
  resource: 'leases.coordination.k8s.io',
  namespace: 'kube-system',
  name: 'kube-controller-manager',
}
const take = (): Promise<KubeObject> =>
  store.create({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: key.name, namespace: 'kube-system' },
    spec: { holderIdentity: 'somebody', leaseDurationSeconds: 15, renewTime: 'now' },
  })
const edit = (fields: object): Promise<KubeObject> =>
  store.update(
    key,
    (lease) => ({ ...lease, spec: { ...(lease['spec'] as object), ...fields } }) as KubeObject,
    { part: 'desired' },
  )

test('runs while nobody holds the lease, and rests while somebody does', async () => {
  open()
  await eventually(() => running === 1)
  await take()
  await eventually(() => running === 0)
  expect(taken).toBe(1)
  await edit({ holderIdentity: '' })
  await eventually(() => running === 1)
  expect(starts).toBe(2)
})

test('waits for a lease that was held before it started, until it is old', async () => {
  await take()
  open()
  clock.advance(29_000)
  await edit({ renewTime: 'later' })
  clock.advance(29_000)
  expect(starts).toBe(0)
  clock.advance(1_000)
  await eventually(() => running === 1)
})

test('a lease that is deleted is nobody’s, and another one does not matter', async () => {
  await take()
  open()
  await store.create({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'kube-scheduler', namespace: 'kube-system' },
    spec: { holderIdentity: '' },
  })
  expect(starts).toBe(0)
  await store.delete(key)
  await eventually(() => running === 1)
})
