import { decodeChange } from '@automerge/automerge'

import { DocumentError, isTidewayError, UsageError } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash, Heads } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import type { DocumentKind } from './kind.ts'
import { type EditOptions, OpenDocument } from './open-document.ts'
import type { JsonMap } from './value.ts'

/** What a loaded document costs beside its events, in bytes: WASM handle and JavaScript objects. */
const LOADED_BYTES = 24_000
/** How much a byte of events costs when it is loaded. */
const LOADED_FACTOR = 8
/** How often a document may break before it is left alone until the next start. */
const FAILURES_MAX = 3

export interface DocumentsOptions {
  readonly log: EventLog
  readonly clock: Clock
  readonly sha256: Sha256
  readonly logger: Logger
  /** How many bytes of documents that nobody holds stay loaded, by estimate. */
  readonly cacheBytesMax: number
}

/** A document that somebody holds, with the promise of its last local edit. */
export interface Held {
  document: OpenDocument
  /** Local edits so far are durable. */
  durable: Promise<void>
  /** Called after each change of the value, local or remote. */
  readonly listeners: Set<(change: HeldChange) => void>
  holders: number
  pending: number
  /** Why no edit is taken now: an append failed and the document is being read again. */
  failure: unknown
}

export interface HeldChange {
  readonly origin: 'local' | 'remote'
  readonly heads: Heads
  readonly deleted: boolean
}

/**
 * The documents that are loaded: one copy each, read from the log when somebody looks, dropped when
 * nobody holds them and memory is needed.
 */
export class Documents {
  readonly #options: DocumentsOptions
  readonly #held = new Map<DocumentId, Promise<Held>>()
  readonly #loaded = new Map<DocumentId, Held>()
  readonly #failures = new Map<DocumentId, number>()
  #bytes = 0

  constructor(options: DocumentsOptions) {
    this.#options = options
    options.log.onAppended((entries) => {
      for (const entry of entries) this.#appended(entry)
    })
  }

