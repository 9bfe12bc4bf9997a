import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import { createDisruptionController } from 'tideway/adapters/kubernetes/controllers'
import type { KubeObject, ObjectKey, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type ScaleOf,
  withBudgetStatus,
} from '../../../../../src/adapters/kubernetes/controllers/disruption-status.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')

function budgetOf(spec: object, status: object = {}): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'n', generation: 2 },
    spec: { selector: { matchLabels: { app: 'a' } }, ...spec },
    status,
  } as KubeObject
}

function podOf(name: string, isReady = true, more: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'n',
      labels: { app: 'a' },
      ownerReferences: [{ kind: 'ReplicaSet', name: 'set', uid: 'set', controller: true }],
      ...more,
    },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  } as KubeObject
}

const scaleOf: ScaleOf = ({ name }) => (name === 'set' ? { id: 'set', replicas: 4 } : undefined)
const pods = ['p1', 'p2', 'p3', 'p4'].map((name) => podOf(name))
const statusOf = (budget: KubeObject, all = pods): unknown =>
  withBudgetStatus(budget, all, scaleOf, NOW)['status']

describe('what a budget allows', () => {
  test.each([
    ['at least two', { minAvailable: 2 }, { desiredHealthy: 2, disruptionsAllowed: 2 }],
    ['at least half', { minAvailable: '50%' }, { desiredHealthy: 2, disruptionsAllowed: 2 }],
    ['a part, rounded up', { minAvailable: '26%' }, { desiredHealthy: 2, disruptionsAllowed: 2 }],
    ['at most one away', { maxUnavailable: 1 }, { desiredHealthy: 3, disruptionsAllowed: 1 }],
    ['a part away, rounded up', { maxUnavailable: '26%' }, { disruptionsAllowed: 2 }],
    ['more than there are', { minAvailable: 9 }, { desiredHealthy: 9, disruptionsAllowed: 0 }],
  ])('%s', (_, spec, status) => {
    const counted = { currentHealthy: 4, expectedPods: 4, observedGeneration: 2, ...status }
    expect(statusOf(budgetOf(spec))).toMatchObject(counted)
  })

  test('counts pods that are ready and stay', () => {
    const going = podOf('p2', true, { deletionTimestamp: '2026-01-01T00:00:00Z' })
    const some = [podOf('p1'), going, podOf('p3', false), podOf('p4')]
    const evicted = { disruptedPods: { p4: '2025-12-31T23:59:00Z', gone: '2025-12-31T23:59:00Z' } }
    expect(statusOf(budgetOf({ minAvailable: 1 }, evicted), some)).toMatchObject({
      currentHealthy: 1,
      disruptionsAllowed: 0,
      disruptedPods: { p4: '2025-12-31T23:59:00Z' },
      conditions: [{ status: 'False', reason: 'InsufficientPods', observedGeneration: 2 }],
    })
  })

  test('an evicted pod that stays counts again after two minutes', () => {
    const late = { disruptedPods: { p1: '2025-12-31T23:57:00Z' } }
    const status = statusOf(budgetOf({ minAvailable: 1 }, late))
    expect(status).toMatchObject({ currentHealthy: 4, disruptionsAllowed: 3 })
    expect(status).not.toHaveProperty('disruptedPods')
  })

  test('nothing without pods, and nothing where it cannot be counted', () => {
    expect(statusOf(budgetOf({ minAvailable: 0 }), [])).toMatchObject({ disruptionsAllowed: 0 })
    const other = podOf('p5', true, {
      ownerReferences: [{ kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }],
    })
    const was = { disruptionsAllowed: 3, observedGeneration: 1 }
    expect(statusOf(budgetOf({ maxUnavailable: 1 }, was), [other])).toMatchObject({
      disruptionsAllowed: 0,
      conditions: [
        {
          reason: 'SyncFailed',
          message: 'found no controllers for pod "p5"',
          observedGeneration: 1,
        },
      ],
    })
  })
})

describe('the controller', () => {
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

  test('counts by what the deployment above the set of a pod wants, and anew when a pod changes', async () => {
    const key: ObjectKey = { resource: 'poddisruptionbudgets.policy', namespace: 'n', name: 'b' }
    const parent = async (
      kind: string,
      name: string,
      owners: readonly object[],
    ): Promise<object> => {
      const made = await store.create({
        apiVersion: 'apps/v1',
        kind,
        metadata: { name, namespace: 'n', ownerReferences: owners },
        spec: { replicas: kind === 'Deployment' ? 3 : 1 },
      } as unknown as KubeObject)
      return { apiVersion: 'apps/v1', kind, name, uid: made.metadata.uid, controller: true }
    }
    const deployment = await parent('Deployment', 'd', [])
    const set = await parent('ReplicaSet', 'set', [deployment])
    for (const name of ['p1', 'p2', 'p3'])
      await store.create(podOf(name, true, { ownerReferences: [set] }))
    await store.create(budgetOf({ maxUnavailable: '50%' }))
    const logger = consoleLogger('silent')
    const parts = { store, clock: systemClock, random: systemRandom, logger }
    const controller = createDisruptionController(parts)
    const allowed = (): unknown =>
      (store.get(key)?.['status'] as KubeObject)?.['disruptionsAllowed']
    await eventually(() => allowed() === 2)
    expect(store.get(key)?.['status']).toMatchObject({ expectedPods: 3, desiredHealthy: 1 })
    await store.delete({ resource: 'pods', namespace: 'n', name: 'p1' })
    await eventually(() => allowed() === 1)
    await controller.close()
  })
})
