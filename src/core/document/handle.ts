import type { CollectionId, DocumentId, EventHash, Heads, ReplicaId } from '../ids.ts'
import type { AbortOptions } from '../interfaces/abort.ts'
import type { Cancel } from '../interfaces/clock.ts'
import type { ConflictingValue } from './conflicts.ts'
import type { HistoryEntry, HistoryOptions } from './history.ts'
import type { EditOptions } from './open-document.ts'
import type { DocumentPatch } from './patches.ts'
import type { DocumentPath } from './path.ts'
import type { SchemaIssue } from './schema.ts'

/** A change of a document's value, told to subscribers once, in causal order. */
export interface DocumentChange<Value> {
  readonly value: Value
  readonly heads: Heads
  /** `local` when a handle of this replica made it. */
  readonly origin: 'local' | 'remote'
  readonly deleted: boolean
  /** What the schema of the handle finds wrong with the value. Empty without a schema. */
  readonly issues: readonly SchemaIssue[]
}

/** A change with what it changed, for a subscriber that asked for it. */
export interface PatchedChange<Value> extends DocumentChange<Value> {
  /** The steps from the value that this subscriber was told last to this one. */
  readonly patches: readonly DocumentPatch[]
}

/** What an undo did. */
export interface UndoResult {
  /** The new edit; undefined when nothing was left to take back. */
  readonly hash: EventHash | undefined
  /** Fields that were left as they are because somebody has written them since, by their path now. */
  readonly left: readonly DocumentPath[]
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
   * @throws DocumentError when the value cannot be held, the schema of the handle refuses it
   * (`VALUE_INVALID`), or the document is deleted. Nothing is changed.
   * @throws StorageUnavailableError while the document is read again, after a failed append or a refusal.
   * @throws UsageError after {@link close}.
   */
  change(recipe: (draft: Value) => Value | void, options?: EditOptions): EventHash | undefined
  /** Like {@link change}, for a writer who last saw `base` and wants `next`. */
  write(base: Value, next: Value, options?: EditOptions): EventHash | undefined
  /**
   * Takes back edits, one's own or a peer's, as one new edit: nothing of the history changes. A field goes
   * back to its value from before unless somebody has written it since; a counter gets what was added taken
   * off. Of several edits the newest is taken back first.
   *
   * @param options `message` by default says what is taken back.
   * @throws DocumentError `DOCUMENT_HISTORY_MISSING` when an edit is not here; as {@link change} does.
   * @throws UsageError for none or more than 1,000 edits.
   */
  undo(edits: EventHash | readonly EventHash[], options?: EditOptions): UndoResult
  /**
   * The value at earlier heads, frozen. Also of a deleted document: what it was can be read until its
   * history is dropped.
   *
   * @throws DocumentError `DOCUMENT_HISTORY_MISSING` with `fields.missing` when not all of them are here.
   */
  at(heads: Heads): Value
  /**
   * The edits that made the value, newest first, read one by one as they are asked for: up to 1,000 when
   * nothing else is said.
   */
  history(options?: HistoryOptions): Iterable<HistoryEntry>
  /**
   * The values that concurrent edits gave to one field, the winner first. Empty for a field with one value.
   * Whoever writes another value there settles it.
   */
  conflicts(path: DocumentPath): readonly ConflictingValue[]
  /** The paths of fields with several values, up to `limit`, by default 100. It looks at every field. */
  conflicts(options?: { readonly limit?: number }): readonly DocumentPath[]
  /** What the schema of the handle finds wrong with `value`. Empty without a schema. */
  readonly issues: readonly SchemaIssue[]
  /** Calls back after each change. What the listener throws is logged. */
  subscribe(listener: (change: DocumentChange<Value>) => void): Cancel
  /** Calls back after each change, with the steps from the last value to this one. */
  subscribe(
    listener: (change: PatchedChange<Value>) => void,
    options: { readonly patches: true },
  ): Cancel
  /**
   * Resolves when every local edit so far is on this replica's disk; with `peer`, when that peer has
   * everything of this document on its disk. As long as the peer does not share its collection, it waits.
   * What the peer refused is in `Replica.rejected` by then, or goes there with its document when that left.
   * A peer that has cut the history meanwhile may have an edit aside only, or no room for it: it is in the
   * value there once this replica has taken the peer's base, on which it writes the edit again. To wait for
   * that, call it again then.
   *
   * @throws the storage's error when an edit could not be stored. It is then no longer in `value`.
   * @throws StorageCorruptError when damage to this replica's disk took events before the peer is known to
   * have them. They are in `status().damaged` until they are back.
   */
  durable(peer?: ReplicaId, options?: AbortOptions): Promise<void>
  /** Resolves when `peer` has received everything of this document, on its disk or not yet. */
  received(peer: ReplicaId, options?: AbortOptions): Promise<void>
  /** Lets go of the document; edits that were made are stored all the same. Idempotent. */
  close(): Promise<void>
}