  /** Sets WASM memory aside once, so that it does not grow in steps that each cost a full collection. */
  static reserve(bytes: number): void {
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

  /** Loads a document, or gives the loaded one. Call {@link release} when done. */
  async hold(id: DocumentId, kind: DocumentKind, collection: CollectionId): Promise<Held> {
    let loading = this.#held.get(id)
    if (loading === undefined) {
      loading = this.#load(id, kind, collection)
      this.#held.set(id, loading)
      loading.catch(() => this.#held.delete(id))
    }
    const held = await loading
    held.holders += 1
    // Newest use last: the cache drops from the front.
    if (this.#loaded.delete(id)) this.#loaded.set(id, held)
    return held
  }

  release(held: Held): void {
    held.holders -= 1
    this.#shrink()
  }

  /** The value of a document that is loaded right now, without loading it. */
  loaded(id: DocumentId): OpenDocument | undefined {
    return this.#loaded.get(id)?.document
  }

  /**
   * Records one edit. It is seen here at once; `held.durable` tells when it is on disk.
   *
   * @returns the event's hash, or undefined when nothing changed.
   */
  edit(held: Held, base: JsonMap, next: unknown, options: EditOptions): EventHash | undefined {
    if (held.failure !== undefined) throw held.failure
    const { document } = held
    const { clock, log } = this.#options
    const timeSeconds = options.timeSeconds ?? Math.floor(clock.wallMs() / 1000)
    const edit = document.edit(base, next, { ...options, timeSeconds })
    if (edit === undefined) return undefined
    held.pending += 1
    const { id, collection } = document
    const stored = log.commit({ type: 'local', document: id, collection, events: edit.events })
    held.durable = stored.then(
      () => this.#settled(held),
      (error: unknown) => this.#failed(held, error),
    )
    // Who waits on it sees the failure; who does not must not bring the process down.
    held.durable.catch(() => undefined)
    this.#tell(held, 'local')
    return edit.hash
  }

  /** Reads a document again from the log: after events of ours were refused, or an append failed. */
  async reload(id: DocumentId): Promise<void> {
    const held = this.#loaded.get(id)
    if (held === undefined) return
    await this.#read(id, held.document.kind, held.document.collection, (fresh) => {
      const old = held.document
      this.#bytes += cost(fresh) - cost(old)
      held.document = fresh
      held.failure = undefined
      old.free()
    })
    this.#tell(held, 'remote')
  }

  /** Waits until every local edit is durable or has failed. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#loaded.values()].map((held) => held.durable))
  }

  async #load(id: DocumentId, kind: DocumentKind, collection: CollectionId): Promise<Held> {
    return await this.#read(id, kind, collection, (document) => {
      const held: Held = {
        document,
        durable: Promise.resolve(),
        listeners: new Set(),
        holders: 0,
        pending: 0,
        failure: undefined,
      }
      this.#loaded.set(id, held)
      this.#bytes += cost(document)
      return held
    })
  }

  /** Reads and adopts inside one barrier: nothing may be appended between the two. */
  async #read<T>(
    id: DocumentId,
    kind: DocumentKind,
    collection: CollectionId,
    adopt: (document: OpenDocument) => T,
  ): Promise<T> {
    if ((this.#failures.get(id) ?? 0) >= FAILURES_MAX) {
      throw new DocumentError(
        'DOCUMENT_BROKEN',
        'the document broke repeatedly and is left alone',
        { document: id },
      )
    }
    const { log, sha256 } = this.#options
    return await log.barrier(async () => {
      const record = await log.record(id)
      const home = record === undefined || record.left ? collection : record.collection
      const actor = log.actor(record?.fork ?? 0)
      const document = new OpenDocument(id, kind, { collection: home, actor, sha256 })
      const entries = await log.readDocument(id)
      try {
        document.load(entries)
      } catch (cause) {
        this.#broke(id, cause)
        throw new DocumentError(
          'DOCUMENT_BROKEN',
          'the document cannot be read from its events',
          { document: id },
          cause,
        )
      }
      document.deleted = record?.deleted ?? false
      return adopt(document)
    })
  }

  #appended(entry: StoredEntry): void {
    const held = this.#loaded.get(entry.document)
    if (held === undefined) return
    if (entry.kind === 'leave') {
      // After a move the document is at home elsewhere already, and stays.
      if (entry.collection !== held.document.collection) return
      held.document.deleted = true
      this.#tell(held, 'remote')
      return
    }
    try {
      const before = cost(held.document)
      const changed = held.document.apply(entry)
      this.#bytes += cost(held.document) - before
      if (changed) this.#tell(held, 'remote')
    } catch (cause) {
      this.#broke(entry.document, cause)
      held.failure = new DocumentError(
        'DOCUMENT_BROKEN',
        'the document is being read again',
        { document: entry.document },
        cause,
      )
      this.reload(entry.document).catch((error: unknown) => {
        this.#options.logger.error('a document cannot be read again', {
          document: entry.document,
          error,
        })
      })
    }
  }

  #settled(held: Held): void {
    held.pending -= 1
    this.#shrink()
  }

  async #failed(held: Held, error: unknown): Promise<never> {
    held.pending -= 1
    held.failure = error
    if (held.pending === 0 && !(isTidewayError(error) && error instanceof UsageError)) {
      await this.reload(held.document.id).catch((cause: unknown) => {
        held.failure = cause
      })
    }
    throw error
  }

  #broke(id: DocumentId, error: unknown): void {
    const failures = (this.#failures.get(id) ?? 0) + 1
    this.#failures.set(id, failures)
    this.#options.logger.error('a document broke', { document: id, failures, error })
  }

  #tell(held: Held, origin: 'local' | 'remote'): void {
    const { heads, deleted } = held.document
    for (const listener of [...held.listeners]) listener({ origin, heads, deleted })
  }

  #shrink(): void {
    for (const [id, held] of this.#loaded) {
      if (this.#bytes <= this.#options.cacheBytesMax) return
      if (held.holders > 0 || held.pending > 0 || held.listeners.size > 0) continue
      this.#loaded.delete(id)
      this.#held.delete(id)
      this.#bytes -= cost(held.document)
      held.document.free()
    }
  }
}

function cost(document: OpenDocument): number {
  return LOADED_BYTES + document.bytes * LOADED_FACTOR
}
