import { assert } from '../errors.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import type { Put } from '../interfaces/storage.ts'
import type { PeerState, Reject, WireEntry } from '../sync/io.ts'
import { GONE, LEFT, OUTDATED, PARTED, RETIRED, TAKEN, UNFOUNDED } from './denials.ts'
import type { Digest } from './digest.ts'
import { type LogEntry, STAYS } from './entry.ts'
import type { EventHeader } from './event.ts'
import { FIRST_GENERATION, normalGeneration } from './generation.ts'
import { originOf } from './generation-origin.ts'
import { isParted, ownEvents } from './generation-parting.ts'
import { GenerationPlan } from './generation-plan.ts'
import { homeOf } from './homes.ts'
import { peerKey } from './keys.ts'
import type { PlaceChanges } from './known-places.ts'
import { TOMBSTONE } from './lineage.ts'
import { joinedEvents, noteMoves, placed } from './moves.ts'
import { type Rejected, rejectEntries } from './plan-rejects.ts'
import type { PlanView } from './plan-view.ts'
import { PlanWrites } from './plan-writes.ts'
import { type DocumentRecord, encodeRecord } from './records.ts'
import type {
  CheckedEvent,
  CutSubmission,
  Denial,
  IncomingEntry,
  LocalSubmission,
  MoveSubmission,
  RejectSubmission,
  RemoteSubmission,
} from './submission.ts'

/**
 * Decides what one atomic append writes. Pure: it looks at a {@link PlanView} and at its own pending
 * writes, and holds entries, puts and new digests until the storage has taken them.
 */
export class Plan {
  readonly peers: Map<string, PeerState> = new Map()
  /** Documents of which events of ours stopped counting, and which: dropped once this is durable. */
  readonly rejected: Rejected = new Map()
  /** Documents that came back of which something had gone aside when they left. */
  readonly #returned = new Set<DocumentId>()
  readonly #writes: PlanWrites
  readonly #generations: GenerationPlan
  readonly #view: PlanView

  constructor(view: PlanView) {
    this.#view = view
    this.#writes = new PlanWrites(view)
    this.#generations = new GenerationPlan(view, this.#writes)
  }

  get entries(): readonly LogEntry[] {
    return this.#writes.entries
  }

  get records(): ReadonlyMap<DocumentId, DocumentRecord> {
    return this.#writes.records
  }

  get digests(): ReadonlyMap<CollectionId, Digest> {
    return this.#writes.digests
  }

  /** Places that are taken and free once this is durable. */
  get places(): PlaceChanges {
    return this.#writes.places
  }

  /** Documents whose entries before this index of `entries` are to be dropped once this is durable. */
  get dropped(): ReadonlyMap<DocumentId, number> {
    return this.#writes.dropped
  }

  /** @returns why nothing of it was taken: it builds on what is not in the log, or is there already. */
  local(submission: LocalSubmission): Denial | undefined {
    const { document } = submission
    const record = this.#writes.record(document)
    const denial =
      this.#outdated(submission, record) ?? this.#retired(submission) ?? this.#misplaced(submission)
    if (denial !== undefined) return denial
    const home = record?.collection ?? submission.collection
    for (const event of submission.events) this.#writes.take(document, home, event, undefined)
    return undefined
  }

  /** A handle that has not been loaded again since the log has another epoch. */
  #retired({ events }: LocalSubmission): Denial | undefined {
    return events.some(({ header }) => this.#view.isRetired(header.actor)) ? RETIRED : undefined
  }

