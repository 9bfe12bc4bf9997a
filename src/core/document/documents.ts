import { decodeChange } from '@automerge/automerge/slim'

import { DocumentError, isTidewayError, StorageUnavailableError } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import { needAutomerge } from './automerge.ts'
import { DocumentReader, reportDamage } from './document-reader.ts'
import { eachBegun } from './generation-carry.ts'
import { type Held, ReadyDocuments } from './held.ts'
import { type DocumentKind, PLAIN_KIND } from './kind.ts'
import { type Edit, type EditOptions, OpenDocument } from './open-document.ts'
import type { JsonMap } from './value.ts'

export interface DocumentsOptions {
  readonly log: EventLog
  readonly clock: Clock
  readonly sha256: Sha256
  readonly logger: Logger
  /** How many bytes of documents that nobody holds stay loaded, by estimate. */
  readonly cacheBytesMax: number
  /** Runs what reads a document, and again once damage that stood in its way is repaired. Default: once. */
  readonly retried?: (<T>(run: () => Promise<T>) => Promise<T>) | undefined
  /** Told of each event of another replica that was applied; `concurrent` when it made one more head. */
  readonly onMerged?: ((concurrent: boolean) => void) | undefined
}

export type { Held, HeldChange } from './held.ts'

/**
 * The documents that are loaded: one copy each, read from the log when somebody looks, dropped when
 * nobody holds them and memory is needed.
 */
export class Documents {
  readonly #options: DocumentsOptions
  readonly #held = new Map<DocumentId, Promise<Held>>()
  readonly #loaded = new Map<DocumentId, Held>()
  readonly #reader: DocumentReader
  /** How many wait to hold a document. */
  readonly #wanted = new Map<DocumentId, number>()
  readonly #ready = new ReadyDocuments()
  #bytes = 0

  constructor(options: DocumentsOptions) {
    this.#options = options
    this.#reader = new DocumentReader(options)
    options.log.onAppended((entries) => {
      eachBegun(
        entries,
        (document, begun) => this.#begun(document, begun),
        (entry) => this.#appended(entry),
      )
    })
  }

  /** Sets WASM memory aside once, so that it does not grow in steps that each cost a full collection. */
  static reserve(bytes: number): void {
    needAutomerge()
    try {
      // The decoder copies its input into WASM memory before it refuses it; the pages stay.
      decodeChange(new Uint8Array(bytes))
    } catch {
      return
    }
  }

