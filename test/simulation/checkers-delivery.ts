import type { DocumentHandle } from '../../src/core/document/handle.ts'
import type { DocumentId, EventHash, ReplicaId } from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { readEvent } from '../../src/core/log/event.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { isHarmed } from './topology.ts'
import { eventKey, type World } from './world.ts'

/** I4: an event is delivered to the application once, and never before one that it builds on. */
export class DeliveryChecker {
  readonly #world: World
  /** By machine and document: events that were delivered, in any of its lives. */
  readonly #delivered: Map<ReplicaId, Map<DocumentId, Set<EventHash>>> = new Map()
  /** By machine: events that may come again, as they were taken off its log. */
  readonly #again: Map<ReplicaId, Set<string>> = new Map()
  /**
   * By machine and document: events that came again before it was said that they had been taken off its log.
   * That is said after the append, and both may be in one.
   */
  readonly #repeated: Map<ReplicaId, Map<DocumentId, Set<EventHash>>> = new Map()
  /** By machine and document: the state that it begins with rotted, and no other has come. */
  readonly #headless: Set<string> = new Set()
  /** What each event was made after. */
  readonly #parents: Map<EventHash, readonly EventHash[]> = new Map()

  constructor(world: World) {
    this.#world = world
  }

  has(machine: ReplicaId, key: string): boolean {
    const [document = '', hash = ''] = key.split(' ')
    return this.#delivered.get(machine)?.get(document)?.has(hash) === true
  }

  appended(machine: Machine, entries: readonly StoredEntry[]): void {
    for (const { kind, document, hash: named, generation, bytes } of entries) {
      const hash = nameOf(kind, named, generation)
      // A document that left and comes back is told of again.
      if (kind === 'leave') this.#of(machine.name).delete(document)
      if (hash === undefined) continue
      // What waited for the state that the document begins with comes after it, once more.
      if (kind === 'base' && this.#headless.delete(`${machine.name} ${document}`))
        this.forget(machine.name, [document])
      if (kind === 'event' && !this.#parents.has(hash))
        this.#parents.set(hash, readEvent(bytes, nativeSha256).parents)
      const seen = this.#of(machine.name).get(document) ?? new Set()
      this.#of(machine.name).set(document, seen)
      if (
        seen.has(hash) &&
        // Whoever means harm may take its own events back with one message, and give them with the next.
        !isHarmed(document) &&
        !this.#headless.has(`${machine.name} ${document}`) &&
        this.#again.get(machine.name)?.delete(eventKey(document, hash)) !== true
      )
        this.#repeat(machine.name, document, hash)
      seen.add(hash)
    }
  }

  /** Watches what a subscriber of a document is told: all of it is founded on what was told before. */
  watch(machine: Machine, handle: DocumentHandle<unknown>): void {
    const known = new Set<EventHash>()
    const look = (heads: readonly EventHash[], origin: 'local' | 'remote'): void => {
      if (origin === 'local' || this.#world.hasMoved(handle.id)) return
      const missing = this.#unfounded(machine.name, handle.id, heads, known)
      if (missing === undefined) return
      this.#world.fail(
        'I4',
        `${machine.name} was shown ${handle.id} with ${missing} unknown to its log`,
      )
    }
    // Subscribers of documents are called before those of the log, in the same turn.
    handle.subscribe(({ heads, origin }) => queueMicrotask(() => look(heads, origin)))
  }

  /** An ancestor of these heads that the machine's log does not have, if there is one. */
  #unfounded(
    machine: ReplicaId,
    document: DocumentId,
    heads: readonly EventHash[],
    known: Set<EventHash>,
  ): EventHash | undefined {
    const seen = this.#of(machine).get(document)
    const waiting = [...heads]
    for (let hash = waiting.pop(); hash !== undefined; hash = waiting.pop()) {
      if (known.has(hash)) continue
      // Events nobody stored yet are edits of this machine that are on their way to its disk.
      const parents = this.#parents.get(hash)
      if (parents === undefined) continue
      if (seen?.has(hash) !== true) return hash
      known.add(hash)
      waiting.push(...parents)
    }
    return undefined
  }

  #repeat(machine: ReplicaId, document: DocumentId, hash: EventHash): void {
    const documents = this.#repeated.get(machine) ?? new Map<DocumentId, Set<EventHash>>()
    this.#repeated.set(machine, documents)
    documents.set(document, (documents.get(document) ?? new Set()).add(hash))
  }

  /** A peer's refusal took events of these documents off a log: they may come again, or have already. */
  takenBack(machine: ReplicaId, documents: readonly DocumentId[]): void {
    this.forget(machine, documents)
    for (const document of documents) {
      const back = this.#repeated.get(machine)?.get(document) ?? []
      for (const hash of back) this.#again.get(machine)?.delete(eventKey(document, hash))
      this.#repeated.get(machine)?.delete(document)
    }
  }

  /** At the end: what came twice and was never taken off. */
  atRest(): void {
    for (const [machine, documents] of this.#repeated)
      for (const [document, hashes] of documents)
        for (const hash of hashes)
          this.#world.fail('I4', `${machine} was given ${hash} of ${document} twice`)
  }

  /** Events of these documents were taken off a log: they may come again. */
  forget(machine: ReplicaId, documents: readonly DocumentId[]): void {
    const again = this.#again.get(machine) ?? new Set()
    this.#again.set(machine, again)
    for (const document of documents)
      for (const hash of this.#of(machine).get(document) ?? []) again.add(eventKey(document, hash))
  }

  /** The event may be taken out of a log, and then come again. */
  mayComeAgain(machine: ReplicaId, key: string): void {
    const again = this.#again.get(machine) ?? new Set()
    this.#again.set(machine, again)
    again.add(key)
  }

  /** The state that a document begins with rotted: until it has one again it is told from its first event on. */
  headless(machine: ReplicaId, document: DocumentId): void {
    this.#headless.add(`${machine} ${document}`)
  }

  /** The machine lost part of its log: nothing is known of what it was given. */
  restored(machine: ReplicaId): void {
    this.#delivered.delete(machine)
  }

  /** It starts with this log. */
  resume(machine: ReplicaId, entries: readonly StoredEntry[]): void {
    for (const { kind, document, hash: named, generation } of entries) {
      const hash = nameOf(kind, named, generation)
      // What a document had before it left may still be there, and does not count.
      if (kind === 'leave') this.#of(machine).delete(document)
      if (hash === undefined) continue
      const seen = this.#of(machine).get(document) ?? new Set()
      this.#of(machine).set(document, seen)
      seen.add(hash)
    }
  }

  #of(machine: ReplicaId): Map<DocumentId, Set<EventHash>> {
    const known = this.#delivered.get(machine)
    if (known !== undefined) return known
    const made = new Map<DocumentId, Set<EventHash>>()
    this.#delivered.set(machine, made)
    return made
  }
}

/** A base without a state has the same bytes after any number of cuts. */
function nameOf(
  kind: StoredEntry['kind'],
  hash: EventHash | undefined,
  generation: number,
): EventHash | undefined {
  return kind === 'base' ? `${hash}@${generation}` : hash
}
