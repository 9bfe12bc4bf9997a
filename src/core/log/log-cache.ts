import type { ActorId, CollectionId, DocumentId, EventHash, ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Storage } from '../interfaces/storage.ts'
import type { PeerState } from '../sync/io.ts'
import { Digest } from './digest.ts'
import { DocumentNames } from './document-names.ts'
import type { StoredEntry } from './entry.ts'
import { readEvent } from './event.ts'
import { cutsOf, normalGeneration, type Rewriter } from './generation.ts'
import { fetchGeneration, GenerationCache } from './generation-cache.ts'
import { digestKey, documentKey, sequenceKey } from './keys.ts'
import { KnownPlaces } from './known-places.ts'
import type { LateLimits } from './late-room.ts'
import { laterEvents, nameOf } from './lineage.ts'
import { blockKey, placesUnder } from './place-blocks.ts'
import type { Plan } from './plan.ts'
import type { PlanView } from './plan-view.ts'
import { type DocumentRecord, decodeRecord } from './records.ts'
import type { CheckedEvent, Submission } from './submission.ts'

/** Documents of one batch whose places are read to follow them; where there are more, places are looked up. */
const LOADS_MAX = 4

/** No places are asked for. */
export const NO_PLACES: ReadonlyMap<string, DocumentId> = new Map()

/** How many document records stay in memory, at about 200 bytes each. */
const RECORDS_MAX = 50_000

export interface LogCacheOptions {
  readonly sha256: Sha256
  readonly genesisActor: ActorId
  readonly isGenesis: (hash: EventHash, message: string | undefined) => boolean
  /** Whether this actor is ours, or was under an epoch that is over. Default: none is. */
  readonly isOwn?: ((actor: ActorId) => boolean) | undefined
  /** Told how often events of ours were refused in a document, each time that its record is read or written. */
  readonly onFork?: ((fork: number) => void) | undefined
  /** Looks inside events when a generation ends. Without it nothing is cut. */
  readonly rewriter?: Rewriter | undefined
  /** How many document records stay in memory. Default: 50,000, at about 200 bytes each. */
  readonly recordsMax?: number | undefined
  /** How much is kept aside of events of other generations. Default: {@link LATE_LIMITS}. */
  readonly lateLimits?: LateLimits | undefined
}

/**
 * What planning needs of the key-value side of a storage, fetched ahead in one read, and what is cheap
 * to keep between plans. Everything here can be read again from the storage.
 */
export class LogCache implements PlanView {
  readonly sha256: Sha256
  readonly genesisActor: ActorId
  readonly isGenesis: (hash: EventHash, message: string | undefined) => boolean
  readonly isOwn: (actor: ActorId) => boolean
  readonly #onFork: ((fork: number) => void) | undefined
  readonly peers: Map<ReplicaId, PeerState> = new Map()
  /** `undefined` as a value: the storage has no such document. Oldest use first. */
  readonly #records = new Map<DocumentId, DocumentRecord | undefined>()
  readonly #digests = new Map<CollectionId, bigint>()
  readonly #recordsMax: number
  readonly #retired = new Set<ActorId>()
  /** Raised each time that everything is forgotten. */
  #era = 0
  readonly generations: GenerationCache
  readonly names: DocumentNames = new DocumentNames()
  #sequences = new Map<string, EventHash>()
  readonly #places = new KnownPlaces()
  /** Documents that are being planned: their records stay, however many others are asked for. */
  #planned: ReadonlySet<DocumentId> = new Set()
  #events = new Map<DocumentId, readonly CheckedEvent[]>()
  #entries = new Map<DocumentId, readonly StoredEntry[]>()

  constructor(options: LogCacheOptions) {
    this.sha256 = options.sha256
    this.genesisActor = options.genesisActor
    this.isGenesis = options.isGenesis
    this.isOwn = options.isOwn ?? (() => false)
    this.#onFork = options.onFork
    this.generations = new GenerationCache(options.rewriter, options.lateLimits)
    this.#recordsMax = options.recordsMax ?? RECORDS_MAX
  }

  /** These actors of ours write no more. */
  retire(actors: readonly ActorId[]): void {
    for (const actor of actors) this.#retired.add(actor)
  }

  isRetired(actor: ActorId): boolean {
    return this.#retired.has(actor)
  }

  record(document: DocumentId): DocumentRecord | undefined {
    return this.#records.get(document)
  }

