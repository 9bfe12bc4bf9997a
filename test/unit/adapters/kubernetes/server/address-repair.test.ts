import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import type { KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { createAddressRepair } from 'tideway/adapters/kubernetes/server'
import { afterEach, beforeEach, expect, test } from 'vitest'
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

const ADDRESS = '10.96.0.77'
const make = (name: string, spec: object = {}): Promise<KubeObject> =>
  store.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'n' },
    spec: {
      type: 'NodePort',
      clusterIP: ADDRESS,
      clusterIPs: [ADDRESS],
      ports: [{ port: 80, protocol: 'TCP', nodePort: 30_080 }],
      ...spec,
    },
  } as unknown as KubeObject)
const specOf = (name: string): { clusterIP?: string; ports?: { nodePort?: number }[] } =>
  (store.get({ resource: 'services', namespace: 'n', name })?.['spec'] ?? {}) as object

test('of two services with one address and one port the younger is given others, and it is told', async () => {
  const [a, b] = [await make('a'), await make('b')]
  await make('headless', { clusterIP: 'None', clusterIPs: ['None'], type: 'ClusterIP', ports: [] })
  const ageOf = ({ metadata }: KubeObject): string =>
    `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`
  const [older, younger] = ageOf(a) < ageOf(b) ? ['a', 'b'] : ['b', 'a']
  const logger = consoleLogger('silent')
  const repair = createAddressRepair({
    store,
    clock: systemClock,
    random: systemRandom,
    logger,
  })
  const [event] = await eventually(() => {
    const found = store.list('events', 'n').items
    return found.length > 0 && found
  })
  expect(specOf(older)).toMatchObject({ clusterIP: ADDRESS, ports: [{ nodePort: 30_080 }] })
  const moved = specOf(younger)
  expect(moved.clusterIP).toMatch(/^10\./)
  expect(moved.clusterIP).not.toBe(ADDRESS)
  expect(moved).toMatchObject({ clusterIPs: [moved.clusterIP], type: 'NodePort' })
  expect(moved.ports?.[0]?.nodePort).not.toBe(30_080)
  expect(event).toMatchObject({
    reason: 'AddressReassigned',
    type: 'Warning',
    involvedObject: { kind: 'Service', name: younger },
  })
  // Also what comes later.
  await make('c', { ports: [{ port: 80, protocol: 'TCP', nodePort: 30_081 }] })
  const addresses = (): readonly unknown[] => ['a', 'b', 'c'].map((name) => specOf(name).clusterIP)
  await eventually(() => new Set(addresses()).size === 3)
  expect(specOf('c').ports).toEqual([{ port: 80, protocol: 'TCP', nodePort: 30_081 }])
  expect(specOf('headless').clusterIP).toBe('None')
  await repair.close()
})
