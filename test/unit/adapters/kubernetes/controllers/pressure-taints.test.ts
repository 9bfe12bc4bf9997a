import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  createNodeLifecycle,
  createScheduler,
} from '../../../../../src/adapters/kubernetes/controllers/index.ts'
import { withPressureTaints } from '../../../../../src/adapters/kubernetes/controllers/pressure-taints.ts'
import type {
  JsonObject,
  KubeObject,
  OpenObjectStore,
} from '../../../../../src/adapters/kubernetes/objects/index.ts'
import { mapsAt, textAt } from '../../../../../src/adapters/kubernetes/objects/read.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'

let replica: Replica
let store: OpenObjectStore

beforeEach(async () => {
  replica = await openTestReplica({ name: 'cloud' })
  store = await openTestStore(replica)
})

afterEach(async () => {
  await store.close()
  await replica.close()
})

function node(
  pressure: Readonly<Record<string, string>>,
  taints?: readonly JsonObject[],
): KubeObject {
  const conditions = Object.entries({ Ready: 'True', ...pressure }).map(([type, status]) => ({
    type,
    status,
  }))
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'edge-1' },
    spec: taints === undefined ? {} : { taints },
    status: { conditions, allocatable: { pods: '10' } },
  }
}

const keysOf = (of: KubeObject | undefined): readonly unknown[] =>
  mapsAt(of, 'spec', 'taints').map(({ key }) => key)

test('each condition brings its taint and takes it away again, those of others stay', () => {
  const own = { key: 'dedicated', value: 'x', effect: 'NoExecute' }
  const short = withPressureTaints(node({ DiskPressure: 'True', PIDPressure: 'True' }, [own]), 0)
  expect(mapsAt(short, 'spec', 'taints')).toEqual([
    own,
    {
      key: 'node.kubernetes.io/disk-pressure',
      effect: 'NoSchedule',
      timeAdded: '1970-01-01T00:00:00Z',
    },
    {
      key: 'node.kubernetes.io/pid-pressure',
      effect: 'NoSchedule',
      timeAdded: '1970-01-01T00:00:00Z',
    },
  ])
  expect(withPressureTaints(short, 5000)).toBe(short)
  const taints = mapsAt(short, 'spec', 'taints')
  const fine = withPressureTaints(
    node({ DiskPressure: 'False', PIDPressure: 'Unknown' }, taints),
    0,
  )
  expect(fine['spec']).toEqual({ taints: [own] })
  const first = withPressureTaints(node({ MemoryPressure: 'True' }), 0)
  expect(keysOf(first)).toEqual(['node.kubernetes.io/memory-pressure'])
  const none = node({})
  expect(withPressureTaints(none, 0)).toBe(none)
  const last = withPressureTaints(node({}, mapsAt(first, 'spec', 'taints')), 0)
  expect(last['spec']).toEqual({})
})

test('no pod is sent to a node under pressure, until that is over', async () => {
  const key = { resource: 'nodes', name: 'edge-1' }
  await store.create(node({ DiskPressure: 'True' }))
  const parts = { store, clock: systemClock, random: systemRandom, logger: consoleLogger('silent') }
  const lifecycle = createNodeLifecycle(parts)
  try {
    await eventually(() => keysOf(store.get(key)).length === 1)
    const scheduler = createScheduler(parts)
    const containers = [{ name: 'c', image: 'none' }]
    await store.create({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default' } },
      spec: { containers },
    })
    const pod = { resource: 'pods', namespace: 'default', name: 'web' }
    const reason = (): string => JSON.stringify(store.get(pod)?.['status'] ?? {})
    await eventually(() => reason().includes('untolerated taint'))
    await store.update(key, (old) => ({ ...old, status: node({})['status'] ?? {} }), {
      part: 'observed',
    })
    await eventually(() => textAt(store.get(pod), 'spec', 'nodeName') === 'edge-1')
    expect(keysOf(store.get(key))).toEqual([])
    await scheduler.close()
  } finally {
    await lifecycle.close()
  }
})