  place(document: DocumentId, actor: ActorId, sequence: number): EventHash | undefined {
    if (this.#sequences.size === 0) return undefined
    return this.#sequences.get(sequenceKey(document, actor, sequence))
  }

  digest(collection: CollectionId): bigint {
    return this.#digests.get(collection) ?? 0n
  }

  events(document: DocumentId): readonly CheckedEvent[] {
    return this.#events.get(document) ?? []
  }

  unsent(document: DocumentId, peer: PeerState): ReadonlySet<EventHash> {
    const unsent = new Set<EventHash>()
    for (const entry of this.#entries.get(document) ?? []) {
      const name = nameOf(entry)
      const isComplete = peer.complete.includes(entry.collection)
      const isTheirs =
        entry.from === peer.replica
          ? entry.position > (peer.doubted ?? 0)
          : isComplete && entry.position <= peer.acked
      if (name !== undefined && !isTheirs) unsent.add(name)
    }
    return unsent
  }

  /** Fetches all that planning these submissions will ask for. */
  async prepare(
    storage: Storage,
    submissions: readonly Submission[],
    readDocument: (document: DocumentId) => Promise<readonly StoredEntry[]>,
  ): Promise<void> {
    const documents = new Set<DocumentId>()
    const whole = new Set<DocumentId>()
    for (const submission of submissions) {
      for (const { document, reads } of touched(submission)) {
        documents.add(document)
        if (reads) whole.add(document)
      }
    }
    this.#planned = documents
    await this.fetch(storage, [...documents], NO_PLACES, [])
    for (const document of this.#strays(submissions)) whole.add(document)
    const homes = new Set<CollectionId>()
    for (const submission of submissions) {
      for (const { document, collection } of touched(submission)) {
        const home = this.record(document)?.collection
        if (home !== undefined) homes.add(home)
        if (collection !== undefined) homes.add(collection)
      }
    }
    await this.#follow(storage, documents)
    await this.fetch(storage, [], this.#unknownPlaces(submissions), [...homes])
    this.#events = new Map()
    this.#entries = new Map()
    this.generations.clear()
    if (whole.size > 0 || isOfLaterGeneration(submissions)) await this.generations.measure(storage)
    for (const document of whole) {
      const entries = await readDocument(document)
      this.#events.set(document, this.#checked(entries))
      this.#entries.set(document, entries)
      const known = await fetchGeneration(storage, document, entries, this.sha256)
      this.generations.set(document, known)
    }
  }

  /** Makes sure that the places of these documents are known from here on, if they are few. */
  async #follow(storage: Storage, documents: ReadonlySet<DocumentId>): Promise<void> {
    const loads: DocumentId[] = []
    for (const document of documents) {
      if (this.#places.has(document)) continue
      if (this.record(document) === undefined) this.#places.begin(document)
      else if (loads.length <= LOADS_MAX) loads.push(document)
    }
    if (loads.length > LOADS_MAX) return
    for (const document of loads) await this.#places.load(storage, document)
  }

  /** The keys of places that planning will ask for and only the storage knows. Notes those that are known. */
  #unknownPlaces(submissions: readonly Submission[]): ReadonlyMap<string, DocumentId> {
    const unknown = new Map<string, DocumentId>()
    this.#sequences = new Map()
    const look = (document: DocumentId, actor: ActorId, sequence: number): void => {
      const known = this.#places.at(document, actor, sequence)
      if (known === 'free') return
      const key = sequenceKey(document, actor, sequence)
      if (known === undefined) {
        unknown.set(key, document).set(blockKey(document, actor, sequence), document)
      } else this.#sequences.set(key, known)
    }
    for (const submission of submissions) {
      for (const { document, events } of touched(submission)) {
        for (const { header } of events) {
          look(document, header.actor, header.sequence)
          if (submission.type === 'local' && header.sequence > 1)
            look(document, header.actor, header.sequence - 1)
        }
      }
    }
    return unknown
  }

  /** Fetches what is not here yet. */
  async fetch(
    storage: Storage,
    documents: readonly DocumentId[],
    places: ReadonlyMap<string, DocumentId>,
    collections: readonly CollectionId[],
  ): Promise<void> {
    const newDocuments = documents.filter(
      (document) => !this.#records.has(document) && !this.names.isFree(document),
    )
    const newCollections = collections.filter((collection) => !this.#digests.has(collection))
    const placeKeys = [...places.keys()]
    const keys = [...newDocuments.map(documentKey), ...placeKeys, ...newCollections.map(digestKey)]
    if (keys.length === 0) return
    const era = this.#era
    const values = await storage.get(keys)
    // What was read is older than what was forgotten meanwhile.
    if (era !== this.#era) return await this.fetch(storage, documents, places, collections)
    newDocuments.forEach((document, index) => {
      const value = values[index]
      // A plan may have been adopted while this waited: what it left is newer.
      if (this.#records.has(document)) return
      this.#remember(
        document,
        value === undefined ? undefined : decodeRecord<DocumentRecord>(value, 'last'),
      )
    })
    placeKeys.forEach((key, index) => {
      const value = values[newDocuments.length + index]
      const document = places.get(key)
      if (value === undefined || document === undefined) return
      for (const { actor, sequence, hash } of placesUnder(document, key, value))
        this.#sequences.set(sequenceKey(document, actor, sequence), hash)
    })
    newCollections.forEach((collection, index) => {
      const value = values[newDocuments.length + placeKeys.length + index]
      if (this.#digests.has(collection)) return
      this.#digests.set(collection, value === undefined ? 0n : Digest.of(value).sum)
    })
  }

  /** Forgets all that another opener of the storage may have changed. The digests are read again at once. */
  async renew(storage: Storage, peers: readonly PeerState[]): Promise<void> {
    this.#era += 1
    this.generations.forget()
    this.#records.clear()
    this.#places.clear()
    const collections = [...this.#digests.keys()]
    this.#digests.clear()
    this.peers.clear()
    for (const peer of peers) this.peers.set(peer.replica, peer)
    await this.fetch(storage, [], NO_PLACES, collections)
  }

  /** Takes over what a plan wrote, now that it is durable. */
  adopt(plan: Pick<Plan, 'records' | 'digests' | 'peers' | 'noted' | 'places'>): void {
    this.generations.wrote(plan.noted)
    this.#places.adopt(plan.places)
    for (const document of plan.records.keys()) this.names.add(document)
    for (const [document, record] of plan.records) this.#remember(document, record)
    for (const [collection, digest] of plan.digests) this.#digests.set(collection, digest.sum)
    for (const [replica, peer] of plan.peers) this.peers.set(replica, peer)
  }

  /** Documents of which events come that belong to another generation than the one that is here. */
  #strays(submissions: readonly Submission[]): readonly DocumentId[] {
    const strays: DocumentId[] = []
    for (const submission of submissions) {
      if (submission.type !== 'remote') continue
      for (const { wire } of submission.entries) {
        const generation = this.record(wire.document)?.generation
        if (generation !== undefined && generation !== normalGeneration(wire.generation))
          strays.push(wire.document)
      }
    }
    return strays
  }

  #remember(document: DocumentId, record: DocumentRecord | undefined): void {
    this.#records.delete(document)
    this.#records.set(document, record)
    if (record !== undefined && record.fork > 0) this.#onFork?.(record.fork)
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= this.#recordsMax) return
      if (!this.#planned.has(oldest)) this.#records.delete(oldest)
    }
  }

  #checked(entries: readonly StoredEntry[]): readonly CheckedEvent[] {
    return laterEvents(entries).map((bytes) => ({ bytes, header: readEvent(bytes, this.sha256) }))
  }
}

/** Whether something comes of a generation that a document that is not here cannot be in. */
function isOfLaterGeneration(submissions: readonly Submission[]): boolean {
  return submissions.some(
    (submission) =>
      submission.type === 'remote' &&
      submission.entries.some(({ wire }) => cutsOf(wire.generation) > 0),
  )
}

interface Touched {
  readonly document: DocumentId
  readonly collection: CollectionId | undefined
  readonly events: readonly CheckedEvent[]
  /** Whether planning needs every event of the document. */
  readonly reads: boolean
}

function touched(submission: Submission): readonly Touched[] {
  switch (submission.type) {
    case 'local': {
      const { document, collection, events } = submission
      return [{ document, collection, events, reads: false }]
    }
    case 'remote':
      return submission.entries.map(({ wire, events }) => ({
        document: wire.document,
        collection: wire.collection,
        events,
        reads: wire.kind === 'join' || wire.kind === 'leave' || wire.kind === 'base',
      }))
    case 'delete':
    case 'cut': {
      const reads = submission.type === 'cut'
      return [{ document: submission.document, collection: undefined, events: [], reads }]
    }
    case 'move':
      return [{ document: submission.document, collection: submission.to, events: [], reads: true }]
    case 'reject':
      return submission.rejects.map(({ document }) => ({
        document,
        collection: undefined,
        events: [],
        reads: true,
      }))
    case 'peer':
    case 'note':
      return []
  }
}
