import { assert } from '../errors.ts'
import type { ActorId, CollectionId, DocumentId, EventHash } from '../ids.ts'
import type { Put } from '../interfaces/storage.ts'
import type { EntryKind, PeerState } from '../sync/io.ts'
import { DIGEST_BYTES, Digest, digestTerm } from './digest.ts'
import type { LogEntry } from './entry.ts'
import type { Beginning } from './generation.ts'
import { originOf } from './generation-origin.ts'
import { homePuts } from './homes.ts'
import { digestKey, documentKey, lateKey, rejectedKey } from './keys.ts'
import type { PlaceChanges } from './known-places.ts'
import { nameOf, TOMBSTONE } from './lineage.ts'
import { PlanPlaces } from './plan-places.ts'
import type { PlanView } from './plan-view.ts'
import { type DocumentRecord, encodeRecord, type RejectedRecord } from './records.ts'
import type { CheckedEvent } from './submission.ts'

/** Why an event stops counting. */
export type SetAside = Omit<RejectedRecord, 'bytes' | 'kind'>

const NEW_RECORD: DocumentRecord = {
  collection: '',
  generation: 1,
  last: 0,
  entries: 0,
  bytes: 0,
  digest: new Uint8Array(DIGEST_BYTES),
  deleted: false,
  left: false,
  fork: 0,
}

/**
 * The pending writes of one plan, seen together with what the log holds already: entries, records, digests
 * and the index of places stay in step, whoever decides what is written.
 */
export class PlanWrites {
  readonly entries: LogEntry[] = []
  readonly records: Map<DocumentId, DocumentRecord> = new Map()
  readonly digests: Map<CollectionId, Digest> = new Map()
  /** Documents whose entries before this index of `entries` are to be dropped once this is durable. */
  readonly dropped: Map<DocumentId, number> = new Map()
  readonly puts: Put[] = []
  /** What is left of the events that a document had before this plan, where it dropped some. */
  readonly #kept = new Map<DocumentId, readonly CheckedEvent[]>()
  readonly #places: PlanPlaces
  /** The digests of the documents that this plan adds to or takes from. */
  readonly #sums = new Map<DocumentId, Digest>()
  readonly #view: PlanView

  constructor(view: PlanView) {
    this.#view = view
    this.#places = new PlanPlaces(view)
  }

  get isEmpty(): boolean {
    return this.entries.length === 0 && this.puts.length === 0 && this.records.size === 0
  }

