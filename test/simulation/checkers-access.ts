import type { CollectionId, ReplicaId } from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import type { Machine } from './simulator.ts'
import { eventKey, type World } from './world.ts'

/** I6: a machine gets and writes only what the policy lets it. */
export class AccessChecker {
  readonly #world: World
  /** Events that a machine had no right to make, and who made them. */
  readonly #forbidden: Map<string, ReplicaId> = new Map()

  constructor(world: World) {
    this.#world = world
  }

  /** A user made an edit that the policy forbids: it stays where it was made. */
  forbidden(machine: ReplicaId, key: string): void {
    this.#forbidden.set(key, machine)
  }

  appended(machine: Machine, entries: readonly StoredEntry[]): void {
    for (const { collection, document, hash } of entries) {
      if (!machine.collections.includes(collection)) {
        this.#world.fail('I6', `${machine.name} has an entry of ${collection}`)
      }
      const author = this.#forbidden.get(eventKey(document, hash ?? ''))
      if (author !== undefined && author !== machine.name) {
        this.#world.fail('I6', `${machine.name} has taken ${hash}, which ${author} may not write`)
      }
    }
  }

  /** An entry goes out to a machine. */
  sent(from: ReplicaId, to: Machine, collection: CollectionId): void {
    if (to.collections.includes(collection)) return
    this.#world.fail('I6', `${from} sent ${to.name} an entry of ${collection}`)
  }
}
