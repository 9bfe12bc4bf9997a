import type { ActorId, CollectionId, ReplicaId } from '../../src/core/ids.ts'
import { actorOf } from '../../src/core/log/authors.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { HOSTILE, ownCollection, SHARED } from './topology.ts'
import { eventKey, type World } from './world.ts'

/** Actors of one epoch: one more each time that events in a document were refused. */
const FORKS = 8

/** I6: a machine gets and writes only what the policy lets it. */
export class AccessChecker {
  readonly #world: World
  /** By machine: under which actors it has written. */
  readonly #actors: Map<ReplicaId, Set<ActorId>> = new Map()
  /** Events that a machine had no right to make, and who made them. */
  readonly #forbidden: Map<string, ReplicaId> = new Map()

  constructor(world: World) {
    this.#world = world
  }

  /** A user made an edit that the policy forbids: it stays where it was made. */
  forbidden(machine: ReplicaId, key: string): void {
    this.#forbidden.set(key, machine)
  }

  /** Remembers who writes on a machine: its log may go on under another epoch. */
  #meet({ name, process }: Machine): void {
    const known = this.#actors.get(name) ?? new Set<ActorId>()
    this.#actors.set(name, known)
    if (process === undefined || known.has(process.replica.actor)) return
    for (let fork = 0; fork < FORKS; fork += 1)
      known.add(actorOf({ replica: name, epoch: process.replica.epoch }, fork, 0, nativeSha256))
  }

  /** Whether nobody but its author may have this event. */
  isForbidden(key: string): boolean {
    return this.#forbidden.has(key)
  }

  /** Whether a machine writes, or has written, under this actor. */
  isActorOf(machine: ReplicaId, actor: ActorId): boolean {
    return this.#actors.get(machine)?.has(actor) === true
  }

  appended(machine: Machine, entries: readonly StoredEntry[]): void {
    this.#meet(machine)
    for (const entry of entries) {
      const { collection, document, hash } = entry
      if (entry.from === HOSTILE) this.#ofHostile(machine.name, entry)
      if (!machine.collections.includes(collection)) {
        this.#world.fail('I6', `${machine.name} has an entry of ${collection}`)
      }
      const author = this.#forbidden.get(eventKey(document, hash ?? ''))
      if (author !== undefined && author !== machine.name) {
        this.#world.fail('I6', `${machine.name} has taken ${hash}, which ${author} may not write`)
      }
    }
  }

  /** What an honest machine takes from the one that means harm is what that one may write. */
  #ofHostile(machine: ReplicaId, { kind, document, collection }: StoredEntry): void {
    const isOwn = collection === ownCollection(HOSTILE) && document.startsWith(collection)
    if (isOwn && (kind === 'event' || kind === 'tombstone')) return
    this.#world.fail('I6', `${machine} has taken ${kind} of ${document} from ${HOSTILE}`)
  }

  /** An entry goes out to the machine that means harm. */
  sentHostile(from: ReplicaId, collection: CollectionId): void {
    if (collection === SHARED || collection === ownCollection(HOSTILE)) return
    this.#world.fail('I6', `${from} sent ${HOSTILE} an entry of ${collection}`)
  }

  /** At the end: no honest machine is in quarantine, and none took anything back without need. */
  async atRest(machines: readonly Machine[]): Promise<void> {
    for (const { name, process } of machines) {
      // One whose log went back may have written twice for a place: its documents are contested then.
      for (const { replica, document } of process?.replica.quarantined() ?? [])
        if (replica !== HOSTILE && !this.#world.isContested(document))
          this.#world.fail('I6', `${name} has ${replica} in quarantine for ${document}`)
      for await (const { peer, document } of process?.replica.rejected() ?? []) {
        if (peer !== HOSTILE || document.startsWith(ownCollection(HOSTILE))) continue
        this.#world.fail('I6', `${name} took ${document} back on a word of ${HOSTILE}`)
      }
    }
  }

  /** An entry goes out to a machine. */
  sent(from: ReplicaId, to: Machine, collection: CollectionId): void {
    if (to.collections.includes(collection)) return
    this.#world.fail('I6', `${from} sent ${to.name} an entry of ${collection}`)
  }
}
