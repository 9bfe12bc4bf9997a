import type { DocumentId, EventHash, ReplicaId } from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { type EventHeader, readEvent } from '../../src/core/log/event.ts'
import { type Place, type Reach, reaches } from '../../src/core/log/generation.ts'
import { readBeginning } from '../../src/core/log/generation-beginning.ts'
import { firstPlaceOf, originOf } from '../../src/core/log/generation-origin.ts'
import { TOMBSTONE } from '../../src/core/log/lineage.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { isHarmed } from './topology.ts'
import { eventKey, type World } from './world.ts'

/** Who wrote an edit first, and where, however often it was written again since. */
interface First {
  readonly hash: EventHash
  readonly actor: string
  readonly place: Place
}

/** A number that one machine wrote into one document, where nobody else writes. */
export interface Mark {
  readonly document: DocumentId
  /** Where it stands. */
  readonly key: string
  readonly number: number
}

/** What one machine wrote into one place of one document: a number that only grows. */
interface Written {
  readonly document: DocumentId
  readonly key: string
  last: number
  safe: number
  /** The events that set numbers which were safe. */
  readonly events: Map<string, number>
}

/** What a log has of edits that are no longer in it as they were written. */
export interface Account {
  /** Whether the edit is in a base, was written again, or waits for that. */
  has(key: string): boolean
}

/**
 * I1 where histories are cut: an edit that was promised is in the log as it was, or in the state that its
 * document begins with, or written again on top of it; and its value is shown.
 */
export class GenerationChecker {
  readonly #world: World
  readonly #firsts: Map<string, First> = new Map()
  /** What is in the states that documents began with. */
  readonly #bases: Map<DocumentId, Map<EventHash, Reach>> = new Map()
  /** By document and place. */
  readonly #written: Map<string, Written> = new Map()
  /** By machine and document: how often it began at another place. */
  readonly #lives: Map<string, number> = new Map()
  /** Edits of older generations that were on one disk only, and went with it. */
  readonly #orphans: Set<string> = new Set()
  /** Edits in documents that were deleted and cut. */
  readonly #ended: Set<string> = new Set()
  /** Whether histories are cut in this world at all: to look costs a little. */
  enabled = false

  constructor(world: World) {
    this.#world = world
  }

  /** These entries are in the log of a machine. */
  note(machine: ReplicaId, entries: readonly StoredEntry[]): void {
    if (!this.enabled) return
    for (const { kind, document, hash, generation, bytes } of entries) {
      if (hash === undefined) continue
      if (kind === 'base') {
        const { reach, change } = readBeginning(document, generation, bytes, nativeSha256)
        this.#noteBase(document, hash, reach)
        if (change === undefined) this.#end(machine, document)
      }
      if (kind !== 'event') continue
      const key = eventKey(document, hash)
      this.#orphans.delete(key)
      if (this.#firsts.has(key)) continue
      this.#firsts.set(key, firstPlaceOf(readEvent(bytes, nativeSha256), generation, nativeSha256))
    }
  }

  #noteBase(document: DocumentId, hash: EventHash, reach: Reach): void {
    const bases = this.#bases.get(document) ?? new Map<EventHash, Reach>()
    this.#bases.set(document, bases)
    if (!bases.has(hash)) bases.set(hash, reach)
  }