  /** How many documents are loaded, and their bytes by estimate. */
  get usage(): { readonly documents: number; readonly bytes: number } {
    return { documents: this.#loaded.size, bytes: this.#bytes }
  }

  /**
   * Loads a document, or gives the loaded one. Call {@link release} when done. One that was opened without
   * a kind takes on the first kind that somebody gives.
   */
  async hold(id: DocumentId, kind: DocumentKind, collection: CollectionId): Promise<Held> {
    let loading = this.#held.get(id)
    if (loading === undefined) {
      loading = this.#load(id, kind, collection)
      this.#held.set(id, loading)
      loading.catch(() => this.#held.delete(id))
    }
    // Counted before the wait: it must not be dropped between being read and being handed out.
    this.#wanted.set(id, (this.#wanted.get(id) ?? 0) + 1)
    try {
      const held = await loading
      const isPlain = held.document.kind.name === PLAIN_KIND.name && kind.name !== PLAIN_KIND.name
      if (isPlain || held.failure !== undefined) await this.#reload(held, kind)
      held.holders += 1
      // Newest use last: the cache drops from the front.
      if (this.#loaded.delete(id)) this.#loaded.set(id, held)
      return held
    } finally {
      const wanted = (this.#wanted.get(id) ?? 1) - 1
      if (wanted > 0) this.#wanted.set(id, wanted)
      else this.#wanted.delete(id)
    }
  }

  release(held: Held): void {
    held.holders -= 1
    const resting = this.#ready.use(held)
    for (const changed of [held, resting]) if (changed !== undefined) this.#account(changed)
    this.#shrink()
  }

  /** The value of a document that is loaded right now, without loading it. */
  loaded(id: DocumentId): OpenDocument | undefined {
    return this.#loaded.get(id)?.document
  }

  /** Loaded documents that lack events which others in them build on. */
  incomplete(): readonly DocumentId[] {
    const found: DocumentId[] = []
    for (const [id, { document }] of this.#loaded) if (document.missing.length > 0) found.push(id)
    return found
  }

  /**
   * Records one edit. It is seen here at once; `held.durable` tells when it is on disk.
   *
   * @returns the event's hash, or undefined when nothing changed.
   */
  edit(held: Held, base: JsonMap, next: unknown, options: EditOptions): EventHash | undefined {
    if (held.failure !== undefined) {
      // It may be readable by now: for the next try.
      this.#reloadLater(held)
      throw held.failure
    }
    const { document } = held
    const { clock } = this.#options
    const timeSeconds = options.timeSeconds ?? Math.floor(clock.wallMs() / 1000)
    const edit = this.#make(held, () => document.edit(base, next, { ...options, timeSeconds }))
    if (edit === undefined) return undefined
    this.#store(held, edit)
    this.#tell(held, 'local')
    return edit.hash
  }

  #store(held: Held, { events }: Edit): void {
    held.pending += 1
    const { id: document, collection, generation } = held.document
    const { log } = this.#options
    const stored = log.commit({ type: 'local', document, collection, events, generation })
    held.durable = stored.then(
      () => this.#settled(held),
      (error: unknown) => this.#failed(held, error),
    )
    // Who waits on it sees the failure; who does not must not bring the process down.
    held.durable.catch(() => undefined)
  }

  /** Reads a document again from the log: after events of ours were refused. */
  async reload(id: DocumentId): Promise<void> {
    const run = (): Promise<void> => this.reloadOnce(id)
    await (this.#options.retried?.(run) ?? run())
  }

  /** The same, for who has just repaired it: damage that was not there then is left to the next look. */
  async reloadOnce(id: DocumentId): Promise<void> {
    const held = this.#loaded.get(id)
    if (held !== undefined) await this.#reload(held, held.document.kind)
  }

  /** Reads every loaded document again: this replica writes under another name from here on. */
  async reloadAll(): Promise<void> {
    for (const [id, held] of [...this.#loaded]) {
      if (this.#loaded.get(id) === held) await this.#reloadSurely(held)
    }
  }

  /** Waits until every local edit is durable or has failed. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#loaded.values()].map((held) => held.durable))
  }

  async #load(id: DocumentId, kind: DocumentKind, collection: CollectionId): Promise<Held> {
    return await this.#reader.read({ id, kind, collection }, (document) => {
      const held: Held = {
        document,
        durable: Promise.resolve(),
        listeners: new Set(),
        holders: 0,
        pending: 0,
        failure: undefined,
        reloading: undefined,
        bytes: 0,
      }
      this.#loaded.set(id, held)
      this.#account(held)
      return held
    })
  }

  /** No edit is taken until it is done: it would build on what is about to be replaced. */
  async #reload(held: Held, kind: DocumentKind): Promise<void> {
    const { id, collection } = held.document
    held.failure ??= new StorageUnavailableError('the document is being read again', {
      fields: { document: id },
    })
    const before = held.reloading
    const reloading = (async () => {
      // One after another: the last one sees the newest log.
      await before?.catch(() => undefined)
      await this.#reader.read({ id, kind, collection }, (fresh) => {
        if (this.#loaded.get(id) !== held) return fresh.free()
        held.document.free()
        held.document = fresh
        if (held.reloading === reloading) held.failure = undefined
        this.#account(held)
      })
    })()
    held.reloading = reloading
    try {
      await reloading
    } catch (error) {
      if (held.reloading === reloading) held.failure = error
      throw error
    } finally {
      if (held.reloading === reloading) held.reloading = undefined
    }
    this.#tell(held, 'remote')
  }

  #reloadLater(held: Held): void {
    if (held.reloading !== undefined || held.pending > 0) return
    void this.#reloadSurely(held)
  }

  /** Past damage, which is repaired. Never rejects. */
  async #reloadSurely(held: Held): Promise<void> {
    const { id, kind } = held.document
    const run = (): Promise<void> => this.#reload(held, kind)
    try {
      await (this.#options.retried?.(run) ?? run())
    } catch (error) {
      // What stands in the way of its repair says more to who wants to edit than the damage.
      if (held.failure !== undefined) held.failure = error
      this.#unread(id, error)
    }
  }

  /** An edit that fails for no reason of its own leaves the document in no state to go on with. */
  #make(held: Held, edit: () => Edit | undefined): Edit | undefined {
    try {
      return edit()
    } catch (cause) {
      if (isTidewayError(cause)) throw cause
      this.#unusable(held, cause)
      throw held.failure
    }
  }

  #unusable(held: Held, cause: unknown): void {
    const { id } = held.document
    this.#options.logger.error('a document has to be read again', { document: id, error: cause })
    held.failure = new DocumentError(
      'DOCUMENT_BROKEN',
      'the document is being read again',
      { document: id },
      cause,
    )
    this.#reloadLater(held)
  }

  /** A generation begins: the document goes on with it, and with the edits that are under way. */
  #begun(id: DocumentId, entries: readonly StoredEntry[]): void {
    const held = this.#loaded.get(id)
    if (held === undefined) return
    const old = held.document
    if (old.left || held.failure !== undefined) {
      held.failure ??= new StorageUnavailableError('the document is being read again')
      return this.#reloadLater(held)
    }
    try {
      const { log, sha256 } = this.#options
      const { kind, collection } = old
      const actor = log.actor(log.known(id)?.fork ?? 0)
      const fresh = new OpenDocument(id, kind, { collection, actor, sha256 })
      fresh.load(entries)
      const edits = old.underWay
      held.document = fresh
      held.durable = fresh.deleted && edits.length > 0 ? fresh.refusal() : Promise.resolve()
      for (const carried of fresh.deleted ? [] : edits) {
        const edit = fresh.redo(carried)
        if (edit !== undefined) this.#store(held, edit)
      }
      old.free()
      this.#tell(held, 'remote')
    } catch (cause) {
      this.#unusable(held, cause)
    }
    this.#account(held)
  }

  #appended(entry: StoredEntry): void {
    const held = this.#loaded.get(entry.document)
    if (held === undefined) return
    const { document } = held
    if (entry.kind === 'leave') {
      // After a move the document is at home elsewhere already, and stays.
      if (entry.collection !== document.collection) return
      document.end({ deleted: document.deleted, left: true })
      this.#tell(held, 'remote')
      return
    }
    if (document.left) {
      // It is back: what was loaded before is of no use, its edits are not in the log.
      held.failure = new StorageUnavailableError('the document is being read again')
      this.#reloadLater(held)
      return
    }
    try {
      const damaged = document.damaged.length
      const heads = document.heads.length
      const changed = document.apply(entry)
      if (changed && entry.from !== undefined)
        this.#options.onMerged?.(heads > 0 && document.heads.length > heads)
      if (document.damaged.length > damaged) reportDamage(document, this.#options.logger)
      if (changed) this.#tell(held, 'remote')
    } catch (cause) {
      this.#unusable(held, cause)
    }
    this.#account(held)
  }

  #account(held: Held): void {
    const bytes = held.document.memoryBytes
    this.#bytes += bytes - held.bytes
    held.bytes = bytes
  }

