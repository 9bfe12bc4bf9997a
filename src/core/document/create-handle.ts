import { UsageError } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash, Heads, Position, ReplicaId } from '../ids.ts'
import type { AbortOptions } from '../interfaces/abort.ts'
import type { Cancel } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { ReplicaOf } from './authorship.ts'
import { CONFLICTS_LIMIT, type ConflictingValue, conflictPaths, conflictsAt } from './conflicts.ts'
import type { Documents, Held, HeldChange } from './documents.ts'
import type { DocumentHandle, PatchedChange, UndoResult } from './handle.ts'
import { type HistoryEntry, type HistoryOptions, readHistory } from './history.ts'
import { type DocumentKind, PLAIN_KIND } from './kind.ts'
import type { EditOptions, OpenDocument } from './open-document.ts'
import { diffValues } from './patches.ts'
import type { DocumentPath } from './path.ts'
import type { SchemaIssue, StandardSchema } from './schema.ts'
import { SchemaGuard } from './schema-guard.ts'
import { undoEdits } from './undo.ts'
import { copyValue, type JsonMap } from './value.ts'

/** How a handle waits for what a peer has acknowledged. */
export interface Acknowledgements {
  wait(
    peer: ReplicaId,
    awaited: {
      readonly level: 'received' | 'durable'
      readonly position: Position
      readonly collection: CollectionId
    },
    options: AbortOptions,
  ): Promise<void>
}

/** What a handle needs beside its document. */
export interface HandleOptions {
  readonly acknowledgements: Acknowledgements
  readonly replicaOf: ReplicaOf
  readonly logger: Logger
  readonly schema?: StandardSchema | undefined
}

/**
 * Opens a document, for as long as the handle is not closed.
 *
 * @throws UsageError when the schema is none, or answers with promises.
 * @throws DocumentError `DOCUMENT_BROKEN` when the document cannot be read from its events.
 */
export async function openHandle<Value>(
  documents: Documents,
  document: {
    readonly id: DocumentId
    readonly kind: DocumentKind | undefined
    readonly collection: CollectionId
  },
  options: HandleOptions,
): Promise<DocumentHandle<Value>> {
  const { id, kind = PLAIN_KIND, collection } = document
  const held = await documents.hold(id, kind, collection)
  try {
    return createHandle<Value>(documents, held, options)
  } catch (error) {
    documents.release(held)
    throw error
  }
}

/** A handle of a document that is held: closing the handle releases it. */
export function createHandle<Value>(
  documents: Documents,
  held: Held,
  options: HandleOptions,
): DocumentHandle<Value> {
  return new Handle<Value>(documents, held, options)
}

class Handle<Value> implements DocumentHandle<Value> {
  readonly #documents: Documents
  readonly #held: Held
  readonly #options: HandleOptions
  readonly #guard: SchemaGuard | undefined
  readonly #cancels = new Set<Cancel>()
  #closed = false

  constructor(documents: Documents, held: Held, options: HandleOptions) {
    this.#documents = documents
    this.#held = held
    this.#options = options
    if (options.schema === undefined) return
    const guard = new SchemaGuard(options.schema, held.document, options.logger)
    this.#guard = guard
    guard.report(held, held.document)
    // The first of all listeners, so that it is said also when nobody subscribes.
    this.#listen(() => guard.report(held, held.document))
  }

  get id(): DocumentId {
    return this.#document.id
  }

  get collection(): CollectionId {
    return this.#document.collection
  }

  get value(): Value {
    // The type parameter is the caller's word: documents from peers may hold anything.
    return this.#document.value as Value
  }

  get durableValue(): Value {
    return this.#document.durableValue as Value
  }

  get damaged(): readonly EventHash[] {
    return this.#document.damaged
  }

  get heads(): Heads {
    return this.#document.heads
  }

  get deleted(): boolean {
    return this.#document.deleted
  }

  get missing(): readonly EventHash[] {
    return this.#document.missing
  }

  get issues(): readonly SchemaIssue[] {
    return this.#guard?.issues(this.#document) ?? []
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
    this.#guard?.checkEdit(this.id, next)
    return this.#documents.edit(this.#held, base as JsonMap, next, options)
  }

  undo(edits: EventHash | readonly EventHash[], options: EditOptions = {}): UndoResult {
    this.#check()
    const hashes = typeof edits === 'string' ? [edits] : edits
    const document = this.#document
    const present = document.value
    const { value, left, message } = undoEdits(document, present, hashes)
    const hash = this.write(present as Value, value as Value, { message, ...options })
    return { hash, left }
  }

  at(heads: Heads): Value {
    this.#check()
    return this.#document.at(heads) as Value
  }

  history(options: HistoryOptions = {}): Iterable<HistoryEntry> {
    this.#check()
    const document = this.#document
    const heads = options.heads ?? document.heads
    if (options.heads !== undefined) document.checkHeads(heads)
    const current = (): OpenDocument => {
      this.#check()
      return this.#document
    }
    return readHistory(current, heads, options, this.#options.replicaOf)
  }

  conflicts(path: DocumentPath): readonly ConflictingValue[]
  conflicts(options?: { readonly limit?: number }): readonly DocumentPath[]
  conflicts(
    where: DocumentPath | { readonly limit?: number } = {},
  ): readonly ConflictingValue[] | readonly DocumentPath[] {
    this.#check()
    const document = this.#document
    if (document.deleted) return []
    return isPath(where)
      ? conflictsAt(document, where, this.#options.replicaOf)
      : conflictPaths(document, where.limit ?? CONFLICTS_LIMIT)
  }

  subscribe(
    listener: (change: PatchedChange<Value>) => void,
    options?: { readonly patches: true },
  ): Cancel {
    this.#check()
    const { kind } = this.#document
    let last = options?.patches === true ? this.#document.value : undefined
    return this.#listen((change) => {
      const { value } = this.#document
      // Who did not ask for patches takes a type without them.
      const patches = last === undefined ? [] : diffValues(last, value, kind.shape)
      if (last !== undefined) last = value
      listener({ ...change, value: value as Value, issues: this.issues, patches })
    })
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

  /** It is another one after the document was read again. */
  get #document(): OpenDocument {
    return this.#held.document
  }

  #listen(listener: (change: HeldChange) => void): Cancel {
    // Its own: the same function may subscribe twice.
    const entry = (change: HeldChange): void => listener(change)
    this.#held.listeners.add(entry)
    const cancel = (): void => {
      this.#held.listeners.delete(entry)
      this.#cancels.delete(cancel)
    }
    this.#cancels.add(cancel)
    return cancel
  }

  #check(): void {
    if (!this.#closed) return
    throw new UsageError('USAGE_CLOSED', 'the handle is closed', { document: this.id })
  }

  async #acknowledged(
    peer: ReplicaId,
    level: 'received' | 'durable',
    options: AbortOptions,
  ): Promise<void> {
    const { acknowledgements } = this.#options
    // When a generation begins meanwhile, what it was about stands at later positions.
    for (let waited: OpenDocument | undefined; waited?.generation !== this.#document.generation; ) {
      waited = this.#document
      await this.#held.durable
      const { collection } = waited
      const document = this.id
      const awaited = { level, document, position: waited.positionFor(peer), collection }
      await acknowledgements.wait(peer, awaited, options)
    }
  }
}

function isPath(where: DocumentPath | { readonly limit?: number }): where is DocumentPath {
  return Array.isArray(where)
}
