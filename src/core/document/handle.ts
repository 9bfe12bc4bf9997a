import { UsageError } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash, Heads, Position, ReplicaId } from '../ids.ts'
import type { AbortOptions } from '../interfaces/abort.ts'
import type { Cancel } from '../interfaces/clock.ts'
import type { Documents, Held } from './documents.ts'
import type { EditOptions } from './open-document.ts'
import { copyValue, type JsonMap } from './value.ts'

/** A change of a document's value, told to subscribers once, in causal order. */
export interface DocumentChange<Value> {
  readonly value: Value
  readonly heads: Heads
  /** `local` when a handle of this replica made it. */
  readonly origin: 'local' | 'remote'
  readonly deleted: boolean
}

/**
 * One open document: read it, change it, watch it. Close it when done, so that its memory can be used
 * for others.
 */
export interface DocumentHandle<Value> extends AsyncDisposable {
  readonly id: DocumentId
  readonly collection: CollectionId
  /** The current value: frozen, and the same object until the document changes. Empty before the first edit. */
  readonly value: Value
  /** The value without the edits that are not on this replica's disk yet. */
  readonly durableValue: Value
  /** Events that are stored and passed on, and that cannot be read: neither they nor what builds on them is in `value`. */
  readonly damaged: readonly EventHash[]
  /** The newest events. Empty before the first edit. */
  readonly heads: Heads
  readonly deleted: boolean
  /** Events that were named and are not here yet: what builds on them is not in `value`. */
  readonly missing: readonly EventHash[]
  /**
   * Records one event with every edit that `recipe` makes on the draft, a plain copy of `value`; a recipe
   * may return a new value instead. Only what differs is written, so edits by others merge field by field.
   *
   * @returns the event's hash, or undefined when nothing changed.
   * @throws DocumentError when the value cannot be held or the document is deleted.
   * @throws StorageUnavailableError while the document is read again, after a failed append or a refusal.
   * @throws UsageError after {@link close}.
   */
  change(recipe: (draft: Value) => Value | void, options?: EditOptions): EventHash | undefined
  /** Like {@link change}, for a writer who last saw `base` and wants `next`. */
  write(base: Value, next: Value, options?: EditOptions): EventHash | undefined
  /** Calls back after each change. What the listener throws is logged. */
  subscribe(listener: (change: DocumentChange<Value>) => void): Cancel
  /**
   * Resolves when every local edit so far is on this replica's disk; with `peer`, when that peer has
   * everything of this document on its disk.
   *
   * @throws the storage's error when an edit could not be stored. It is then no longer in `value`.
   */
  durable(peer?: ReplicaId, options?: AbortOptions): Promise<void>
  /** Resolves when `peer` has received everything of this document, on its disk or not yet. */
  received(peer: ReplicaId, options?: AbortOptions): Promise<void>
  /** Lets go of the document; edits that were made are stored all the same. Idempotent. */
  close(): Promise<void>
}

/** How a handle waits for what a peer has acknowledged. */
export interface Acknowledgements {
  wait(
    peer: ReplicaId,
    level: 'received' | 'durable',
    position: Position,
    options: AbortOptions,
  ): Promise<void>
}

export function createHandle<Value>(
  documents: Documents,
  held: Held,
  acknowledgements: Acknowledgements,
): DocumentHandle<Value> {
  return new Handle<Value>(documents, held, acknowledgements)
}

class Handle<Value> implements DocumentHandle<Value> {
  readonly #documents: Documents
  readonly #held: Held
  readonly #acknowledgements: Acknowledgements
  readonly #cancels = new Set<Cancel>()
  #closed = false

  constructor(documents: Documents, held: Held, acknowledgements: Acknowledgements) {
    this.#documents = documents
    this.#held = held
    this.#acknowledgements = acknowledgements
  }

  get id(): DocumentId {
    return this.#held.document.id
  }

  get collection(): CollectionId {
    return this.#held.document.collection
  }

  get value(): Value {
    // The type parameter is the caller's word: documents from peers may hold anything.
    return this.#held.document.value as Value
  }

  get durableValue(): Value {
    return this.#held.document.durableValue as Value
  }

  get damaged(): readonly EventHash[] {
    return this.#held.document.damaged
  }

  get heads(): Heads {
    return this.#held.document.heads
  }

  get deleted(): boolean {
    return this.#held.document.deleted
  }

  get missing(): readonly EventHash[] {
    return this.#held.document.missing
  }

  change(recipe: (draft: Value) => Value | void, options: EditOptions = {}): EventHash | undefined {
    this.#check()
    const base = this.value
    const draft = copyValue(base as JsonMap) as Value
    const result = recipe(draft)
    return this.write(base, result === undefined ? draft : result, options)
  }

  write(base: Value, next: Value, options: EditOptions = {}): EventHash | undefined {
    this.#check()
    return this.#documents.edit(this.#held, base as JsonMap, next, options)
  }

  subscribe(listener: (change: DocumentChange<Value>) => void): Cancel {
    this.#check()
    const entry = (change: {
      origin: 'local' | 'remote'
      heads: Heads
      deleted: boolean
    }): void => {
      listener({ ...change, value: this.value })
    }
    this.#held.listeners.add(entry)
    const cancel = (): void => {
      this.#held.listeners.delete(entry)
      this.#cancels.delete(cancel)
    }
    this.#cancels.add(cancel)
    return cancel
  }

  async durable(peer?: ReplicaId, options: AbortOptions = {}): Promise<void> {
    await this.#held.durable
    if (peer !== undefined) await this.#acknowledged(peer, 'durable', options)
  }

  async received(peer: ReplicaId, options: AbortOptions = {}): Promise<void> {
    await this.#held.durable
    await this.#acknowledged(peer, 'received', options)
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      for (const cancel of [...this.#cancels]) cancel()
      this.#documents.release(this.#held)
    }
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(): void {
    if (!this.#closed) return
    throw new UsageError('USAGE_CLOSED', 'the handle is closed', { document: this.id })
  }

  #acknowledged(
    peer: ReplicaId,
    level: 'received' | 'durable',
    options: AbortOptions,
  ): Promise<void> {
    return this.#acknowledgements.wait(peer, level, this.#held.document.positionFor(peer), options)
  }
}
