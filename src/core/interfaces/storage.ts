import type { CollectionId, DocumentId, Position } from '../ids.ts'
import type { Cancel } from './clock.ts'

/** What a storage can promise. The engine and the suite branch on this, never on a name. */
export interface StorageFeatures {
  /** What {@link Storage.append} resolved survives a crash of the process and of the machine. */
  readonly durable: boolean
  /**
   * Several openers may read and append at once. Each has an {@link Storage.opener}, `revision` and
   * `tail` are there, and `expectedRevision` counts.
   */
  readonly shared: boolean
}

/** One record to append. Storage indexes it by document and by collection and never looks inside `bytes`. */
export interface NewRecord {
  readonly document: DocumentId
  readonly collection: CollectionId
  readonly bytes: Uint8Array
}

/** One record as it stands in the log. */
export interface StoredRecord extends NewRecord {
  readonly position: Position
}

/** One write of the key-value side: `undefined` deletes the key. */
export interface Put {
  readonly key: string
  readonly value: Uint8Array | undefined
}

/** What one {@link Storage.append} writes: all of it or, when it rejects or the process dies, nothing. */
export interface Batch {
  readonly records: readonly NewRecord[]
  readonly puts: readonly Put[]
  /** When given, the append happens only if the log's head is this position (a conditional append). */
  readonly expectedHead?: Position | undefined
  /**
   * When given, the append happens only if no opener has appended since that revision: as `expectedHead`,
   * and puts count too. Only for a storage that `supports.shared`; others ignore it.
   */
  readonly expectedRevision?: number | undefined
}

/** Where a batch went. */
export interface Appended {
  /** The position of the first record of the batch; the others follow without a gap. */
  readonly first: Position
  /** The head of the log after the batch. Unchanged when the batch held only puts. */
  readonly head: Position
  /** The revision after the batch. Present only when `supports.shared`. */
  readonly revision?: number | undefined
}

/** Which records to read, in order of position. */
export interface RecordQuery {
  /** Only records after this position. 0 is the beginning. */
  readonly after: Position
  /** Only records up to and with this position. Default: the head. */
  readonly upTo?: Position | undefined
  /** Only records of these collections. */
  readonly collections?: readonly CollectionId[] | undefined
  /** Only records of this document. Not together with `collections`. */
  readonly document?: DocumentId | undefined
  /** Ends the page after the record that reaches this many bytes. At least one record is returned. */
  readonly bytesMax: number
}

/** Some of the keys of a {@link Storage.scan}, in the order of their UTF-8 bytes. */
export interface KeyRange {
  /** The first key. Default: the first that there is. */
  readonly from?: string | undefined
  /** The first key that is past the range. Default: none is. */
  readonly to?: string | undefined
}

/** One page of an answer to a {@link RecordQuery}. */
export interface RecordPage {
  readonly records: readonly StoredRecord[]
  /** Every matching record up to here has been returned: the `after` of the next page. */
  readonly upTo: Position
  /** Nothing more matches up to the query's `upTo`. */
  readonly end: boolean
}

/**
 * Keeps one append-only log and a small ordered key-value space beside it.
 *
 * Vocabulary: a *record* is opaque bytes that belong to one document and one collection; its
 * *position* is its place in the log, assigned here, starting at 1, without gaps at the time of the
 * append; the *head* is the newest position (0 when empty). Keys are text and ordered by their UTF-8
 * bytes.
 *
 * An implementation guarantees:
 * - appends are atomic and are applied in the order of the calls;
 * - when `supports.durable`, a resolved append survives `kill -9` and power loss;
 * - reads see every append that resolved before the read was called;
 * - a record that is damaged at rest is reported with StorageCorruptError, never skipped, until it is
 *   dropped;
 * - only one opener at a time unless `supports.shared`: the second gets StorageLockedError.
 *
 * Bytes passed in belong to the storage until the call settles; bytes handed out belong to the caller.
 */
export interface Storage {
  readonly name: string
  readonly supports: StorageFeatures
  /**
   * Which of the openers of a shared storage this is: a whole number that nobody else has until
   * {@link close}, small and used again, 0 when it is alone. Absent means 0. Who writes is named by it.
   */
  readonly opener?: number
  /**
   * Appends in one atomic step and resolves when the batch is as durable as `supports.durable` says.
   *
   * @throws StorageUnavailableError when the medium refuses (full disk, read-only); nothing was written.
   * @throws StorageConflictError when `expectedHead` or `expectedRevision` did not match; nothing was
   * written.
   * @throws UsageError after {@link close}.
   */
  append(batch: Batch): Promise<Appended>
  /** The newest position. */
  head(): Promise<Position>
  /**
   * One page of records in order of position.
   *
   * @throws StorageCorruptError when a record does not match its checksum; `fields.position` says which.
   */
  read(query: RecordQuery): Promise<RecordPage>
  /** The values of several keys, in the order asked, `undefined` where there is none. */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>
  /**
   * Every key that starts with `prefix`, in order, with its value.
   *
   * @param range only keys in it. What is left out is not read.
   */
  scan(
    prefix: string,
    range?: KeyRange,
  ): AsyncIterable<{ readonly key: string; readonly value: Uint8Array }>
  /** Removes records for good, after compaction or when a document left. Unknown positions are ignored. */
  drop(positions: readonly Position[]): Promise<void>
  /**
   * Takes what was dropped between two positions, both included, off the medium itself: {@link drop} may
   * leave its bytes in files until they are written anew. Absent when nothing more can be done.
   */
  erase?(first: Position, last: Position): Promise<void>
  /** Gives back the room that dropped records and deleted keys still take. It reads and writes everything once. */
  shrink?(): Promise<void>
  /** About how many bytes it takes on its medium. Absent when that is not known without reading it. */
  sizeBytes?(): Promise<number>
  /** How many appends there were, by any opener, puts alone included. Present when `supports.shared`. */
  revision?(): Promise<number>
  /**
   * Calls back after each append by another opener, or once for several. A hint: who must be sure asks
   * for {@link revision}. Present when `supports.shared`.
   */
  tail?(listener: (head: Position) => void): Cancel
  /** Waits for what is under way, then lets go of files and handles. Idempotent. */
  close(): Promise<void>
}
