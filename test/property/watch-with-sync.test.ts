import fc from 'fast-check'
import { grants, type Replica, type Uplink } from 'tideway'
import {
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type OpenObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { MemoryHub } from 'tideway/transports/memory'
import { expect, test } from 'vitest'

import { eventually, openTestReplica, openTestStore } from '../support/fleet.ts'

const RUNS = 60
const COLLECTIONS = ['namespace/default', 'node/edge']
const ALL = { read: ['*'], write: ['*'] }
const CONVERGE_MS = 20_000

/** What happens next, and at which of the two. */
interface Step {
  readonly side: 0 | 1
  readonly what:
    | 'create'
    | 'edit'
    | 'status'
    | 'delete'
    | 'link'
    | 'cut'
    | 'resume'
    | 'relist'
    | 'wait'
  readonly name: string
}

const step: fc.Arbitrary<Step> = fc.record({
  side: fc.constantFrom<0 | 1>(0, 1),
  what: fc.constantFrom<Step['what']>(
    'create',
    'create',
    'edit',
    'edit',
    'edit',
    'status',
    'delete',
    'link',
    'link',
    'cut',
    'resume',
    'resume',
    'relist',
    'wait',
  ),
  name: fc.constantFrom('a', 'b', 'c'),
})

const PODS = 'pods'
const keyOf = (name: string) => ({ resource: PODS, namespace: 'default', name })

function pod(name: string, value: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations: { value } },
    spec: { nodeName: 'edge', containers: [{ name: 'c', image: 'i' }] },
  }
}

/** Keeps what it is told, as an informer does, and checks that what it is told can be. */
class Informer {
  readonly objects = new Map<string, KubeObject>()
  #version: number
  #stop: () => void = () => undefined
  readonly #store: OpenObjectStore

  constructor(store: OpenObjectStore) {
    this.#store = store
    this.#version = 0
    this.relist()
  }

  relist(): void {
    this.#stop()
    const { items, resourceVersion } = this.#store.list(PODS)
    expect(resourceVersion).toBeGreaterThanOrEqual(this.#version)
    this.objects.clear()
    for (const object of items) this.objects.set(object.metadata.name, object)
    this.#version = resourceVersion
    this.resume()
  }

  /** Leaves and comes back where it was, as a client does whose connection broke. */
  resume(): void {
    this.#stop()
    try {
      const onProgress = (version: number): void => this.#moves(version)
      const options = { since: this.#version, onProgress }
      this.#stop = this.#store.watch(PODS, options, (event) => this.#take(event))
    } catch (error) {
      if (!(error instanceof ObjectError) || error.reason !== 'Expired') throw error
      this.relist()
    }
  }

  stop(): void {
    this.#stop()
  }

  #moves(version: number): void {
    expect(version).toBeGreaterThanOrEqual(this.#version)
    this.#version = version
  }

  #take({ type, object, resourceVersion }: ObjectEvent): void {
    expect(resourceVersion).toBeGreaterThan(this.#version)
    this.#version = resourceVersion
    const { name } = object.metadata
    const before = this.objects.get(name)
    expect(type === 'ADDED', `${type} ${name}`).toBe(before === undefined)
    if (before !== undefined && before.metadata.uid === object.metadata.uid) {
      const versions = [before, object].map((one) => Number(one.metadata.resourceVersion))
      expect(versions[1]).toBeGreaterThanOrEqual(versions[0] ?? 0)
    }
    if (type === 'DELETED') this.objects.delete(name)
    else this.objects.set(name, object)
  }
}

interface Place {
  readonly replica: Replica
  readonly store: OpenObjectStore
  readonly steady: Informer
  readonly fickle: Informer
}

async function openPlace(name: 'cloud' | 'edge'): Promise<Place> {
  const policy = grants(name === 'cloud' ? { edge: ALL } : { cloud: ALL })
  const replica = await openTestReplica({ name, policy })
  const store = await openTestStore(replica)
  return { replica, store, steady: new Informer(store), fickle: new Informer(store) }
}

async function carryOut(place: Place, { what, name }: Step, serial: number): Promise<void> {
  const { store, fickle } = place
  switch (what) {
    case 'create':
      await store.create(pod(name, `${serial}`))
      return
    case 'edit':
      await store.update(keyOf(name), () => pod(name, `${serial}`), { part: 'desired' })
      return
    case 'status': {
      const status = { phase: 'Running', message: `${serial}` }
      await store.update(keyOf(name), (now) => ({ ...now, status }), { part: 'observed' })
      return
    }
    case 'delete':
      await store.delete(keyOf(name), { gracePeriodSeconds: 0 })
      return
    case 'resume':
      return fickle.resume()
    case 'relist':
      return fickle.relist()
    case 'wait':
      await new Promise((resolve) => setTimeout(resolve, 5))
      return
    default:
      return
  }
}

/** What tells two replicas apart is left out: versions are of the replica that serves them. */
function portrait(objects: Iterable<KubeObject>): readonly string[] {
  return [...objects]
    .map(({ metadata: { resourceVersion: _, ...metadata }, ...rest }) =>
      JSON.stringify({ ...rest, metadata }),
    )
    .sort()
}

test('watchers miss nothing and versions only grow while edits arrive by sync', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const hub = new MemoryHub()
      const [cloud, edge] = [await openPlace('cloud'), await openPlace('edge')]
      const places = [cloud, edge] as const
      cloud.replica.serve(hub.listen('memory:cloud'))
      const transport = hub.transport({ principal: 'edge' })
      const link = (): Uplink =>
        edge.replica.connect({ transport, address: 'memory:cloud', collections: COLLECTIONS })
      let uplink: Uplink | undefined
      try {
        for (const [serial, one] of steps.entries()) {
          if (one.what === 'link') uplink ??= link()
          if (one.what === 'cut') {
            await uplink?.close()
            uplink = undefined
          }
          try {
            await carryOut(places[one.side], one, serial)
          } catch (error) {
            // What is there already, or not there, is refused: that is part of it.
            if (!(error instanceof ObjectError)) throw error
          }
        }
        uplink ??= link()
        await eventually(() => {
          const [here, there] = places.map(({ store }) => portrait(store.list(PODS).items).join())
          return here === there
        }, CONVERGE_MS)
        for (const { store, steady, fickle } of places) {
          const shown = store.list(PODS).items
          expect([...steady.objects.values()].sort(byName)).toEqual([...shown].sort(byName))
          expect([...fickle.objects.values()].sort(byName)).toEqual([...shown].sort(byName))
        }
      } finally {
        for (const { steady, fickle, store, replica } of places) {
          steady.stop()
          fickle.stop()
          await store.close()
          await replica.close()
        }
      }
    }),
    { numRuns: RUNS },
  )
}, 300_000)

function byName(a: KubeObject, b: KubeObject): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}
