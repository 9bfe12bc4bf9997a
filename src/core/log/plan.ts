import { fromHex } from '../bytes.ts'
import { assert } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Put } from '../interfaces/storage.ts'
import type { EntryKind, PeerState, Reject } from '../sync/io.ts'
import { DIGEST_BYTES, Digest, digestTerm } from './digest.ts'
import type { LogEntry } from './entry.ts'
import { packEvents } from './entry.ts'
import { homePuts } from './homes.ts'
import { digestKey, documentKey, peerKey, rejectedKey, sequenceKey } from './keys.ts'
import { withDescendants } from './lineage.ts'
import { type DocumentRecord, encodeRecord } from './records.ts'
import type {
  CheckedEvent,
  Denial,
  IncomingEntry,
  LocalSubmission,
  MoveSubmission,
  RejectSubmission,
  RemoteSubmission,
} from './submission.ts'

/** What a plan needs to know of the log as it is. All of it has been fetched before planning starts. */
export interface PlanView {
  readonly sha256: Sha256
  record(document: DocumentId): DocumentRecord | undefined
  /** The hash stored for (document, actor, sequence). */
  sequence(key: string): EventHash | undefined
  digest(collection: CollectionId): bigint
  /** Whether this hash is the first event of a known kind of document. */
  isGenesis(hash: EventHash): boolean
  readonly genesisActor: string
  /** The events that count in a document, for a change of home. Only asked for documents in `moves`. */
  events(document: DocumentId): readonly CheckedEvent[]
}

/**
 * Decides what one atomic append writes. Pure: it looks at a {@link PlanView} and at its own pending
 * writes, and holds entries, puts and new digests until the storage has taken them.
 */
export class Plan {
  readonly entries: LogEntry[] = []
  readonly records: Map<DocumentId, DocumentRecord> = new Map()
  readonly digests: Map<CollectionId, Digest> = new Map()
  readonly peers: Map<string, PeerState> = new Map()
  /** Documents whose entries before this index of `entries` are to be dropped once this is durable. */
  readonly dropped: Map<DocumentId, number> = new Map()
  /** Documents of which events of ours stopped counting, and which: dropped once this is durable. */
  readonly rejected: Map<DocumentId, ReadonlySet<EventHash>> = new Map()
  /** `undefined`: what stands at this place is forgotten by this plan. */
  readonly #sequences = new Map<string, EventHash | undefined>()
  /** What is left of the events that a document had before this plan, where it dropped some. */
  readonly #kept = new Map<DocumentId, readonly CheckedEvent[]>()
  /** The events that this plan adds to a document. */
  readonly #taken = new Map<DocumentId, CheckedEvent[]>()
  /** The digests of the documents that this plan adds to or takes from. */
  readonly #sums = new Map<DocumentId, Digest>()
  readonly #puts: Put[] = []
  readonly #view: PlanView

  constructor(view: PlanView) {
    this.#view = view
  }

  /** @returns why nothing of it was taken: it builds on what is not in the log, or is there already. */
  local(submission: LocalSubmission): Denial | undefined {
    const { document } = submission
    const record = this.#record(document)
    const denial = record?.left === true ? GONE : this.#misplaced(submission)
    if (denial !== undefined) return denial
    const home = record?.collection ?? submission.collection
    for (const event of submission.events) this.#take(document, home, event, undefined)
    return undefined
  }

  remote(submission: RemoteSubmission): readonly Reject[] {
    const rejects: Reject[] = []
    for (const entry of submission.entries) {
      const denial = this.#incoming(entry, submission)
      if (denial !== undefined) {
        const hash = entry.wire.kind === 'event' ? entry.events[0]?.header.hash : undefined
        rejects.push({ document: entry.wire.document, hash, ...denial })
      }
    }
    if (submission.peer !== undefined) this.peer(submission.peer)
    return rejects
  }

  peer(peer: PeerState): void {
    this.peers.set(peer.replica, peer)
    this.#puts.push({ key: peerKey(peer.replica), value: encodeRecord(peer) })
  }

  note(puts: readonly Put[]): void {
    this.#puts.push(...puts)
  }

  delete(document: DocumentId): void {
    const record = this.#record(document)
    assert(record !== undefined, 'a document without a record cannot be deleted')
    if (!record.deleted && !record.left) this.#bury(document, record.collection, undefined)
  }

  move(submission: MoveSubmission): void {
    const { document, to } = submission
    const record = this.#record(document)
    assert(record !== undefined, 'a document without a record cannot be moved')
    if (record.collection === to || record.deleted || record.left) return
    const events = this.#eventsOf(document)
    const from = record.collection
    this.#rehome(document, from, to)
    const bytes = packEvents(events.map((event) => event.bytes))
    this.#push('join', document, to, bytes, undefined)
    this.#push('leave', document, from, new Uint8Array(0), undefined)
  }

