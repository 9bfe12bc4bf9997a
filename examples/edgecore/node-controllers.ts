import { type Logger, nodeCollection, systemClock, systemRandom } from 'tideway'
import {
  createGarbageCollector,
  createReplicaSetController,
} from 'tideway/adapters/kubernetes/controllers'
import { homeOf, type KubeObject, type ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { admittedStore } from 'tideway/adapters/kubernetes/server'
import type { Teardown } from '../shared/lifetime.ts'

/** What works on the objects of a node, whoever runs its pods. */
export interface NodeControllersOptions {
  readonly node: string
  readonly store: ObjectStore
  readonly logger: Logger
}

/** Starts what a node does for itself, cut off or not: its replica sets, and clearing up after itself. */
export function startNodeControllers(options: NodeControllersOptions, teardown: Teardown): void {
  const { node, store, logger } = options
  const parts = { store, clock: systemClock, random: systemRandom, logger }
  const sets = createReplicaSetController({
    ...parts,
    store: admittedStore(store, parts),
    runs: (name) => name === node,
  })
  teardown.add('replica sets', () => sets.close())
  const own = nodeCollection(node)
  const runs = (resource: string, object: KubeObject): boolean => homeOf(resource, object) === own
  const garbage = createGarbageCollector({ ...parts, runs })
  teardown.add('garbage', () => garbage.close())
}