  #settled(held: Held): void {
    held.pending -= 1
    this.#shrink()
  }

  async #failed(held: Held, error: unknown): Promise<void> {
    held.pending -= 1
    const isCarried = isTidewayError(error) && error.code === 'DOCUMENT_COMPACTED'
    // It has been made again in the new generation.
    if (isCarried && held.failure === undefined) return await held.durable
    held.failure = error
    const { id } = held.document
    this.#options.logger.warn('an edit could not be stored', { document: id, error })
    const isClosed = isTidewayError(error) && error.code === 'USAGE_CLOSED'
    if (held.pending === 0 && !isClosed) await this.#reloadSurely(held)
    throw error
  }

  /** Said only: the next edit and the next opening try again. */
  #unread(id: DocumentId, error: unknown): void {
    const { logger } = this.#options
    const message = 'a document cannot be read again'
    // A storage that is full, closed or taken says nothing about the document.
    const isHarmless = isTidewayError(error) && error.code !== 'STORAGE_CORRUPT'
    if (isHarmless) logger.warn(message, { document: id, error })
    else logger.error(message, { document: id, error })
  }

  #tell(held: Held, origin: 'local' | 'remote'): void {
    const { heads, deleted } = held.document
    for (const listener of [...held.listeners]) {
      try {
        listener({ origin, heads, deleted })
      } catch (error) {
        const { id } = held.document
        this.#options.logger.error('a subscriber of a document failed', { document: id, error })
      }
    }
  }

  #shrink(): void {
    for (const [id, held] of this.#loaded) {
      if (this.#bytes <= this.#options.cacheBytesMax) return
      if (held.holders > 0 || held.pending > 0 || this.#wanted.has(id)) continue
      if (held.reloading !== undefined) continue
      this.#loaded.delete(id)
      this.#held.delete(id)
      this.#ready.drop(held)
      this.#bytes -= held.bytes
      held.document.free()
    }
  }
}
