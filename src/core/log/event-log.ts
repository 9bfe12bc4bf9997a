import { UsageError } from '../errors.ts'
import type { ActorId, CollectionId, DocumentId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Cancel, Random } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { RecordQuery, Storage } from '../interfaces/storage.ts'
import type { PeerState } from '../sync/io.ts'
import { Authors, actorOf } from './authors.ts'
import { failBatch, takeBatch, type Waiting, type Work } from './batch.ts'
import { Digest } from './digest.ts'
import { dropStopped } from './drop-stopped.ts'
import { fromRecord, type StoredEntry, toRecord } from './entry.ts'
import { documentsAt, type HomeRange } from './homes.ts'
import { openIdentity, renewIdentity } from './identity.ts'
import { type KeptAside, keptAside, refusedOf } from './kept-aside.ts'
import { IDENTITY_KEY, LATE_PREFIX, PEER_PREFIX, REJECTED_PREFIX } from './keys.ts'
import { countingEntries } from './lineage.ts'
import { LogCache, NO_PLACES } from './log-cache.ts'
import type { EventLogOptions } from './log-options.ts'
import { LogRepairs } from './log-repairs.ts'
import { Plan } from './plan.ts'
import { withRecentRecords } from './recent-records.ts'
import {
  type DocumentRecord,
  decodeRecord,
  type Identity,
  type LateRecord,
  type RejectedRecord,
} from './records.ts'
import { type ElsewhereListener, SharedLog } from './shared-log.ts'
import type { Committed, Submission } from './submission.ts'
import { carryOut, denied, type Outcome } from './work.ts'

/** Called after each append, with what is durable now. What it throws is logged. */
export type AppendListener = (entries: readonly StoredEntry[], head: Position) => void

/** How many actors of an epoch that is over write no more. Each refusal in a document takes the next. */
const FORKS_RETIRED = 64

const NONE: ReadonlySet<string> = new Set()

/** How much of a document is read at once. */
const PAGE_BYTES_MAX = 1 << 20

/**
 * The one durable, append-only log of a replica: the truth that documents are views of.
 *
 * Submissions are planned and appended in the order of the calls; those that wait while an append is
 * under way share the next one (group commit). Nothing is told to anyone before it is durable. When an
 * append fails, everything that waits is rejected with the same error: it may build on what was lost.
 */
export class EventLog {
  readonly replica: ReplicaId
  /** Who writes under which actor, and who is not believed. */
  readonly authors: Authors
  /** Takes damaged entries out, so that what was lost with them may come again. */
  readonly repairs: LogRepairs
  readonly #storage: Storage
  readonly #sha256: Sha256
  readonly #cache: LogCache
  readonly #listeners = new Set<AppendListener>()
  readonly #logger: Logger | undefined
  /** Undefined when nobody else may open the storage. */
  readonly #shared: SharedLog | undefined
  #epoch: Epoch
  /** Whether what had been made known may have been lost before this opening. */
  #mayRenew: boolean
  readonly #random: Random
  #head: Position
  readonly #timed: EventLogOptions['timed']
  #queue: Work[] = []
  #running: Promise<void> | undefined
  #closed = false