  remote(submission: RemoteSubmission): readonly Reject[] {
    const rejects: Reject[] = []
    for (const entry of submission.entries) {
      const before = this.#writes.record(entry.wire.document)
      const denial = this.#incoming(entry, submission)
      noteMoves(this.#writes, entry.wire, before)
      this.#noteReturn(entry.wire.document, before)
      if (denial !== undefined) {
        const { kind } = entry.wire
        const named = kind === 'event' ? entry.events[0]?.header : entry.base
        const hash = kind === 'event' || kind === 'base' ? named?.hash : undefined
        rejects.push({ document: entry.wire.document, kind, hash, ...denial })
      }
    }
    if (submission.peer !== undefined) this.peer(submission.peer)
    return rejects
  }

  /** Collections in which who brought a document back may have more of it. Given once. */
  takeReturned(): readonly CollectionId[] {
    const homes = [...this.#returned].map((document) => homeOf(this.#writes.record(document)))
    this.#returned.clear()
    return [...new Set(homes.filter((home) => home !== undefined))]
  }

  /** What left with it may have been on its way to who brought the document back, and count there. */
  #noteReturn(document: DocumentId, before: DocumentRecord | undefined): void {
    const now = this.#writes.record(document)
    if (before?.left !== true || now?.left !== false) return
    if (before.fork > 0 || isParted(before.generation, now)) this.#returned.add(document)
  }

  peer(peer: PeerState): void {
    this.peers.set(peer.replica, peer)
    this.#writes.puts.push({ key: peerKey(peer.replica), value: encodeRecord(peer) })
  }

  note(puts: readonly Put[]): void {
    this.#writes.puts.push(...puts)
  }

  delete(document: DocumentId): void {
    const record = this.#writes.record(document)
    assert(record !== undefined, 'a document without a record cannot be deleted')
    if (!record.deleted && !record.left) this.#writes.bury(document, record.collection, undefined)
  }

  move(submission: MoveSubmission): void {
    const { document, to } = submission
    const record = this.#writes.record(document)
    assert(record !== undefined, 'a document without a record cannot be moved')
    if (record.collection === to || record.deleted || record.left) return
    const events = this.#writes.eventsOf(document)
    const from = record.collection
    this.#writes.rehome(document, from, to)
    const bytes = this.#generations.pack(document, events)
    this.#writes.push('join', document, to, bytes, undefined)
    this.#writes.push('leave', document, from, new Uint8Array(0), undefined)
  }

  /** Ends a generation of a document. */
  cut(submission: CutSubmission): void {
    this.#generations.cut(submission)
  }

  /** Marks refused events, and every event of the document that builds on them, as not counting. */
  reject(submission: RejectSubmission): void {
    rejectEntries(this.#writes, this.#generations, this.rejected, submission)
  }

  /** What is written under keys of its own: of peers, and of events that do not count. */
  get noted(): readonly Put[] {
    return this.#writes.puts
  }

  /** All writes of the key-value side. Positions of new entries start at `first`. */
  puts(first: number): readonly Put[] {
    return this.#writes.allPuts(first)
  }

  get isEmpty(): boolean {
    return this.#writes.isEmpty
  }

  #incoming(arrived: IncomingEntry, submission: RemoteSubmission): Denial | undefined {
    const record = this.#writes.record(arrived.wire.document)
    const entry = placed(arrived, record)
    if (entry === undefined) return arrived.wire.kind === 'leave' ? undefined : GONE
    const { wire } = entry
    // Nobody need be asked about it, unless it tells of a move.
    const isOver = this.#generations.isOver(arrived)
    if (isOver && wire.collection === record?.collection) return undefined
    const home = record === undefined || record.left ? wire.collection : record.collection
    if (this.#isHere(entry, record)) return undefined
    const denied = submission.check(entry, home, record)
    if (denied !== undefined) return denied
    // It comes back with a join or a base only. What is dropped without a word would count as durable.
    const isLate = wire.kind === 'event' || wire.kind === 'tombstone'
    if (isLate && record?.left === true) return GONE
    if (wire.kind === 'event' && this.#generations.isStray(wire)) {
      return this.#generations.putAside(entry, submission.from)
    }
    // Places are told apart within one generation only.
    const denial = this.#generations.isStray(wire) ? undefined : this.#dishonest(entry, submission)
    if (denial !== undefined) return denial
    switch (wire.kind) {
      case 'base': {
        if (isOver && record !== undefined) this.#follow(entry, record.collection, submission.from)
        else if (entry.base !== undefined) {
          this.#generations.adopt(wire, entry.base, submission, arrived.wire.collection)
        }
        return undefined
      }
      case 'event': {
        // Who sent it to an old home may hear of the leave before it hears of the new one: then it has
        // dropped the event, and gets it back with the document.
        const from = wire.collection === home ? submission.from : undefined
        for (const event of entry.events) this.#writes.take(wire.document, home, event, from)
        return undefined
      }
      case 'tombstone': {
        if (record?.deleted !== true) this.#writes.bury(wire.document, home, submission.from)
        return undefined
      }
      case 'snapshot':
      case 'join': {
        return this.#join(entry, record, submission, arrived.wire.collection)
      }
      case 'leave': {
        if (record !== undefined && !record.left && record.collection === wire.collection) {
          this.#leave(wire, record, submission)
        }
        return undefined
      }
    }
  }

  /** It comes again when its acknowledgement was lost: what it was let in by, or where it was, may be over. */
  #isHere({ wire, events }: IncomingEntry, record: DocumentRecord | undefined): boolean {
    if (record === undefined || record.left || this.#generations.isStray(wire)) return false
    if (wire.kind !== 'event') return wire.kind === 'tombstone' && record.deleted
    return events.every(({ header: { actor, sequence, hash } }) => {
      return this.#writes.place(wire.document, actor, sequence) === hash
    })
  }

  /** Two different events for one place of one actor, or a first event that no kind begins with. */
  #dishonest(entry: IncomingEntry, submission: RemoteSubmission): Denial | undefined {
    for (const { header } of entry.events) {
      const known = this.#writes.place(entry.wire.document, header.actor, header.sequence)
      if (known !== undefined && known !== header.hash) {
        return {
          code: 'ACCESS_EQUIVOCATION',
          message: 'the author has another event at the same place',
        }
      }
      const { actor, hash, message } = header
      if (actor === this.#view.genesisActor && !this.#view.isGenesis(hash, message)) {
        return {
          code: 'ACCESS_DENIED',
          message: 'no known kind of document begins with this event',
        }
      }
      const denial = known === undefined ? this.#unbelieved(header, entry, submission) : undefined
      if (denial !== undefined) return denial
    }
    return undefined
  }

  /** What is written again is believed when the one who wrote it first is. */
  #unbelieved(
    header: EventHeader,
    { wire }: IncomingEntry,
    { checkNew }: RemoteSubmission,
  ): Denial | undefined {
    if (checkNew === undefined) return undefined
    const origin = originOf(header, normalGeneration(wire.generation), this.#view.sha256)
    return checkNew(origin === undefined ? header : { ...header, actor: origin.actor })
  }

  /** An own event has to be of the generation that is here. */
  #outdated(
    { generation }: LocalSubmission,
    record: DocumentRecord | undefined,
  ): Denial | undefined {
    if (record?.left === true) return GONE
    if (generation === undefined || generation === (record?.generation ?? 1)) return undefined
    return OUTDATED
  }