  /** A machine cut a document that was deleted there: nothing is left of what it had of it. */
  #end(machine: ReplicaId, document: DocumentId): void {
    for (const key of this.#firsts.keys())
      if (key.startsWith(`${document} `) && this.#world.has(machine, key)) this.#ended.add(key)
  }

  /**
   * Whether an edit was in a document that was deleted and cut, and left before others had heard of that: the
   * end stands for all that was in it, and can be seen.
   */
  isEnded(key: string): boolean {
    const [document = ''] = key.split(' ')
    return this.#ended.has(key) && this.#world.isSetAside(eventKey(document, TOMBSTONE))
  }

  /** An event as it was written first. */
  firstKey(key: string): string {
    const [document = ''] = key.split(' ')
    const first = this.#firsts.get(key)
    return first === undefined ? key : eventKey(document, first.hash)
  }

  /** Whether an edit is in a state, by its first key. */
  isReached(first: string, reach: Reach): boolean {
    const edit = this.#firsts.get(first)
    return edit !== undefined && reaches(reach, edit.actor, edit.place)
  }

  /** The edits of a document that are in a state, by first key. */
  reachedBy(document: DocumentId, reach: Reach): readonly string[] {
    const reached: string[] = []
    for (const [key, { hash, actor, place }] of this.#firsts)
      if (key.startsWith(`${document} `) && reaches(reach, actor, place))
        reached.push(eventKey(document, hash))
    return reached
  }

  /** Reads a log of which `entries` are all. */
  async account(replica: Replica, entries: readonly StoredEntry[]): Promise<Account> {
    const reach = new Map<DocumentId, Reach>()
    const again = new Set<string>()
    for (const { kind, document, generation, bytes } of entries) {
      if (kind === 'base')
        reach.set(document, readBeginning(document, generation, bytes, nativeSha256).reach)
      if (kind !== 'event') continue
      const origin = originOf(readEvent(bytes, nativeSha256), generation, nativeSha256)
      if (origin !== undefined) again.add(eventKey(document, origin.hash))
    }
    for await (const { document, generation, bytes } of replica.late()) {
      const header: EventHeader = readEvent(bytes, nativeSha256)
      again.add(eventKey(document, firstPlaceOf(header, generation, nativeSha256).hash))
    }
    return {
      has: (key) => {
        const first = this.#firsts.get(key)
        // On its way to the disk when its generation ended, it was made anew under another name.
        if (first === undefined) return true
        const [document = ''] = key.split(' ')
        if (again.has(eventKey(document, first.hash))) return true
        const covered = reach.get(document)
        return covered !== undefined && reaches(covered, first.actor, first.place)
      },
    }
  }

  /** Whether an edit is in a state that lost against another, or went with its document, and can be seen. */
  isSetAside(key: string): boolean {
    const [document = ''] = key.split(' ')
    const first = this.#firsts.get(key)
    if (first === undefined) return false
    return [...(this.#bases.get(document) ?? [])].some(
      ([hash, reach]) =>
        this.#world.isSetAside(eventKey(document, hash)) &&
        reaches(reach, first.actor, first.place),
    )
  }

  /**
   * The next number that a machine writes into a document, of which it sees this. Where its last number is
   * gone, it begins at another place: the edit that set it may come back, and would be beside the new one.
   */
  next(machine: ReplicaId, document: DocumentId, shown: Readonly<Record<string, unknown>>): Mark {
    const name = `${machine} ${document}`
    let written = this.#writtenAt(document, machine, this.#lives.get(name) ?? 0)
    if (Number(shown[written.key] ?? 0) !== written.last) {
      const life = (this.#lives.get(name) ?? 0) + 1
      this.#lives.set(name, life)
      written = this.#writtenAt(document, machine, life)
    }
    written.last += 1
    return { document, key: written.key, number: written.last }
  }

  #writtenAt(document: DocumentId, machine: ReplicaId, life: number): Written {
    const key = life === 0 ? `by ${machine}` : `by ${machine}, ${life}`
    const known = this.#written.get(`${document} ${key}`)
    if (known !== undefined) return known
    const written: Written = { document, key, last: 0, safe: 0, events: new Map() }
    this.#written.set(`${document} ${key}`, written)
    return written
  }

  /** The machine was told that this number, which an event set, is on its disk. */
  safe({ document, key, number }: Mark, hash: EventHash): void {
    const written = this.#written.get(`${document} ${key}`)
    if (written === undefined) return
    written.safe = Math.max(written.safe, number)
    written.events.set(eventKey(document, hash), number)
  }

  /** The disk of a machine went back: numbers are safe where another machine has their events. */
  restored(machine: ReplicaId): void {
    const others = this.#world.machines().filter(({ name }) => name !== machine)
    const isElsewhere = (key: string): boolean =>
      others.some(({ name }) => this.#world.has(name, key))
    this.#only(isElsewhere)
    for (const key of this.#firsts.keys())
      if (this.#world.has(machine, key) && !isElsewhere(key)) this.#orphans.add(key)
  }

  /**
   * Whether its author lost an edit before it was written again, which nobody else can do: at most it is
   * kept aside, by who had cut the history already when it came.
   */
  isOrphaned(key: string): boolean {
    return this.#orphans.has(key)
  }

  /** These events are gone for good, or nobody can show them. */
  release(isLost: (key: string) => boolean): void {
    this.#only((key) => !isLost(key))
  }

  #only(isKept: (key: string) => boolean): void {
    for (const written of this.#written.values()) {
      for (const key of [...written.events.keys()]) if (!isKept(key)) written.events.delete(key)
      written.safe = Math.max(0, ...written.events.values())
    }
  }

  /** At the end: each number is shown as its machine last wrote it, or later. */
  async atRest(
    machines: readonly Machine[],
    isExcused: (document: DocumentId) => boolean,
  ): Promise<void> {
    for (const { name, process, collections } of machines) {
      for (const written of process === undefined ? [] : this.#written.values()) {
        const { document, key, safe, last } = written
        const record = await process?.replica.record(document)
        if (record === undefined || record.deleted || record.left || isExcused(document)) continue
        if (isHarmed(document)) continue
        if (!collections.includes(record.collection)) continue
        const handle = await process?.replica.open<Record<string, unknown>>(document)
        const shown = Number(handle?.value[key] ?? 0)
        await handle?.close()
        if (shown < safe || shown > last) {
          const what = `${name} shows ${shown} ${key} in ${document}`
          this.#world.fail('I1', `${what}, where ${safe} was safe of ${last}`)
        }
      }
    }
  }
}
