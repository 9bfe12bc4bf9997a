import fc from 'fast-check'
import { consoleLogger, grants, type Replica, systemClock, systemRandom } from 'tideway'
import type { KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { createAddressRepair } from 'tideway/adapters/kubernetes/server'
import { MemoryHub } from 'tideway/transports/memory'
import { expect, test } from 'vitest'
import { eventually, openTestReplica, openTestStore } from '../support/fleet.ts'

const RUNS = 25
const CONVERGE_MS = 30_000
const ALL = { read: ['*'], write: ['*'] }

/** A service as it was made on one side, from so few addresses and ports that many meet. */
interface Made {
  readonly side: 0 | 1
  readonly address: number
  readonly ports: readonly number[]
}

const services: fc.Arbitrary<readonly Made[]> = fc.array(
  fc.record({
    side: fc.constantFrom<0 | 1>(0, 1),
    address: fc.nat({ max: 4 }),
    ports: fc.uniqueArray(fc.nat({ max: 5 }), { maxLength: 2 }),
  }),
  { minLength: 2, maxLength: 8 },
)

interface Place {
  readonly replica: Replica
  readonly store: OpenObjectStore
}

async function openPlace(name: 'cloud' | 'edge'): Promise<Place> {
  const policy = grants(name === 'cloud' ? { edge: ALL } : { cloud: ALL })
  const replica = await openTestReplica({ name, policy })
  return { replica, store: await openTestStore(replica) }
}

function serviceOf({ address, ports }: Made, index: number): KubeObject {
  // 0 has no address of its own, as many headless services may be.
  const clusterIP = address === 0 ? 'None' : `10.96.0.${100 + address}`
  const spec = {
    type: ports.length === 0 ? 'ClusterIP' : 'NodePort',
    clusterIP,
    clusterIPs: [clusterIP],
    ports: ports.map((port) => ({ port: 80 + port, protocol: 'TCP', nodePort: 30_100 + port })),
  }
  const metadata = { name: `service-${index}`, namespace: 'default' }
  return { apiVersion: 'v1', kind: 'Service', metadata, spec } as unknown as KubeObject
}

/** What no two services may have. */
function placesOf(service: KubeObject): readonly (string | number)[] {
  const { clusterIP = 'None', ports = [] } = service['spec'] as {
    clusterIP?: string
    ports?: { nodePort?: number }[]
  }
  const nodePorts = ports.flatMap(({ nodePort }) => (nodePort === undefined ? [] : [nodePort]))
  return clusterIP === 'None' ? nodePorts : [clusterIP, ...nodePorts]
}

const shownBy = ({ store }: Place): readonly KubeObject[] => store.list('services').items
const allPlaces = (all: readonly KubeObject[]): readonly unknown[] => all.flatMap(placesOf)

function portrait(all: readonly KubeObject[]): string {
  const texts = all.map(({ metadata, ...rest }) => JSON.stringify([metadata.uid, rest]))
  return texts.sort().join('\n')
}

function olderFirst(a: KubeObject, b: KubeObject): number {
  const age = ({ metadata }: KubeObject): string =>
    `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`
  return age(a) < age(b) ? -1 : 1
}

test('services that were made apart have addresses and ports of their own once they meet', async () => {
  await fc.assert(
    fc.asyncProperty(services, async (all) => {
      const hub = new MemoryHub()
      const [cloud, edge] = [await openPlace('cloud'), await openPlace('edge')]
      const parts = { clock: systemClock, random: systemRandom, logger: consoleLogger('silent') }
      const repair = createAddressRepair({ ...parts, store: cloud.store })
      try {
        cloud.replica.serve(hub.listen('memory:cloud'))
        for (const [index, one] of all.entries()) {
          // What is made at the cloud is repaired there at once, which is another case.
          const { store } = one.side === 0 && !meets(all, index) ? cloud : edge
          await store.create(serviceOf(one, index))
        }
        const made = [...shownBy(cloud), ...shownBy(edge)].sort(olderFirst)
        edge.replica.connect({
          transport: hub.transport({ principal: 'edge' }),
          address: 'memory:cloud',
          collections: ['namespace/default'],
        })
        await eventually(() => {
          const [here, there] = [shownBy(cloud), shownBy(edge)]
          const places = allPlaces(here)
          const isApart = new Set(places).size === places.length
          return isApart && here.length === all.length && portrait(here) === portrait(there)
        }, CONVERGE_MS)
        const taken = new Set<unknown>()
        const told = new Set(
          cloud.store
            .list('events')
            .items.map(({ involvedObject }) => (involvedObject as { name: string }).name),
        )
        for (const service of made) {
          const { name } = service.metadata
          const now = placesOf(shownBy(edge).find((one) => one.metadata.name === name) ?? service)
          const lost = placesOf(service).filter((place) => taken.has(place))
          // The oldest keeps what it has; nobody has less than before, or moves for nothing.
          for (const place of placesOf(service)) {
            expect(now.includes(place), `${name} ${place}`).toBe(!taken.has(place))
            taken.add(place)
          }
          expect(now.length).toBe(placesOf(service).length)
          if (lost.length === 0) expect(told).not.toContain(name)
          else await eventually(() => isTold(cloud, name))
        }
      } finally {
        await repair.close()
        for (const { store, replica } of [edge, cloud]) {
          await store.close()
          await replica.close()
        }
      }
    }),
    { numRuns: RUNS },
  )
}, 300_000)

/** Whether a service of the cloud would meet an earlier one of the cloud. */
function meets(all: readonly Made[], index: number): boolean {
  const own = new Set(placesOf(serviceOf(all[index] as Made, index)))
  return all.some(
    (one, other) =>
      other < index && one.side === 0 && placesOf(serviceOf(one, other)).some((at) => own.has(at)),
  )
}

function isTold({ store }: Place, name: string): boolean {
  return store
    .list('events')
    .items.some(({ involvedObject }) => (involvedObject as { name: string }).name === name)
}