  private constructor(
    options: EventLogOptions,
    identity: Identity,
    head: Position,
    cache: LogCache,
    shared: SharedLog | undefined,
    authors: Authors,
    isNew: boolean,
  ) {
    this.authors = authors
    this.#timed = options.timed
    this.#storage = withRecentRecords(options.storage)
    this.#sha256 = options.sha256
    this.#logger = options.logger
    this.#cache = cache
    const { sha256 } = options
    this.repairs = new LogRepairs({ storage: this.#storage, cache, sha256, log: this })
    this.replica = identity.replica
    this.#epoch = identity.epoch
    this.#mayRenew = !isNew && shared === undefined
    this.#random = options.random
    this.#head = head
    this.#shared = shared
    // Every barrier begins with a look.
    shared?.follow(() => void this.barrier(() => Promise.resolve()))
  }

  /**
   * Opens the log of `options.storage`, giving an empty storage its identity.
   *
   * @throws StorageForeignError when the storage belongs to another replica than `options.replica`.
   */
  static async open(options: EventLogOptions): Promise<EventLog> {
    const { storage } = options
    const shared = await SharedLog.open(storage)
    const [before] = await storage.get([IDENTITY_KEY])
    const identity = await openIdentity(options)
    const authors = await Authors.load(storage, identity, options.sha256)
    const isOwn = (actor: ActorId): boolean => authors.of(actor) === identity.replica
    const onFork = (fork: number): void => authors.noteFork(fork)
    const cache = new LogCache({ ...options, isOwn, onFork })
    for await (const { value } of storage.scan(PEER_PREFIX)) {
      const peer = decodeRecord<PeerState>(value, 'cursor')
      cache.peers.set(peer.replica, peer)
    }
    const isNew = before === undefined
    return new EventLog(options, identity, await storage.head(), cache, shared, authors, isNew)
  }

  /** Names the numbering of this log. Another one after {@link renew}. */
  get epoch(): Epoch {
    return this.#epoch
  }

  /** Whether {@link renew} may be called: once in an opening of a storage that nobody else has open. */
  get mayRenew(): boolean {
    return this.#mayRenew
  }

  /**
   * Goes on under another epoch, because the storage lost what had been made known: the same positions,
   * and places in documents, come to stand for something else. What is under way of local edits is
   * refused; documents are to be loaded again. Durable when it resolves.
   */
  renew(): Promise<void> {
    return this.barrier(async () => {
      if (!this.#mayRenew) return
      const forks = Array.from({ length: FORKS_RETIRED }, (_, fork) => this.actor(fork))
      const identity = await renewIdentity(this.#storage, this.#random)
      this.#mayRenew = false
      this.#cache.retire(forks)
      this.#epoch = identity.epoch
      this.authors.renew(identity)
    })
  }

  /** The newest durable position. */
  get head(): Position {
    return this.#head
  }

  /** Whether others may append to the storage too. */
  get isShared(): boolean {
    return this.#shared !== undefined
  }

  /** How many submissions wait for the storage. */
  get queued(): number {
    return this.#queue.length
  }

  /** Who writes here: changes with the epoch, and in a document where an event of ours was refused. */
  actor(fork: number): ActorId {
    return actorOf(this, fork, this.#storage.opener ?? 0, this.#sha256)
  }

  /** Resolves when the submission is durable; rejects with the storage's error when nothing was written. */
  commit(submission: Submission): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ type: 'submission', submission, settle: { resolve, reject } })
    })
  }

