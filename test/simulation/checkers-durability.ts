import type { CollectionId, DocumentId, EventHash, ReplicaId } from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import type { Machine } from './simulator.ts'
import { eventKey, type World } from './world.ts'

/** An event that somebody was told to be safe. */
export interface Promised {
  readonly hash: EventHash
  readonly document: DocumentId
  readonly collection: CollectionId
}

/**
 * I1: an event that a machine acknowledged, to a user there or to a peer, is in its log whatever
 * happened to it, or visibly set aside.
 */
export class DurabilityChecker {
  readonly #world: World
  /** By machine: what it promised to keep. */
  readonly #promised: Map<ReplicaId, Map<string, Promised>> = new Map()

  constructor(world: World) {
    this.#world = world
  }

  get count(): number {
    let count = 0
    for (const promised of this.#promised.values()) count += promised.size
    return count
  }

  /** `machine` said that this event is on its disk. */
  promise(machine: ReplicaId, promised: Promised): void {
    const all = this.#promised.get(machine) ?? new Map<string, Promised>()
    this.#promised.set(machine, all)
    all.set(eventKey(promised.document, promised.hash), promised)
  }

  /** What a machine promised is gone for good: nobody else had it either. */
  release(machine: ReplicaId, key: string): void {
    this.#promised.get(machine)?.delete(key)
  }

  /**
   * The disk of a machine went back to an older state. Its promises are void, except where another
   * machine has the event: that one keeps it for both.
   */
  restored(machine: ReplicaId): void {
    const promises = this.#promised.get(machine)
    this.#promised.delete(machine)
    for (const [key, promised] of promises ?? []) {
      for (const other of this.#world.machines()) {
        if (other.name === machine || !this.#world.has(other.name, key)) continue
        this.promise(other.name, promised)
        break
      }
    }
  }

  /** What a machine promised is there when it starts, before any peer can give it back. */
  async started(machine: Machine, replica: Replica, stored: ReadonlySet<string>): Promise<void> {
    await this.#noteRefusals(replica)
    await this.#check(machine.name, replica, stored, 'lost')
  }

  /** At the end: what anybody promised is with everybody who shares the collection. */
  async everywhere(machines: readonly Machine[]): Promise<void> {
    for (const { process } of machines)
      if (process !== undefined) await this.#noteRefusals(process.replica)
    for (const machine of machines) {
      const replica = machine.process?.replica
      if (replica === undefined) continue
      const stored = await storedEvents(replica)
      await this.#check(machine.name, replica, stored, 'has lost in the end')
      for (const [author, promises] of this.#promised) {
        for (const [key, promised] of promises) {
          if (author === machine.name || stored.has(key)) continue
          if (!machine.collections.includes(promised.collection)) continue
          if (await this.#isExcused(replica, promised)) continue
          this.#fail(`${machine.name} never got ${promised.hash} of ${author} in`, promised)
        }
      }
    }
  }

  async #check(
    name: ReplicaId,
    replica: Replica,
    stored: ReadonlySet<string>,
    what: string,
  ): Promise<void> {
    for (const [key, promised] of this.#promised.get(name) ?? []) {
      if (stored.has(key) || (await this.#isExcused(replica, promised))) continue
      if (this.#world.isRotten(name, key)) continue
      this.#fail(`${name} ${what} ${promised.hash} of`, promised)
    }
  }

  #fail(what: string, { document }: Promised): void {
    this.#world.fail('I1', `${what} ${document}`)
  }

  /** What a peer refused, and its author can see, is kept there. */
  async #noteRefusals(replica: Replica): Promise<void> {
    for await (const { document, hash } of replica.rejected())
      this.#world.setAside(eventKey(document, hash))
  }

  async #isExcused(replica: Replica, { document, hash }: Promised): Promise<boolean> {
    if (this.#world.isSetAside(eventKey(document, hash))) return true
    if (this.#world.isContested(document)) return true
    const record = await replica.record(document)
    // Where a document may be depends on where it went: only those who share its last home keep it.
    return this.#world.hasMoved(document) && (record === undefined || record.left)
  }
}

/** The events in a replica's log, by document and hash. */
export async function storedEvents(
  replica: Replica,
  visit?: (entries: readonly StoredEntry[]) => void,
): Promise<ReadonlySet<string>> {
  const stored = new Set<string>()
  for (let after = 0; ; ) {
    const page = await replica.readLog({ after, bytesMax: 1 << 20 })
    visit?.(page.entries)
    for (const { document, hash } of page.entries)
      if (hash !== undefined) stored.add(eventKey(document, hash))
    if (page.end) return stored
    after = page.upTo
  }
}