  /** All writes of the key-value side. Positions of new entries start at `first`. */
  allPuts(first: number): readonly Put[] {
    const last = new Map<DocumentId, number>()
    this.entries.forEach((entry, index) => {
      last.set(entry.document, first + index)
    })
    for (const [document, position] of last) {
      const record = this.records.get(document)
      if (record !== undefined) this.records.set(document, { ...record, last: position })
    }
    for (const [document, sum] of this.#sums) {
      const record = this.records.get(document)
      if (record !== undefined) this.records.set(document, { ...record, digest: sum.bytes() })
    }
    const puts = [...this.puts, ...this.#places.puts((document) => this.eventsOf(document))]
    for (const [document, record] of this.records) {
      puts.push({ key: documentKey(document), value: encodeRecord(record) })
      puts.push(...homePuts(document, this.#view.record(document), record))
    }
    for (const [collection, digest] of this.digests) {
      puts.push({ key: digestKey(collection), value: digest.bytes() })
    }
    return puts
  }

  record(document: DocumentId): DocumentRecord | undefined {
    return this.records.get(document) ?? this.#view.record(document)
  }

  set(document: DocumentId, record: DocumentRecord): void {
    this.records.set(document, record)
  }

  /** The hash of what stands at a place by now. */
  place(document: DocumentId, actor: ActorId, sequence: number): EventHash | undefined {
    return this.#places.at(document, actor, sequence)
  }

  /** What this plan does to places. */
  get places(): PlaceChanges {
    return this.#places
  }

  forget(document: DocumentId, event: CheckedEvent): void {
    this.#places.forget(document, event)
  }

  /** The events that count in a document by now. */
  eventsOf(document: DocumentId): readonly CheckedEvent[] {
    const kept = this.#kept.get(document) ?? this.#view.events(document)
    return [...kept, ...(this.#places.taken.get(document) ?? [])]
  }

  keep(document: DocumentId, events: readonly CheckedEvent[]): void {
    this.#kept.set(document, events)
    this.#places.dropTaken(document)
  }

  /** Nothing that a document had counts any more: its events, their places, its part of the digests. */
  clear(document: DocumentId, home: CollectionId): void {
    const sum = this.#sum(document)
    this.#digest(home).subtract(sum.sum)
    sum.subtract(sum.sum)
    for (const event of this.eventsOf(document)) this.forget(document, event)
    this.keep(document, [])
    this.dropped.set(document, this.entries.length)
  }

  rehome(document: DocumentId, from: CollectionId, to: CollectionId): void {
    const record = this.record(document)
    assert(record !== undefined, 'a document without a record has no home')
    const { sum } = this.#sum(document)
    this.#digest(from).subtract(sum)
    this.#digest(to).add(sum)
    this.set(document, { ...record, collection: to, moves: (record.moves ?? 0) + 1 })
  }

  /** Events of a document, and its end, that a peer lacks, as far as it said, and did not bring. */
  unsent(document: DocumentId, peer: PeerState): ReadonlySet<EventHash> {
    const unsent = new Set(this.#view.unsent(document, peer))
    for (const entry of this.entries) {
      const name = nameOf(entry)
      if (entry.document === document && name !== undefined && entry.from !== peer.replica)
        unsent.add(name)
    }
    return unsent
  }

  /** Keeps an event that stops counting where its author can see it. */
  setAside(document: DocumentId, { header, bytes }: CheckedEvent, why: SetAside): void {
    const value = encodeRecord({ ...why, bytes })
    this.puts.push({ key: rejectedKey(document, header.hash), value })
  }

  /** Keeps the end of a document that stops counting where it can be seen. */
  setEndAside(document: DocumentId, why: SetAside): void {
    const value = encodeRecord({ ...why, bytes: new Uint8Array(0) })
    this.puts.push({ key: rejectedKey(document, TOMBSTONE), value })
  }

  /** Keeps the beginning of a generation that stops counting where it can be seen. */
  setBaseAside(document: DocumentId, { hash, bytes }: Beginning, why: SetAside): void {
    const value = encodeRecord({ ...why, kind: 'base', bytes })
    this.puts.push({ key: rejectedKey(document, hash), value })
  }

  /** The beginning may have been set aside before, and counts. */
  acceptBase(document: DocumentId, hash: EventHash): void {
    this.puts.push({ key: rejectedKey(document, hash), value: undefined })
  }

  /** Adds an event, unless one stands at its place. */
  take(
    document: DocumentId,
    home: CollectionId,
    event: CheckedEvent,
    from: string | undefined,
  ): void {
    const { header, bytes } = event
    if (this.place(document, header.actor, header.sequence) !== undefined) return
    this.#places.take(document, event)
    this.count(document, home, header.hash)
    this.push('event', document, home, bytes, from, header.hash)
    this.#accept(document, header.hash)
    if (header.message === undefined) return
    const generation = this.record(document)?.generation ?? 1
    const origin = originOf(header, generation, this.#view.sha256)
    // What it writes again need not be kept aside any longer.
    if (origin !== undefined) this.puts.push({ key: lateKey(document, origin), value: undefined })
  }

  bury(document: DocumentId, home: CollectionId, from: string | undefined): void {
    this.count(document, home, TOMBSTONE)
    this.#accept(document, TOMBSTONE)
    this.push('tombstone', document, home, new Uint8Array(0), from)
    const record = this.record(document)
    if (record !== undefined) this.set(document, { ...record, deleted: true })
  }

  push(
    kind: EntryKind,
    document: DocumentId,
    collection: CollectionId,
    bytes: Uint8Array,
    from: string | undefined,
    hash?: EventHash,
  ): void {
    const record = this.record(document) ?? NEW_RECORD
    const { generation } = record
    this.entries.push({ kind, document, collection, generation, from, hash, bytes })
    this.set(document, {
      ...record,
      collection: record === NEW_RECORD ? collection : record.collection,
      entries: record.entries + 1,
      bytes: record.bytes + bytes.length,
    })
  }

  /** Adds one entry to the digests of its document and of the collection that is its home. */
  count(document: DocumentId, home: CollectionId, name: string): void {
    const term = this.#term(document, name)
    this.#digest(home).add(term)
    this.#sum(document).add(term)
  }

  /** What was refused once counts again: it came from elsewhere, or was made anew. */
  #accept(document: DocumentId, name: string): void {
    if ((this.record(document)?.fork ?? 0) > 0)
      this.puts.push({ key: rejectedKey(document, name), value: undefined })
  }

  uncount(document: DocumentId, home: CollectionId, name: string): void {
    const term = this.#term(document, name)
    this.#digest(home).subtract(term)
    this.#sum(document).subtract(term)
  }

  #term(document: DocumentId, name: string): bigint {
    return digestTerm(document, this.record(document)?.generation ?? 1, name, this.#view.sha256)
  }

  /** The digest of one document. */
  #sum(document: DocumentId): Digest {
    let sum = this.#sums.get(document)
    if (sum === undefined) {
      const record = this.record(document)
      sum = record === undefined ? new Digest() : Digest.of(record.digest)
      this.#sums.set(document, sum)
    }
    return sum
  }

  #digest(collection: CollectionId): Digest {
    let digest = this.digests.get(collection)
    if (digest === undefined) {
      digest = new Digest(this.#view.digest(collection))
      this.digests.set(collection, digest)
    }
    return digest
  }
}

/** The record of a document of which nothing is here. */
export function newRecord(collection: CollectionId): DocumentRecord {
  return { ...NEW_RECORD, collection }
}