  /** Runs `run` when everything submitted before is durable and before anything later is planned. */
  barrier<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      // In a promise of its own: what `run` throws at once must not stop the log.
      const safely = async (): Promise<T> => await run()
      this.#enqueue({ type: 'barrier', run: () => safely().then(resolve, reject) })
    })
  }

  onAppended(listener: AppendListener): Cancel {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls back with what other openers of a shared storage did and no entry shows. */
  onElsewhere(listener: ElsewhereListener): Cancel {
    return this.#shared?.onElsewhere(listener) ?? (() => undefined)
  }

  /** One page of entries up to {@link head}, in order of position. See {@link Storage.read}. */
  async read(
    query: RecordQuery,
  ): Promise<{ entries: readonly StoredEntry[]; upTo: Position; end: boolean }> {
    const upTo = Math.min(query.upTo ?? this.#head, this.#head)
    const page = await this.#storage.read({ ...query, upTo })
    return { entries: page.records.map(fromRecord), upTo: page.upTo, end: page.end }
  }

  /** Every entry of one document that counts, in order of position. */
  async readDocument(document: DocumentId): Promise<readonly StoredEntry[]> {
    const record = await this.record(document)
    if (record === undefined || record.left) return []
    const refused = record.fork > 0 ? await refusedOf(this.#storage, document) : NONE
    const all: StoredEntry[] = []
    for (let after = 0; ; ) {
      const page = await this.read({ document, after, bytesMax: PAGE_BYTES_MAX })
      all.push(...page.entries)
      if (page.end) return countingEntries(all, refused)
      after = page.upTo
    }
  }

  /** What is known of a document without opening it. */
  async record(document: DocumentId): Promise<DocumentRecord | undefined> {
    await this.#cache.fetch(this.#storage, [document], NO_PLACES, [])
    return this.#cache.record(document)
  }

  /** What is known of a document that an entry just told of; undefined when that is not in memory. */
  known(document: DocumentId): DocumentRecord | undefined {
    return this.#cache.record(document)
  }

  /** Whether there is certainly no such document, as far as that is known without a look. */
  isFree(document: DocumentId): boolean {
    return this.#cache.names.isFree(document)
  }

  /** Every document whose id starts with `prefix`, in order. Deleted ones and those that left included. */
  documents(
    prefix = '',
  ): AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }> {
    return this.#cache.names.documents(this.#storage, prefix)
  }

  /** The documents at home in a collection, in order of id. Reads no other document. */
  documentsAt(
    collection: CollectionId,
    range: HomeRange,
  ): AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }> {
    return documentsAt(this.#storage, collection, range)
  }

  /** Events of ours that peers refused, oldest key first. */
  rejected(): AsyncIterable<KeptAside<RejectedRecord>> {
    return keptAside<RejectedRecord>(this.#storage, REJECTED_PREFIX, 'code')
  }

  /** Events that belong to another generation of their document than the one that is here. */
  late(): AsyncIterable<KeptAside<LateRecord>> {
    return keptAside<LateRecord>(this.#storage, LATE_PREFIX, 'generation')
  }

  peer(replica: ReplicaId): PeerState | undefined {
    return this.#cache.peers.get(replica)
  }

  /** What is remembered of every peer. */
  peers(): Iterable<PeerState> {
    return this.#cache.peers.values()
  }

  /** The digest of several collections together, as it is durable now. */
  async digest(collections: readonly CollectionId[]): Promise<Digest> {
    await this.#cache.fetch(this.#storage, [], NO_PLACES, collections)
    const sum = new Digest()
    for (const collection of collections) sum.add(this.#cache.digest(collection))
    return sum
  }

  /** Waits for what was submitted, then closes the storage. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    this.#shared?.close()
    while (this.#running !== undefined) await this.#running
    await this.#storage.close()
  }

  #enqueue(work: Work): void {
    if (this.#closed) {
      const error = new UsageError('USAGE_CLOSED', 'the replica is closed')
      if (work.type === 'submission') work.settle.reject(error)
      else void work.run()
      return
    }
    this.#queue.push(work)
    this.#running ??= this.#pump()
  }

  async #pump(): Promise<void> {
    // One turn later, so that everything submitted in the same turn shares the first append.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const next = this.#queue[0]
      if (next?.type === 'barrier') {
        this.#queue.shift()
        if (this.#shared !== undefined) await this.#look()
        await next.run()
        continue
      }
      await this.#append(takeBatch(this.#queue))
    }
    this.#running = undefined
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    try {
      const submissions = batch.map((work) => work.submission)
      const outcomes = await this.#carryOut(submissions)
      batch.forEach((work, index) => {
        const outcome = outcomes[index] ?? { rejects: [] }
        if (outcome.denial !== undefined) work.settle.reject(denied(outcome.denial))
        else work.settle.resolve({ head: this.#head, ...outcome })
      })
    } catch (error) {
      this.#queue = failBatch(batch, this.#queue, error)
    }
  }

  /** Plans and writes: once, or again each time that another opener was faster. */
  async #carryOut(submissions: readonly Submission[]): Promise<readonly Outcome[]> {
    for (let tries = 0; ; tries++) {
      await this.#cache.prepare(this.#storage, submissions, (document) =>
        this.readDocument(document),
      )
      const plan = new Plan(this.#cache)
      const outcomes = submissions.map((submission) => carryOut(plan, submission))
      try {
        if (!plan.isEmpty) await this.#write(plan)
        return outcomes
      } catch (error) {
        if (this.#shared?.isOvertaken(error, tries) !== true) throw error
      }
      await this.#catchUp()
    }
  }

  async #catchUp(): Promise<void> {
    await this.#shared?.catchUp({
      head: () => this.#head,
      renew: (peers) => this.#cache.renew(this.#storage, peers),
      take: (entries, head) => {
        this.#head = head
        this.#tell(entries)
      },
    })
  }

  /** Never rejects: who appends meets the same error, and is told. */
  async #look(): Promise<void> {
    await this.#catchUp().catch((error: unknown) => {
      this.#logger?.error('what other openers appended could not be read', { error })
    })
  }

  async #write(plan: Plan): Promise<void> {
    const first = this.#head + 1
    const done = this.#timed?.(plan.entries.length)
    const appended = await this.#storage.append({
      records: plan.entries.map(toRecord),
      puts: [...plan.puts(first), ...(this.#shared?.mark(plan.rejected.size > 0) ?? [])],
      expectedHead: this.#head,
      expectedRevision: this.#shared?.revision,
    })
    done?.()
    this.#head = appended.head
    this.#shared?.appended(appended)
    this.#cache.adopt(plan)
    this.#tell(plan.entries.map((entry, index) => ({ ...entry, position: appended.first + index })))
    await this.#clear(plan, appended.first)
  }

  #tell(stored: readonly StoredEntry[]): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(stored, this.#head)
      } catch (error) {
        this.#logger?.error('a listener of the log failed', { head: this.#head, error })
      }
    }
  }

  /** What stopped counting does not count either way, so a failure is no harm. */
  async #clear(plan: Plan, first: Position): Promise<void> {
    try {
      await dropStopped(this.#storage, plan, { first, head: this.#head })
    } catch (error) {
      this.#logger?.error('entries that stopped counting could not be dropped', { error })
    }
  }
}
