import { denyAll, type Principal } from '../access/policy.ts'
import { type HandleOptions, openHandle } from '../document/create-handle.ts'
import { Documents } from '../document/documents.ts'
import type { DocumentHandle } from '../document/handle.ts'
import type { SchemaOutput, StandardSchema } from '../document/schema.ts'
import type { JsonMap } from '../document/value.ts'
import { DocumentError, UsageError } from '../errors.ts'
import type { ActorId, CollectionId, DocumentId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Cancel } from '../interfaces/clock.ts'
import type { Connection, Listener } from '../interfaces/transport.ts'
import type { QuarantinedActor } from '../log/authors.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { AppendListener, EventLog } from '../log/event-log.ts'
import type { DamageRecord, DocumentRecord, LateRecord, RejectedRecord } from '../log/records.ts'
import { AcknowledgementTable } from './acknowledgements.ts'
import type { Compaction } from './compaction.ts'
import { Connections } from './connections.ts'
import { followElsewhere } from './elsewhere.ts'
import { OTHER_EPOCH } from './link-endings.ts'
import { checkName } from './names.ts'
import type {
  ConnectedPeer,
  ConnectOptions,
  OpenOptions,
  ReplicaOptions,
  StreamAccepter,
} from './options.ts'
import type { PeerStream } from './peer-stream.ts'
import { Projection } from './projections.ts'
import { Refusals } from './refusals.ts'
import { Renewal } from './renewal.ts'
import { Repairs } from './repairs.ts'
import type { Signal } from './signals.ts'
import { type ReplicaStatus, readStatus } from './status.ts'
import { LagTable } from './status-lag.ts'
import { WaitingEvents } from './status-waiting.ts'
import type { Measuring } from './unmeasured.ts'
import type { Uplink } from './uplink.ts'

/** Documents that nobody holds stay loaded up to this estimate, below the WASM heap's slow growth. */
const CACHE_BYTES = 40 << 20

/**
 * A participant with a log: opens documents, syncs with peers, and keeps everything that was written.
 */
export class Replica {
  readonly #log: EventLog
  readonly #documents: Documents
  readonly #acknowledgements = new AcknowledgementTable()
  readonly #handles: HandleOptions
  readonly #connections: Connections
  readonly #rejectListeners = new Set<(documents: readonly DocumentId[]) => void>()
  readonly #projection: (name: string) => Projection
  readonly #projections = new Map<string, Projection>()
  readonly #status: () => Promise<ReplicaStatus>
  readonly #measuring: Cancel
  readonly #compaction: Compaction | undefined
  readonly #renewal: Renewal
  readonly #repairs: Repairs
  #closing: Promise<void> | undefined

