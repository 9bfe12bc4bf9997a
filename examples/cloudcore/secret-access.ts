import type { KubeObject, ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { nodeNameOf, SECRET_USERS, secretsOf } from '../shared/fleet-rules.ts'

/**
 * Which nodes may read which secrets: those that a pod bound to the node refers to, or a replica set
 * whose pods are bound to it.
 *
 * It follows the store, so a check costs two look-ups however many pods there are.
 */
export class SecretAccess {
  /** By node and collection, how many objects refer to it. */
  readonly #uses = new Map<string, Map<string, number>>()
  readonly #cancels: (() => void)[]

  constructor(store: ObjectStore) {
    this.#cancels = SECRET_USERS.map((resource) => {
      const { items, resourceVersion } = store.list(resource)
      for (const object of items) this.#count(resource, object, 1)
      return store.watch(resource, { since: resourceVersion }, (event) => {
        const before = event.type === 'DELETED' ? event.object : event.previous
        if (before !== undefined) this.#count(resource, before, -1)
        if (event.type !== 'DELETED') this.#count(resource, event.object, 1)
      })
    })
  }

  /** Whether a node may read the collection of a secret. */
  allows(node: string, collection: string): boolean {
    return this.#uses.get(node)?.has(collection) ?? false
  }

  close(): void {
    for (const cancel of this.#cancels) cancel()
  }

  #count(resource: string, object: KubeObject, by: 1 | -1): void {
    const node = nodeNameOf(resource, object)
    if (node === undefined) return
    const uses = this.#uses.get(node) ?? new Map<string, number>()
    this.#uses.set(node, uses)
    for (const collection of secretsOf(resource, object)) {
      const count = (uses.get(collection) ?? 0) + by
      if (count > 0) uses.set(collection, count)
      else uses.delete(collection)
    }
    if (uses.size === 0) this.#uses.delete(node)
  }
}
