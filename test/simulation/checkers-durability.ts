import type { CollectionId, DocumentId, EventHash, ReplicaId } from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import type { Account, GenerationChecker } from './checkers-generations.ts'
import type { Machine } from './simulator.ts'
import { isHarmed } from './topology.ts'
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
  readonly #generations: GenerationChecker
  /** By machine: what it promised to keep. */
  readonly #promised: Map<ReplicaId, Map<string, Promised>> = new Map()

  constructor(world: World, generations: GenerationChecker) {
    this.#world = world
    this.#generations = generations
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

  /**
   * An author was told that `machine` has this event, and cannot see that it was refused. Where it may be aside, or
   * gone along with its document, or lost with a disk, only the end shows.
   */
  held(machine: ReplicaId, promised: Promised): void {
    const { document, hash } = promised
    this.promise(machine, promised)
    if (this.#generations.enabled || this.#world.hasMoved(document) || this.#world.setsBack) return
    if (!this.#world.has(machine, eventKey(document, hash)))
      this.#world.fail('I1', `${machine} is said to have ${hash} of ${document}, and has not`)
  }

  /** What a machine promised is gone for good: nobody else had it either. */
  release(machine: ReplicaId, key: string): void {
    this.#promised.get(machine)?.delete(key)
  }

  /** What any machine promised is gone for good. */
  releaseAll(isGone: (key: string) => boolean): void {
    for (const promised of this.#promised.values())
      for (const key of [...promised.keys()]) if (isGone(key)) promised.delete(key)
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
  async started(
    machine: Machine,
    replica: Replica,
    entries: readonly StoredEntry[],
  ): Promise<void> {
    // What was promised so far: what comes from now on may not be in what was read.
    const promised = [...(this.#promised.get(machine.name) ?? [])].flatMap(([key, { document }]) =>
      // Who has it, if anybody, is looked at in the end, when what rotted has been asked for.
      this.#world.isLetGo(document, key) ? [] : [key],
    )
    // What a peer refused, or lacked of a document that left, may be seen at any machine that had it.
    await this.noteRefusals(replica)
    await this.lookAside(this.#world.machines())
    const log = await this.#logOf(replica, entries)
    await this.#check(machine.name, replica, log, 'lost', new Set(promised))
  }

  /** At the end: what anybody promised is with everybody who shares the collection. */
  async everywhere(machines: readonly Machine[]): Promise<void> {
    await this.lookAside(machines)
    for (const machine of machines) {
      const replica = machine.process?.replica
      if (replica === undefined) continue
      const log = await this.#logOf(replica, await storedEntries(replica))
      await this.#check(machine.name, replica, log, 'has lost in the end')
      for (const [author, promises] of this.#promised) {
        for (const [key, promised] of promises) {
          if (author === machine.name || log.has(key)) continue
          if (!machine.collections.includes(promised.collection)) continue
          if (this.#world.isUnshown(key) || (await this.#isExcused(replica, promised))) continue
          // It came to who had cut already, and its author lost it with what it made of it: it stays aside there.
          if (this.#generations.isOrphaned(key)) continue
          this.#fail(`${machine.name} never got ${promised.hash} of ${author} in`, promised)
        }
      }
    }
  }

  /** Notes what can be seen to be set aside. */
  async lookAside(machines: readonly Machine[]): Promise<void> {
    for (const { process } of machines)
      if (process !== undefined) await this.noteRefusals(process.replica)
  }

  async #check(
    name: ReplicaId,
    replica: Replica,
    log: Account,
    what: string,
    only?: ReadonlySet<string>,
  ): Promise<void> {
    for (const [key, promised] of this.#promised.get(name) ?? []) {
      if (this.#world.isRotten(name, key)) continue
      if (only?.has(key) === false || log.has(key) || (await this.#isExcused(replica, promised)))
        continue
      this.#fail(`${name} ${what} ${promised.hash} of`, promised)
    }
  }

  async #logOf(replica: Replica, entries: readonly StoredEntry[]): Promise<Account> {
    const stored = storedKeys(entries)
    if (!this.#generations.enabled) return stored
    const account = await this.#generations.account(replica, entries)
    return { has: (key) => stored.has(key) || account.has(key) }
  }

  #fail(what: string, { document }: Promised): void {
    this.#world.fail('I1', `${what} ${document}`)
  }

  /** What a peer refused, and its author can see, is kept there. */
  async noteRefusals(replica: Replica): Promise<void> {
    for await (const { document, hash } of replica.rejected()) {
      const key = eventKey(document, hash)
      this.#world.setAside(key)
      // An event that was written again stands for the one that its author was told of.
      this.#world.setAside(this.#generations.firstKey(key))
    }
  }

  async #isExcused(replica: Replica, { document, hash }: Promised): Promise<boolean> {
    const key = eventKey(document, hash)
    if (this.#world.isSetAside(key) || isHarmed(document)) return true
    if (this.#world.isContested(document)) return true
    const record = await replica.record(document)
    if (this.#generations.enabled) {
      if (this.#world.isSetAside(this.#generations.firstKey(key))) return true
      if (this.#generations.isSetAside(key) || this.#generations.isEnded(key)) return true
      // Cut, a deleted document is nothing but deleted.
      if (record?.deleted === true) return true
    }
    // Where a document may be depends on where it went: only those who share its last home keep it. Others may
    // have made one of that name again, of which nothing was taken.
    if (!this.#world.hasMoved(document)) return false
    return record === undefined || record.left || record.digest.every((byte) => byte === 0)
  }
}

/** Everything in a replica's log. */
export async function storedEntries(replica: Replica): Promise<readonly StoredEntry[]> {
  const stored: StoredEntry[] = []
  for (let after = 0; ; ) {
    const page = await replica.readLog({ after, bytesMax: 1 << 20 })
    stored.push(...page.entries)
    if (page.end) return stored
    after = page.upTo
  }
}

/** The events among entries, by document and hash. */
export function storedKeys(entries: readonly StoredEntry[]): ReadonlySet<string> {
  const stored = new Set<string>()
  for (const { document, hash } of entries)
    if (hash !== undefined) stored.add(eventKey(document, hash))
  return stored
}
