import type { CollectionId, DocumentId, EventHash } from '../ids.ts'
import type { Put } from '../interfaces/storage.ts'
import type { WireEntry } from '../sync/io.ts'
import { BEHIND, FULL, OUTRUN, RIVAL } from './denials.ts'
import { packEvents } from './entry.ts'
import {
  type Beginning,
  CUTS_MAX,
  cutsOf,
  FIRST_GENERATION,
  isNewer,
  type Lineage,
  normalGeneration,
  type Rewriter,
  type Rewritten,
  reaches,
} from './generation.ts'
import { AUTHORS_MAX, makeBeginning, reachOf } from './generation-beginning.ts'
import { eventsBehind, mayLack } from './generation-behind.ts'
import { firstPlaceOf, isSameFirst, originOf } from './generation-origin.ts'
import { lateKey } from './keys.ts'
import type { LateRoom } from './late-room.ts'
import type { PlanView } from './plan-view.ts'
import { newRecord, type PlanWrites, type SetAside } from './plan-writes.ts'
import { encodeRecord, type LateRecord } from './records.ts'
import type {
  CheckedEvent,
  CutSubmission,
  Denial,
  IncomingEntry,
  RemoteSubmission,
} from './submission.ts'

/** An event that is kept aside. */
export interface LateEvent {
  /** Under what it is kept. */
  readonly key: string
  readonly event: CheckedEvent
  readonly record: LateRecord
}

/** What a plan knows of generations. Fetched before planning, for documents where it is asked for. */
export interface GenerationView {
  /** Absent where nobody looks inside events: what is late then stays aside. */
  readonly rewriter: Rewriter | undefined
  beginning(document: DocumentId): Beginning | undefined
  late(document: DocumentId): readonly LateEvent[]
  /** How much is kept aside in all. */
  readonly room: LateRoom
  /** Collections that the document left, and whose subscribers may not know it yet. */
  formerHomes(document: DocumentId): readonly CollectionId[]
}

/** How a generation begins in one log. */
interface Start {
  readonly document: DocumentId
  readonly collection: CollectionId
  readonly beginning: Beginning
  readonly from: string | undefined
  /** Events of the generation before that are not in the state. */
  readonly rewritten: Rewritten
}

const NOTHING: Rewritten = { events: [], waiting: [] }

/** What is known of the delivery of an entry. */
type Delivered = Pick<RemoteSubmission, 'from' | 'atMs'>

/**
 * The part of a plan that ends generations of documents and begins new ones.
 *
 * With a beginning, everything older of the document stops counting, in the same append in which events that
 * it does not reach are written again on top of it. What belongs to no generation that is here is put aside.
 */
export class GenerationPlan {
  readonly #view: PlanView
  readonly #writes: PlanWrites
  readonly #begun = new Map<DocumentId, Beginning | undefined>()
  /** Kept aside by this plan. */
  readonly #aside = new Map<DocumentId, LateEvent[]>()
  readonly #room: LateRoom

  constructor(view: PlanView, writes: PlanWrites) {
    this.#view = view
    this.#writes = writes
    this.#room = view.generations.room.over()
  }

  /** Ends the generation that is named, unless it is over already or there is nothing to gain. */
  cut({ document, generation }: CutSubmission): void {
    const record = this.#writes.record(document)
    if (record === undefined || record.left || record.generation !== generation) return
    const { rewriter } = this.#view.generations
    const cuts = cutsOf(generation) + 1
    const lineage = this.#lineage(document)
    if (cuts > CUTS_MAX || rewriter === undefined || isCut(lineage)) return
    const { sha256 } = this.#view
    const { collection } = record
    if (record.deleted) {
      const beginning = makeBeginning(cuts, new Map(), undefined, sha256)
      this.#begin({ document, collection, beginning, from: undefined, rewritten: NOTHING })
      return
    }
    const state = rewriter.cut(document, cuts, lineage)
    if (state === undefined) return
    const { waiting } = state
    const reach = reachOf(lineage, new Set(waiting.map(({ header }) => header.hash)), sha256)
    // Nobody would take it, this log included.
    if (reach.size > AUTHORS_MAX) return
    const beginning = makeBeginning(cuts, reach, state.change, sha256)
    const rewritten = { events: [], waiting }
    this.#begin({ document, collection, beginning, from: undefined, rewritten })
  }