  /** An own event has to follow the last one of its actor, and nothing else may stand at its place. */
  #misplaced({ document, events }: LocalSubmission): Denial | undefined {
    const coming = new Set<string>()
    for (const { header } of events) {
      const { actor, sequence, hash } = header
      const known = this.#writes.place(document, actor, sequence)
      if (known !== undefined && known !== hash) return TAKEN
      const isFirst = sequence === 1 || coming.has(`${actor}/${sequence - 1}`)
      if (!isFirst && this.#writes.place(document, actor, sequence - 1) === undefined)
        return UNFOUNDED
      coming.add(`${actor}/${sequence}`)
    }
    return undefined
  }

  #join(
    entry: IncomingEntry,
    record: DocumentRecord | undefined,
    submission: RemoteSubmission,
    named: CollectionId,
  ): Denial | undefined {
    const { document, collection } = entry.wire
    const { from } = submission
    if (entry.base !== undefined) {
      this.#generations.adopt(entry.wire, entry.base, submission, named)
      return this.#joinLater(entry, record, from)
    }
    if (record === undefined || record.left) {
      if (record !== undefined) {
        const first = { generation: FIRST_GENERATION, begun: undefined }
        this.#writes.set(document, { ...record, ...first, collection, left: false })
      }
      // Passed on as a join: a peer of ours that this document left takes it back with nothing less.
      if (entry.wire.kind === 'join') {
        this.#writes.push('join', document, collection, entry.wire.bytes, from)
      }
      for (const event of entry.events) this.#writes.take(document, collection, event, from)
      // Who brings it back may not know that it has ended, nor may those to whom it is passed on.
      if (record?.deleted === true) this.#writes.bury(document, collection, undefined)
      return undefined
    }
    if (record.collection !== collection) this.#follow(entry, record.collection, from)
    return this.#takeJoined(entry, from)
  }

  #takeJoined(entry: IncomingEntry, from: string): Denial | undefined {
    if (this.#generations.isStray(entry.wire)) return this.#generations.putAside(entry, from)
    const { document, collection } = entry.wire
    for (const event of entry.events) this.#writes.take(document, collection, event, from)
    return undefined
  }

  /** A join in a later generation: the base has brought the document here and home, if it is news. */
  #joinLater(
    entry: IncomingEntry,
    before: DocumentRecord | undefined,
    from: string,
  ): Denial | undefined {
    const { document, collection, bytes } = entry.wire
    const record = this.#writes.record(document)
    if (record !== undefined && record.collection !== collection) {
      this.#follow(entry, record.collection, from)
    } else if (before !== undefined && before.collection !== collection && !before.left) {
      this.#writes.push('join', document, collection, bytes, from)
    }
    return this.#takeJoined(entry, from)
  }

  /** A document moves between two collections that are both here: peers may share but the old one. */
  #follow(entry: IncomingEntry, old: CollectionId, from: string): void {
    const { document, collection } = entry.wire
    this.#writes.rehome(document, old, collection)
    this.#writes.push('join', document, collection, this.#packed(entry), from)
    this.#writes.push('leave', document, old, STAYS, from)
    // Who shares but the new home has not been told of the end in the old one.
    if (this.#writes.record(document)?.deleted === true)
      this.#writes.push('tombstone', document, collection, new Uint8Array(0), undefined)
  }

  /** The join that peers are told of: with what stands here in the old home, which they may not share. */
  #packed({ wire, events }: IncomingEntry): Uint8Array {
    const { document } = wire
    const here = this.#writes.eventsOf(document)
    if (wire.kind === 'base' || this.#generations.isStray(wire))
      return this.#generations.pack(document, here)
    const all = joinedEvents(events, here)
    return all === undefined ? wire.bytes : this.#generations.pack(document, all)
  }

  #leave(wire: WireEntry, record: DocumentRecord, submission: RemoteSubmission): void {
    const { document } = wire
    const { from, peer, refused, atMs = 0 } = submission
    const events = this.#writes.eventsOf(document)
    // Who tells of the leave takes no more events in the old home: what it lacks would be lost with it.
    const unsent = peer === undefined ? [] : this.#writes.unsent(document, peer)
    const lacks = new Set([...unsent, ...(refused?.(document) ?? [])])
    const aside = new Map<CheckedEvent, Denial>()
    const parted = isParted(wire.generation, record)
    const late = this.#generations.late(document)
    if (parted && !record.deleted)
      for (const event of ownEvents(record.generation, events, late, this.#view))
        aside.set(event, PARTED)
    for (const event of events) if (lacks.has(event.header.hash)) aside.set(event, LEFT)
    for (const [event, why] of aside)
      this.#writes.setAside(document, event, { ...why, peer: from, atMs })
    const isEndAside = record.deleted && lacks.has(TOMBSTONE)
    if (isEndAside) this.#writes.setEndAside(document, { ...LEFT, peer: from, atMs })
    this.#generations.setStateAside(document, { ...LEFT, peer: from, atMs }, lacks)
    this.#writes.clear(document, record.collection)
    this.#generations.forget(document)
    const now = this.#writes.record(document) ?? record
    // Passed on as it came: those behind us have to know what became of their edits.
    const generation = parted ? wire.generation : now.generation
    this.#writes.set(document, { ...now, generation })
    this.#writes.push('leave', document, record.collection, new Uint8Array(0), from)
    const fork = now.fork + (aside.size > 0 || isEndAside ? 1 : 0)
    this.#writes.set(document, { ...now, generation, fork, left: true, entries: 0, bytes: 0 })
  }
}
