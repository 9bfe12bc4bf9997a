import type { Position } from '../core/ids.ts'
import type {
  Batch,
  NewRecord,
  Put,
  RecordQuery,
  Storage,
  StorageFeatures,
  StoredRecord,
} from '../core/interfaces/storage.ts'
import { check, type DeadlineMs } from './check.ts'

/** One place where a storage keeps things: a directory, a database, a simulated disk. Empty at first. */
export interface StoragePlace {
  /** Opens the place. Called again after a close or a crash, and once more while it is open. */
  open(): Promise<Storage>
  /** Ends the opener without a close, as `kill -9` would. Left out: checks of crashes are not run. */
  crash?(): Promise<void>
  /** Damages the stored bytes of one record. Called while nobody has the place open. Left out: as above. */
  corrupt?(position: Position): Promise<void>
  /**
   * Has the medium refuse writes until the returned function is called. Left out: as above.
   */
  refuse?(): Promise<() => Promise<void>>
  /** Removes everything. Called last, with the storage closed. */
  dispose(): Promise<void>
}

/** What one check works with. */
export interface StorageContext {
  /** The open storage: after {@link reopen} the new one. */
  readonly storage: Storage
  readonly place: StoragePlace
  readonly deadlineMs: DeadlineMs
  /** Closes the storage, runs `between`, and opens the place again. */
  reopen(between?: () => Promise<void>): Promise<Storage>
  /** Crashes the opener and opens the place again. */
  crash(): Promise<Storage>
}

/** One promise of the Storage interface and how it is checked. */
export interface StorageCheck {
  /** A sentence of the interface's comments. */
  readonly name: string
  /** Whether the promise applies. Default: always. */
  readonly when?: (supports: StorageFeatures, place: StoragePlace) => boolean
  run(context: StorageContext): Promise<void>
}

/** A record of collection `c` and document `d` with two bytes unless told otherwise. */
export function record(parts: Partial<NewRecord> = {}): NewRecord {
  return { document: 'd', collection: 'c', bytes: Uint8Array.of(1, 2), ...parts }
}

/** A batch of records, puts or both. */
export function batch(records: readonly NewRecord[], puts: readonly Put[] = []): Batch {
  return { records, puts }
}

/** A page bound that no check reaches by accident. */
export const BYTES_MAX: number = 64 * 1_024 * 1_024
const PAGES_MAX = 10_000

/** Every record that a query matches, page by page. */
export async function readAll(
  storage: Storage,
  query: Partial<RecordQuery> = {},
): Promise<readonly StoredRecord[]> {
  const records: StoredRecord[] = []
  let after = query.after ?? 0
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await storage.read({ bytesMax: BYTES_MAX, ...query, after })
    records.push(...page.records)
    if (page.end) return records
    check(page.records.length > 0, 'a page that is not the last holds at least one record')
    check(page.upTo > after, 'the next page starts further on')
    after = page.upTo
  }
  throw new Error('reading does not come to an end')
}

/** The positions of `records`. */
export function positionsOf(records: readonly StoredRecord[]): readonly Position[] {
  return records.map(({ position }) => position)
}