  /** Marks refused events, and every event of the document that builds on them, as not counting. */
  reject(submission: RejectSubmission): void {
    for (const reject of submission.rejects) {
      const record = this.#record(reject.document)
      if (record === undefined || record.left || reject.hash === undefined) continue
      const events = this.#eventsOf(reject.document)
      const refused = withDescendants(reject.hash, events)
      if (refused.size === 0) continue
      for (const { header, bytes } of events) {
        if (!refused.has(header.hash)) continue
        this.#uncount(reject.document, record.collection, header.hash)
        this.#sequences.set(sequenceKey(reject.document, header.actor, header.sequence), undefined)
        const { code, message } = reject
        const { peer, atMs } = submission
        this.#puts.push({
          key: rejectedKey(reject.document, header.hash),
          value: encodeRecord({ code, message, peer, atMs, bytes }),
        })
      }
      const before = this.rejected.get(reject.document)
      this.rejected.set(reject.document, new Set([...(before ?? []), ...refused]))
      this.#keep(
        reject.document,
        events.filter(({ header }) => !refused.has(header.hash)),
      )
      this.#set(reject.document, { ...record, fork: record.fork + (before === undefined ? 1 : 0) })
    }
  }

  /** All writes of the key-value side. Positions of new entries start at `first`. */
  puts(first: number): readonly Put[] {
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
    const puts = [...this.#puts]
    for (const [key, hash] of this.#sequences) {
      puts.push({ key, value: hash === undefined ? undefined : fromHex(hash) })
    }
    for (const [document, record] of this.records) {
      puts.push({ key: documentKey(document), value: encodeRecord(record) })
      puts.push(...homePuts(document, this.#view.record(document), record))
    }
    for (const [collection, digest] of this.digests) {
      puts.push({ key: digestKey(collection), value: digest.bytes() })
    }
    return puts
  }

  get isEmpty(): boolean {
    return this.entries.length === 0 && this.#puts.length === 0 && this.records.size === 0
  }

  #incoming(entry: IncomingEntry, submission: RemoteSubmission): Denial | undefined {
    const { wire } = entry
    const record = this.#record(wire.document)
    const home = record === undefined || record.left ? wire.collection : record.collection
    const denial = submission.check(entry, home, record) ?? this.#dishonest(entry, submission)
    if (denial !== undefined) return denial
    switch (wire.kind) {
      case 'event': {
        // A document that left comes back with a join only: a late event of it is of no use here.
        if (record?.left !== true)
          for (const event of entry.events) this.#take(wire.document, home, event, submission.from)
        return undefined
      }
      case 'tombstone': {
        if (record?.deleted !== true) this.#bury(wire.document, home, submission.from)
        return undefined
      }
      case 'snapshot':
      case 'join': {
        this.#join(entry, record, submission.from)
        return undefined
      }
      case 'leave': {
        if (record !== undefined && !record.left && record.collection === wire.collection) {
          this.#leave(wire.document, record, submission.from)
        }
        return undefined
      }
    }
  }

  /** Two different events for one place of one actor, or a first event that no kind begins with. */
  #dishonest(entry: IncomingEntry, submission: RemoteSubmission): Denial | undefined {
    for (const { header } of entry.events) {
      const known = this.#sequence(sequenceKey(entry.wire.document, header.actor, header.sequence))
      if (known !== undefined && known !== header.hash) {
        return {
          code: 'ACCESS_EQUIVOCATION',
          message: 'the author has another event at the same place',
        }
      }
      if (header.actor === this.#view.genesisActor && !this.#view.isGenesis(header.hash)) {
        return {
          code: 'ACCESS_DENIED',
          message: 'no known kind of document begins with this event',
        }
      }
      const denial = known === undefined ? submission.checkNew?.(header) : undefined
      if (denial !== undefined) return denial
    }
    return undefined
  }

  /** An own event has to follow the last one of its actor, and nothing else may stand at its place. */
  #misplaced({ document, events }: LocalSubmission): Denial | undefined {
    const coming = new Set<string>()
    for (const { header } of events) {
      const key = sequenceKey(document, header.actor, header.sequence)
      const known = this.#sequence(key)
      if (known !== undefined && known !== header.hash) return TAKEN
      const earlier = sequenceKey(document, header.actor, header.sequence - 1)
      const isFirst = header.sequence === 1 || coming.has(earlier)
      if (!isFirst && this.#sequence(earlier) === undefined) return UNFOUNDED
      coming.add(key)
    }
    return undefined
  }

  #join(entry: IncomingEntry, record: DocumentRecord | undefined, from: string): void {
    const { document, collection } = entry.wire
    if (record === undefined || record.left) {
      if (record !== undefined) {
        this.#set(document, { ...record, collection, left: false })
        if (record.deleted) this.#count(document, collection, 'tombstone')
      }
      // Passed on as a join: a peer of ours that this document left takes it back with nothing less.
      if (entry.wire.kind === 'join') {
        this.#push('join', document, collection, entry.wire.bytes, from)
      }
      for (const event of entry.events) this.#take(document, collection, event, from)
      return
    }
    if (record.collection !== collection) {
      this.#rehome(document, record.collection, collection)
      this.#push('join', document, collection, entry.wire.bytes, from)
    }
    for (const event of entry.events) this.#take(document, collection, event, from)
  }

  #leave(document: DocumentId, record: DocumentRecord, from: string): void {
    const sum = this.#sum(document)
    this.#digest(record.collection).subtract(sum.sum)
    sum.subtract(sum.sum)
    for (const { header } of this.#eventsOf(document)) {
      this.#sequences.set(sequenceKey(document, header.actor, header.sequence), undefined)
    }
    this.#keep(document, [])
    this.dropped.set(document, this.entries.length)
    this.#push('leave', document, record.collection, new Uint8Array(0), from)
    const now = this.#record(document) ?? record
    this.#set(document, { ...now, left: true, entries: 0, bytes: 0 })
  }

  #rehome(document: DocumentId, from: CollectionId, to: CollectionId): void {
    const record = this.#record(document)
    assert(record !== undefined, 'a document without a record has no home')
    const { sum } = this.#sum(document)
    this.#digest(from).subtract(sum)
    this.#digest(to).add(sum)
    this.#set(document, { ...record, collection: to, moves: (record.moves ?? 0) + 1 })
  }

  #take(
    document: DocumentId,
    home: CollectionId,
    event: CheckedEvent,
    from: string | undefined,
  ): void {
    const { header, bytes } = event
    const key = sequenceKey(document, header.actor, header.sequence)
    if (this.#sequence(key) !== undefined) return
    this.#sequences.set(key, header.hash)
    const taken = this.#taken.get(document)
    if (taken === undefined) this.#taken.set(document, [event])
    else taken.push(event)
    this.#count(document, home, header.hash)
    this.#push('event', document, home, bytes, from, header.hash)
  }

  #bury(document: DocumentId, home: CollectionId, from: string | undefined): void {
    this.#count(document, home, 'tombstone')
    this.#push('tombstone', document, home, new Uint8Array(0), from)
    const record = this.#record(document)
    if (record !== undefined) this.#set(document, { ...record, deleted: true })
  }

  #push(
    kind: EntryKind,
    document: DocumentId,
    collection: CollectionId,
    bytes: Uint8Array,
    from: string | undefined,
    hash?: EventHash,
  ): void {
    const record = this.#record(document) ?? NEW_RECORD
    this.entries.push({
      kind,
      document,
      collection,
      generation: record.generation,
      from,
      hash,
      bytes,
    })
    this.#set(document, {
      ...record,
      collection: record === NEW_RECORD ? collection : record.collection,
      entries: record.entries + 1,
      bytes: record.bytes + bytes.length,
    })
  }

  #term(document: DocumentId, name: string): bigint {
    return digestTerm(document, this.#record(document)?.generation ?? 1, name, this.#view.sha256)
  }

  /** Adds one entry to the digests of its document and of the collection that is its home. */
  #count(document: DocumentId, home: CollectionId, name: string): void {
    const term = this.#term(document, name)
    this.#digest(home).add(term)
    this.#sum(document).add(term)
  }

  #uncount(document: DocumentId, home: CollectionId, name: string): void {
    const term = this.#term(document, name)
    this.#digest(home).subtract(term)
    this.#sum(document).subtract(term)
  }

  /** The digest of one document. */
  #sum(document: DocumentId): Digest {
    let sum = this.#sums.get(document)
    if (sum === undefined) {
      const record = this.#record(document)
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

  /** The events that count in a document by now. */
  #eventsOf(document: DocumentId): readonly CheckedEvent[] {
    const kept = this.#kept.get(document) ?? this.#view.events(document)
    return [...kept, ...(this.#taken.get(document) ?? [])]
  }

  #keep(document: DocumentId, events: readonly CheckedEvent[]): void {
    this.#kept.set(document, events)
    this.#taken.delete(document)
  }

  #record(document: DocumentId): DocumentRecord | undefined {
    return this.records.get(document) ?? this.#view.record(document)
  }

  #set(document: DocumentId, record: DocumentRecord): void {
    this.records.set(document, record)
  }

  #sequence(key: string): EventHash | undefined {
    return this.#sequences.has(key) ? this.#sequences.get(key) : this.#view.sequence(key)
  }
}

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

const GONE: Denial = { code: 'DOCUMENT_DELETED', message: 'the document is no longer here' }

const TAKEN: Denial = {
  code: 'ACCESS_EQUIVOCATION',
  message: 'another event of this writer stands at the same place',
}

const UNFOUNDED: Denial = {
  code: 'STORAGE_UNAVAILABLE',
  message: 'the edit builds on one that was not stored',
}