  constructor(
    options: ReplicaOptions,
    log: EventLog,
    measuring: Measuring,
    damage: ReadonlyMap<DocumentId, DamageRecord>,
  ) {
    const policy = options.policy ?? denyAll
    const measures = measuring.sink
    this.#log = log
    const { storage, clock, random, sha256, logger } = options
    this.#projection = (name) => new Projection(storage, name, clock, logger)
    const cacheBytesMax = options.cacheBytesMax ?? CACHE_BYTES
    const onMerged = (concurrent: boolean): void => measures.merged(concurrent)
    const retried = <T>(run: () => Promise<T>): Promise<T> => this.#repairs.retried(run)
    const reading = { cacheBytesMax, onMerged, retried }
    const documents = new Documents({ log, clock, sha256, logger, ...reading })
    this.#documents = documents
    const taken = (documents: readonly DocumentId[]) => this.#taken(documents)
    const refusals = new Refusals(log, { policy, clock, sha256, logger, retried }, taken)
    const acknowledgements = this.#acknowledgements
    this.#handles = { acknowledgements, logger, replicaOf: (actor) => log.authors.of(actor) }
    const lag = new LagTable(log.head)
    const waiting = new WaitingEvents(log, sha256)
    log.onAppended((entries, head) => {
      for (const part of [measures, waiting]) part.appended(entries)
      lag.appended(entries, head)
    })
    followElsewhere(log, { acknowledgements, logger, taken })
    const endLinks = (): void => this.#connections.links.refuse(OTHER_EPOCH)
    this.#renewal = new Renewal({ log, documents, logger, measures, endLinks })
    const reconcile = (collections: readonly CollectionId[]): void =>
      this.#connections.links.reconcile(collections)
    const healing = { log, documents, acknowledgements, clock, logger, measures, reconcile }
    this.#repairs = new Repairs(healing, damage)
    this.#connections = new Connections({
      ...{ log, policy, clock, random, sha256, logger, repairs: this.#repairs },
      lost: (position) => this.#renewal.lost(position),
      ...{ acknowledgements, refusals, compression: options.compression },
      ...{ measures, waiting, admission: options.admission },
    })
    const parts = { log, storage, acknowledgements, clock, logger, repairs: this.#repairs }
    this.#compaction = options.compaction?.(parts)
    const connections = this.#connections
    const told = { connections, acknowledgements, lag, waiting, repairs: this.#repairs }
    const sources = { log, storage, clock, documents, ...told }
    this.#status = () => retried(() => readStatus(sources))
    this.#measuring = measuring.watch(sources)
  }

  get name(): ReplicaId {
    return this.#log.replica
  }

  get epoch(): Epoch {
    return this.#log.epoch
  }

  /** The newest durable position of the log. */
  get head(): Position {
    return this.#log.head
  }

  /** Who writes here. */
  get actor(): ActorId {
    return this.#log.actor(0)
  }

  /** How many documents are loaded, and their bytes by estimate. */
  get usage(): { readonly documents: number; readonly bytes: number } {
    return this.#documents.usage
  }

  /**
   * Opens a document, new or known. A new one exists from its first edit on. Its type is the caller's word,
   * or what the schema says, which then refuses local edits that do not fit.
   *
   * @throws UsageError when the id or the collection is not 1 to 512 (256) bytes of text; for a schema that
   * answers with promises.
   * @throws DocumentError `DOCUMENT_BROKEN` when it cannot be read from its events.
   */
  open<Schema extends StandardSchema>(
    id: DocumentId,
    options: OpenOptions & { readonly schema: Schema },
  ): Promise<DocumentHandle<SchemaOutput<Schema>>>
  open<Value = JsonMap>(id: DocumentId, options?: OpenOptions): Promise<DocumentHandle<Value>>
  async open<Value = JsonMap>(
    id: DocumentId,
    options: OpenOptions = {},
  ): Promise<DocumentHandle<Value>> {
    this.#check()
    checkName('id', id, 512)
    const collection = checkName('collection', options.collection ?? 'default', 256)
    const { kind, schema } = options
    const handles = { ...this.#handles, schema }
    return await this.#repairs.retried(() =>
      openHandle<Value>(this.#documents, { id, kind, collection }, handles),
    )
  }

  /**
   * Deletes a document on every replica, for good: later edits of it are kept and never shown.
   *
   * @throws DocumentError `DOCUMENT_DELETED` when there is none.
   */
  async delete(id: DocumentId): Promise<void> {
    this.#check()
    const record = await this.#log.record(id)
    if (record === undefined || record.deleted || record.left) {
      throw new DocumentError('DOCUMENT_DELETED', 'there is no such document', { document: id })
    }
    await this.#repairs.commit({ type: 'delete', document: id })
  }

  /** Gives a document another home: subscribers of the old one drop it, those of the new one get it. */
  async move(id: DocumentId, collection: CollectionId): Promise<void> {
    this.#check()
    checkName('collection', collection, 256)
    const record = await this.#log.record(id)
    if (record === undefined || record.left) {
      throw new DocumentError('DOCUMENT_DELETED', 'there is no such document', { document: id })
    }
    await this.#repairs.commit({ type: 'move', document: id, to: collection })
  }

  /** What is known of a document without opening it. */
  record(id: DocumentId): Promise<DocumentRecord | undefined> {
    return this.#log.record(id)
  }

  /**
   * Rows kept beside the log that save their maker from opening documents at the next start. One of each
   * name, which is 1 to 64 bytes of text.
   */
  projection(name: string): Projection {
    this.#check()
    checkName('name', name, 64)
    const projection = this.#projections.get(name) ?? this.#projection(name)
    this.#projections.set(name, projection)
    return projection
  }

  /** Every document whose id starts with `prefix`, in order of id, deleted ones included. */
  documents(
    prefix = '',
  ): AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }> {
    return this.#log.documents(prefix)
  }

  /**
   * Cuts the history of a document now: what it is becomes the beginning of a new generation, and all that
   * led to it goes. For who owns its collection: other replicas take a base from who may bring one.
   *
   * @returns whether there was history to cut.
   */
  async compact(id: DocumentId): Promise<boolean> {
    this.#check()
    const record = await this.#log.record(id)
    if (record === undefined || record.left) return false
    const { generation } = record
    await this.#repairs.commit({ type: 'cut', document: id, generation })
    return (await this.#log.record(id))?.generation !== generation
  }

  /**
   * Events that belong to another generation of their document than the one that is here. They are kept
   * until their author, or another replica that has their history, has written them again.
   */
  late(): AsyncIterable<LateRecord & { readonly document: DocumentId; readonly hash: string }> {
    return this.#log.late()
  }

  /** Events of ours that a peer refused. They no longer count in their documents and are kept here. */
  rejected(): AsyncIterable<
    RejectedRecord & { readonly document: DocumentId; readonly hash: string }
  > {
    return this.#log.rejected()
  }

  /** Calls back when a peer refused events of these documents: their values went back. */
  onRejected(listener: (documents: readonly DocumentId[]) => void): Cancel {
    this.#rejectListeners.add(listener)
    return () => this.#rejectListeners.delete(listener)
  }

  /** Calls back after each append, when it is durable, with what was appended in order of position. */
  onAppended(listener: AppendListener): Cancel {
    return this.#log.onAppended(listener)
  }

  /** Reads the log itself, in order of position. */
  readLog(query: {
    readonly after: Position
    readonly document?: DocumentId
    readonly bytesMax: number
  }): Promise<{
    readonly entries: readonly StoredEntry[]
    readonly upTo: Position
    readonly end: boolean
  }> {
    return this.#repairs.retried(() => this.#log.read(query))
  }

  /** The digest of collections, as hex: equal on replicas with the same events. */
  async digest(collections: readonly CollectionId[]): Promise<string> {
    const sum = await this.#log.digest(collections)
    return sum.sum.toString(16).padStart(32, '0')
  }

  /** Keeps a peer connected until the uplink or the replica is closed. */
  connect(options: ConnectOptions): Uplink {
    this.#check()
    return this.#connections.connect(options)
  }

  /** Accepts every connection of a listener until the replica is closed, which closes the listener too. */
  serve(listener: Listener): void {
    this.#check()
    this.#connections.serve(listener)
  }

  /** Takes one connection that came in. Its principal must have been authenticated by the transport. */
  accept(connection: Connection): void {
    this.#check()
    this.#connections.accept(connection)
  }

  /** The peers that are connected now. */
  peers(): readonly ConnectedPeer[] {
    return this.#connections.peers
  }

  /** Calls back when a peer is connected and when it is gone. */
  onPeer(listener: (peer: ConnectedPeer, connected: boolean) => void): Cancel {
    return this.#connections.onPeer(listener)
  }

  /** How this replica is: plain data, ready to be printed as JSON. It costs a look at every peer. */
  status(): Promise<ReplicaStatus> {
    this.#check()
    return this.#status()
  }

  /**
   * Asks the policy again about what is shared with connected peers, or with those of one principal.
   * A connection that shares more than is allowed by now ends; the peer may come back for the rest.
   * To be called when what the policy says may have changed: it is asked by itself only at the start.
   */
  recheck(principal?: Principal): void {
    this.#connections.recheck(principal)
  }

  /** Writers whose events are refused, because their own replica wrote two for one place. */
  quarantined(): readonly QuarantinedActor[] {
    return this.#log.authors.quarantined
  }

  /**
   * Takes the events of a quarantined writer again, from the next one on.
   *
   * @returns whether it was in quarantine.
   */
  async pardon(actor: ActorId): Promise<boolean> {
    this.#check()
    const puts = this.#log.authors.pardon(actor)
    if (puts !== undefined) await this.#log.commit({ type: 'note', puts })
    return puts !== undefined
  }

  /** Ends the connections of a principal, for instance because its access was withdrawn. */
  disconnect(principal: Principal): void {
    this.#connections.links.evict((link) => link.principal === principal)
  }

  /** Sets a signal that every connected peer sees, now and when it connects; `undefined` withdraws it. */
  signal(key: string, value: Uint8Array | undefined): void {
    this.#check()
    this.#connections.signal(key, value)
  }

  /** Calls back for each signal of a peer whose key starts with `prefix`. */
  onSignal(prefix: string, listener: (signal: Signal) => void): Cancel {
    return this.#connections.signals.listen(prefix, listener)
  }

  /**
   * Opens a byte pipe to a connected peer.
   *
   * @throws ConnectionClosedError when the peer is not connected.
   */
  openStream(peer: ReplicaId, protocol: string, head: Uint8Array): PeerStream {
    this.#check()
    return this.#connections.openStream(peer, protocol, head)
  }

  /** Serves streams of one protocol that peers open. One accepter a protocol; the last one counts. */
  onStream(protocol: string, accepter: StreamAccepter): Cancel {
    return this.#connections.accepters.set(protocol, accepter)
  }

  /**
   * Ends everything in order: no new connections, links closed, edits stored, storage closed. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shutDown(): Promise<void> {
    const failures: unknown[] = []
    const step = async (work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: unknown) => failures.push(error))
    }
    this.#measuring()
    this.#repairs.close()
    await this.#connections.close(step)
    this.#acknowledgements.close()
    await step(async () => this.#compaction?.close())
    await step(() => this.#documents.settle())
    for (const projection of this.#projections.values()) await projection.close()
    await step(() => this.#log.close())
    if (failures.length > 0) throw failures[0]
  }

  /** A peer refused events of these documents: their values go back. */
  async #taken(documents: readonly DocumentId[]): Promise<void> {
    for (const document of documents) await this.#documents.reload(document)
    for (const listener of [...this.#rejectListeners]) listener(documents)
  }

  #check(): void {
    if (this.#closing !== undefined) throw new UsageError('USAGE_CLOSED', 'the replica is closed')
  }
}