  /**
   * A peer brought the beginning of a generation. An older one than ours is of no use here.
   *
   * @param named the home that the peer named: if that is not where the document is, the peer gets the
   * beginning back with its home, as the entry that told of the move goes with everything older.
   */
  adopt(
    wire: WireEntry,
    beginning: Beginning,
    { from: peer, atMs = 0 }: Delivered,
    named: CollectionId,
  ): void {
    const { document, collection } = wire
    const from = named === collection ? peer : undefined
    const record = this.#writes.record(document)
    if (record === undefined || record.left) {
      const fresh = record === undefined ? newRecord(collection) : { ...record, collection }
      this.#writes.set(document, { ...fresh, left: false })
      this.#begin({ document, collection, beginning, from, rewritten: NOTHING })
      return
    }
    const ours = this.#beginning(document)
    // Without a state the bytes are the same after any number of cuts.
    if (ours?.hash === beginning.hash && ours.generation === beginning.generation) return
    if (ours !== undefined && !isNewer(beginning, ours)) return
    const isDeleted = record.deleted || beginning.change === undefined
    if (ours !== undefined && !isDeleted && mayLack(beginning, ours, this.#view))
      this.setStateAside(document, { ...OUTRUN, peer, atMs })
    const isRival = beginning.generation === record.generation
    if (isRival) this.#setAside(document, { ...RIVAL, peer, atMs })
    const rewritten = isDeleted || isRival ? NOTHING : this.#rewrite(document, beginning)
    if (!isDeleted && !isRival) {
      const all = this.#writes.eventsOf(document)
      const behind = eventsBehind(all, record.generation, beginning, this.#view)
      this.#setAside(document, { ...BEHIND, peer, atMs }, behind)
    }
    this.#begin({ document, collection, beginning, from, rewritten })
    // Our next events must not stand at places that we took on another beginning of the same cut.
    if (ours === undefined || cutsOf(ours.generation) !== cutsOf(beginning.generation)) return
    const now = this.#writes.record(document)
    if (now !== undefined) this.#writes.set(document, { ...now, fork: now.fork + 1 })
  }

  /** Whether an event belongs to another generation than the one that is here. */
  isStray({ document, generation }: WireEntry): boolean {
    const record = this.#writes.record(document)
    if (record === undefined || record.left) return cutsOf(generation) > 0
    return normalGeneration(generation) !== record.generation
  }

  /** Whether it is a base that is here, or an older one: nobody need be asked about it. */
  isOver({ wire, base }: IncomingEntry): boolean {
    const record = this.#writes.record(wire.document)
    if (wire.kind !== 'base' || record === undefined || record.left) return false
    if (wire.generation === record.generation)
      return base?.hash === this.#beginning(wire.document)?.hash
    return cutsOf(wire.generation) < cutsOf(record.generation)
  }

  /**
   * Keeps a stray event aside, until it is in the state that a generation begins with, or written again.
   *
   * @returns why it is not kept: there is no room for more.
   */
  putAside({ wire, events }: IncomingEntry, from: string): Denial | undefined {
    const { document, collection } = wire
    const record = this.#writes.record(document)
    if (record?.deleted === true || record?.left === true) return undefined
    const generation = normalGeneration(wire.generation)
    for (const event of events) {
      const isOld = record !== undefined && cutsOf(generation) <= cutsOf(record.generation)
      if (isOld && this.#isKnown(document, event, generation)) continue
      const late = { generation, collection, from, bytes: event.bytes }
      const put = this.#latePut(document, event, late)
      if (!this.#room.fits(put.key, put.value.length)) return FULL
      this.#keepAside(document, event, late)
    }
    return undefined
  }

  /** The document left: nothing of it stays. */
  forget(document: DocumentId): void {
    for (const late of this.late(document)) this.#settle(late)
  }

  /** A document as it travels in one entry. */
  pack(document: DocumentId, events: readonly CheckedEvent[]): Uint8Array {
    const beginning = this.#beginning(document)
    const all = events.map(({ bytes }) => bytes)
    return packEvents(beginning === undefined ? all : [beginning.bytes, ...all])
  }

  /**
   * Events whose generation is to be another one of the same number: no mark could tell where they were
   * written first. They are kept where their authors see them.
   */
  #setAside(
    document: DocumentId,
    why: SetAside,
    events: readonly CheckedEvent[] = this.#writes.eventsOf(document),
  ): void {
    for (const event of events) this.#writes.setAside(document, event, why)
  }

  /**
   * The state that the document begins with, when it stops counting and edits in it are nowhere else: it is
   * kept where it can be seen, as edits are that were refused.
   *
   * @param only unless its hash is not among these.
   */
  setStateAside(document: DocumentId, why: SetAside, only?: ReadonlySet<EventHash>): void {
    const beginning = this.#beginning(document)
    if (beginning?.change === undefined || only?.has(beginning.hash) === false) return
    this.#writes.setBaseAside(document, beginning, why)
  }

  /**
   * Takes back the beginning that the document has, because a peer refused it: what it stands for is gone, so
   * the document begins anew, with what peers have of it. The state, and what was written on it, are kept
   * where they can be seen.
   *
   * @returns whether that is the beginning here.
   */
  withdraw(document: DocumentId, hash: EventHash, why: SetAside): boolean {
    const record = this.#writes.record(document)
    if (record === undefined || this.#beginning(document)?.hash !== hash) return false
    const { collection } = record
    this.setStateAside(document, why)
    this.#setAside(document, why)
    this.#writes.clear(document, collection)
    this.#begun.set(document, undefined)
    const first = { generation: FIRST_GENERATION, begun: undefined, deleted: false }
    const fork = record.fork + 1
    this.#writes.set(document, { ...record, ...first, entries: 0, bytes: 0, fork })
    for (const late of this.late(document)) {
      if (late.record.generation !== FIRST_GENERATION) continue
      this.#settle(late)
      this.#writes.take(document, collection, late.event, late.record.from)
    }
    return true
  }

  #begin({ document, collection, beginning, from, rewritten }: Start): void {
    const before = this.#writes.record(document) ?? newRecord(collection)
    const homes = new Set(this.#view.generations.formerHomes(document))
    if (!before.left) homes.add(before.collection)
    const late = this.late(document)
    this.#writes.clear(document, before.collection)
    const moves = before.collection === collection ? before.moves : (before.moves ?? 0) + 1
    const { generation, hash, bytes } = beginning
    const deleted = before.deleted || beginning.change === undefined
    const empty = { entries: 0, bytes: 0, begun: undefined }
    this.#writes.set(document, { ...before, ...empty, collection, generation, deleted, moves })
    this.#begun.set(document, beginning)
    this.#writes.push('base', document, collection, bytes, from, hash)
    this.#writes.count(document, collection, hash)
    this.#writes.acceptBase(document, hash)
    // Who brings a base without a state knows of the end; who brings one with a state has to be told.
    const knows = beginning.change === undefined
    if (deleted) this.#writes.bury(document, collection, knows ? from : undefined)
    // The entry that told of the move is gone: who has not read it learns it from this one.
    for (const home of homes) {
      if (home !== collection)
        this.#writes.push('leave', document, home, new Uint8Array(0), undefined)
    }
    const begun = this.#writes.record(document) ?? before
    this.#writes.set(document, {
      ...begun,
      begun: { entries: begun.entries, bytes: begun.bytes },
    })
    for (const event of rewritten.events) this.#writes.take(document, collection, event, undefined)
    for (const event of rewritten.waiting) {
      const record = { generation: before.generation, collection, bytes: event.bytes }
      this.#keepAside(document, event, record)
    }
    if (deleted) for (const old of late) this.#settle(old)
    else this.#review(document, collection, beginning, late)
  }

  /** What was kept aside may have its place now, or may be in the new state. */
  #review(
    document: DocumentId,
    collection: CollectionId,
    beginning: Beginning,
    late: readonly LateEvent[],
  ): void {
    for (const old of late) {
      const { event, record } = old
      if (cutsOf(record.generation) > cutsOf(beginning.generation)) continue
      this.#settle(old)
      if (record.generation === beginning.generation)
        this.#writes.take(document, collection, event, record.from)
      else if (!this.#isKnown(document, event, record.generation))
        this.#keepAside(document, event, record)
    }
  }

  #rewrite(document: DocumentId, beginning: Beginning): Rewritten {
    const lineage = this.#lineage(document)
    const generation = lineage.beginning?.generation ?? 1
    const uncovered = lineage.events.filter(({ header }) => {
      const { actor, place } = firstPlaceOf(header, generation, this.#view.sha256)
      return !reaches(beginning.reach, actor, place)
    })
    if (uncovered.length === 0) return NOTHING
    const { rewriter } = this.#view.generations
    if (rewriter === undefined) return { events: [], waiting: uncovered }
    const hashes = new Set(uncovered.map(({ header }) => header.hash))
    return rewriter.rewrite(lineage, hashes, beginning, document)
  }

  /** Whether an event of an older generation is in the state here, or written again on top of it. */
  #isKnown(document: DocumentId, { header }: CheckedEvent, generation: number): boolean {
    const { sha256 } = this.#view
    const beginning = this.#beginning(document)
    const first = firstPlaceOf(header, generation, sha256)
    if (beginning !== undefined && reaches(beginning.reach, first.actor, first.place)) return true
    const ours = beginning?.generation ?? 1
    return this.#writes
      .eventsOf(document)
      .some(({ header }) => isSameFirst(originOf(header, ours, sha256), first))
  }

  #keepAside(document: DocumentId, event: CheckedEvent, record: LateRecord): void {
    const put = this.#latePut(document, event, record)
    this.#put(put)
    const aside = this.#aside.get(document)
    const late = { key: put.key, event, record }
    if (aside === undefined) this.#aside.set(document, [late])
    else aside.push(late)
  }

  #latePut(
    document: DocumentId,
    { header }: CheckedEvent,
    record: LateRecord,
  ): { readonly key: string; readonly value: Uint8Array } {
    const { generation } = record
    const ours = this.#writes.record(document)?.generation ?? 1
    const isAhead = cutsOf(generation) > cutsOf(ours)
    // What is late goes when the first writing of it is written again; what is ahead has its place to come.
    const own = { ...header, place: { generation, sequence: header.sequence } }
    const named = isAhead ? own : firstPlaceOf(header, generation, this.#view.sha256)
    return { key: lateKey(document, named), value: encodeRecord(record) }
  }

  #settle({ key }: LateEvent): void {
    this.#put({ key, value: undefined })
  }

  #put(put: Put): void {
    this.#writes.puts.push(put)
    this.#room.apply([put])
  }

  /** What is kept aside of a document because it is of another generation. */
  late(document: DocumentId): readonly LateEvent[] {
    return [...this.#view.generations.late(document), ...(this.#aside.get(document) ?? [])]
  }

  #beginning(document: DocumentId): Beginning | undefined {
    if (this.#begun.has(document)) return this.#begun.get(document)
    return this.#view.generations.beginning(document)
  }

  #lineage(document: DocumentId): Lineage {
    return {
      beginning: this.#beginning(document),
      events: this.#writes.eventsOf(document),
    }
  }
}

/** Nothing happened since the last cut. */
function isCut({ beginning, events }: Lineage): boolean {
  return beginning !== undefined && events.length === 0
}
