import fc from 'fast-check'
import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import { type Controller, createGarbageCollector } from 'tideway/adapters/kubernetes/controllers'
import type {
  JsonObject,
  KubeObject,
  ObjectKey,
  OpenObjectStore,
  Propagation,
} from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestReplica, openTestStore } from '../support/fleet.ts'

/** A graph of objects, each with owners among those before it, and which of them are deleted, how. */
interface Graph {
  /** For each object: the numbers of its owners, and whether they are to wait for it. */
  readonly owners: readonly (readonly { readonly of: number; readonly blocks: boolean }[])[]
  readonly deletions: readonly { readonly of: number; readonly propagation: Propagation }[]
}

const OBJECTS_MAX = 9

const graphs: fc.Arbitrary<Graph> = fc.integer({ min: 1, max: OBJECTS_MAX }).chain((count) => {
  const number = fc.nat({ max: count - 1 })
  const owner = fc.record({ of: number, blocks: fc.boolean() })
  const owners = fc.array(fc.uniqueArray(owner, { maxLength: 3, selector: ({ of }) => of }), {
    minLength: count,
    maxLength: count,
  })
  const propagation = fc.constantFrom<Propagation>('Foreground', 'Background', 'Orphan')
  return fc.record({
    // Nobody owns himself or what is older: a circle is a case of its own.
    owners: owners.map((all) => all.map((list, own) => list.filter(({ of }) => of < own))),
    deletions: fc.uniqueArray(fc.record({ of: number, propagation }), {
      maxLength: count,
      selector: ({ of }) => of,
    }),
  })
})

/**
 * What is left of a graph when one deletion after another has come to its end: what is deleted goes; with
 * Orphan those that it owned lose it, otherwise who loses his last owner by it goes too.
 */
function model({ owners, deletions }: Graph): ReadonlyMap<number, ReadonlySet<number>> {
  const left = new Map(owners.map((list, own) => [own, new Set(list.map(({ of }) => of))]))
  const remove = (own: number, cascades: boolean): void => {
    if (!left.delete(own)) return
    for (const [other, of] of left) {
      if (of.delete(own) && of.size === 0 && cascades) remove(other, true)
    }
  }
  for (const { of, propagation } of deletions) remove(of, propagation !== 'Orphan')
  return left
}

let replica: Replica
let store: OpenObjectStore
let collectors: readonly Controller[] = []
beforeAll(async () => {
  replica = await openTestReplica()
  store = await openTestStore(replica)
  const parts = {
    store,
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('silent'),
  }
  // Two, as when the cloud and a node look at the same objects.
  collectors = [createGarbageCollector(parts), createGarbageCollector(parts)]
})
afterAll(async () => {
  for (const collector of collectors) await collector.close()
  await store.close()
  await replica.close()
})

let runs = 0

test('what is left of any graph of owners is what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async (graph) => {
      runs += 1
      const namespace = `run-${runs}`
      const uids = await build(namespace, graph)
      const seen = (): unknown =>
        store.list('configmaps', namespace).items.map((object) => ({
          name: object.metadata.name,
          owners: namesOf(object),
        }))
      const rest = { owners: graph.owners, deletions: [] as Graph['deletions'][number][] }
      for (const deletion of graph.deletions) {
        rest.deletions.push(deletion)
        const key = keyOf(namespace, deletion.of)
        if (store.get(key)?.metadata.uid === uids[deletion.of])
          await store.delete(key, { propagation: deletion.propagation })
        const wanted = [...model(rest)].map(([own, of]) => ({
          name: nameOf(own),
          owners: [...of].map(nameOf).sort(),
        }))
        await untilEqual(seen, wanted)
      }
    }),
    { numRuns: 25 },
  )
})

const nameOf = (number: number): string => `object-${number}`
const keyOf = (namespace: string, number: number): ObjectKey => ({
  resource: 'configmaps',
  namespace,
  name: nameOf(number),
})

async function build(namespace: string, { owners }: Graph): Promise<readonly string[]> {
  const uids: string[] = []
  for (const [own, list] of owners.entries()) {
    const references = list.map(
      ({ of, blocks }): JsonObject => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name: nameOf(of),
        uid: uids[of],
        blockOwnerDeletion: blocks,
      }),
    )
    const made = await store.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: nameOf(own),
        namespace,
        ...(references.length === 0 ? {} : { ownerReferences: references }),
      },
    })
    uids.push(made.metadata.uid ?? '')
  }
  return uids
}

/** The owners that an object names and that are there. */
function namesOf(object: KubeObject): readonly string[] {
  return (object.metadata.ownerReferences ?? []).map(({ name }) => String(name)).sort()
}

/** Looks again after each change, until nothing changes any more. */
async function untilEqual(seen: () => unknown, wanted: unknown): Promise<void> {
  const isEqual = (): boolean => JSON.stringify(seen()) === JSON.stringify(wanted)
  if (isEqual()) return
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (!isEqual()) return
      cancel()
      clearTimeout(timer)
      resolve()
    }
    const cancel = store.watch('configmaps', {}, () => queueMicrotask(look))
    const timer = setTimeout(() => {
      cancel()
      resolve()
    }, SETTLED_MS)
  })
  expect(seen()).toEqual(wanted)
}

/** Longer than a graph takes on a busy machine. */
const SETTLED_MS = 20_000
