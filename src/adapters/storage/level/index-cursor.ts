import { StorageCorruptError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { Level, LevelRead } from './database.ts'
import { positionOf, withPosition } from './keys.ts'
import { decodeIndexValue } from './record-format.ts'

/** One index entry: where a record is and how many bytes it has. */
export interface IndexEntry {
  readonly position: Position
  readonly bytes: number
}

const ENTRIES_FIRST = 16
const ENTRIES_MAX = 512

/** The part of an index that a cursor walks: entries of `prefix` after one position up to another. */
export interface IndexRange {
  readonly prefix: Uint8Array
  readonly after: Position
  readonly upTo: Position
  readonly directory: string
}

/** Walks one index in order of position, a few entries at a time. It holds nothing open in between. */
export class IndexCursor {
  readonly #level: Level
  readonly #range: IndexRange
  readonly #read: LevelRead
  #entries: readonly [Uint8Array, Uint8Array][] = []
  #next = 0
  #after: Position
  #limit: number = ENTRIES_FIRST

  constructor(level: Level, range: IndexRange, read: LevelRead) {
    this.#level = level
    this.#range = range
    this.#read = read
    this.#after = range.after
  }

  /** The next entry, or undefined at the end. */
  async next(): Promise<IndexEntry | undefined> {
    if (this.#next === this.#entries.length) await this.#fill()
    const entry = this.#entries[this.#next]
    if (entry === undefined) return undefined
    this.#next += 1
    const position = positionOf(entry[0])
    const bytes = decodeIndexValue(entry[0], entry[1])
    if (bytes === undefined) {
      throw new StorageCorruptError('an index entry does not match its checksum', {
        fields: { position, directory: this.#range.directory },
      })
    }
    this.#after = position
    return { position, bytes }
  }

  async #fill(): Promise<void> {
    const { prefix, upTo } = this.#range
    if (this.#after >= upTo) return
    this.#entries = await this.#level
      .iterator({
        gt: withPosition(prefix, this.#after),
        lte: withPosition(prefix, upTo),
        limit: this.#limit,
        ...this.#read,
      })
      .all()
    this.#next = 0
    this.#limit = Math.min(this.#limit * 2, ENTRIES_MAX)
  }
}

interface Waiting {
  readonly cursor: IndexCursor
  entry: IndexEntry
}

/** Merges cursors into one sequence in order of position. A record is in one collection only. */
export async function* mergeCursors(cursors: readonly IndexCursor[]): AsyncGenerator<IndexEntry> {
  const waiting: Waiting[] = []
  for (const cursor of cursors) {
    const entry = await cursor.next()
    if (entry !== undefined) insert(waiting, { cursor, entry })
  }
  while (true) {
    const first = waiting.pop()
    if (first === undefined) return
    yield first.entry
    const entry = await first.cursor.next()
    if (entry !== undefined) insert(waiting, { cursor: first.cursor, entry })
  }
}

// Descending, so that the smallest position is taken from the end without moving the others.
function insert(waiting: Waiting[], added: Waiting): void {
  let low = 0
  let high = waiting.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((waiting[middle]?.entry.position ?? 0) > added.entry.position) low = middle + 1
    else high = middle
  }
  waiting.splice(low, 0, added)
}
