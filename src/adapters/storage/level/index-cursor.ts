import { StorageCorruptError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { Level, LevelRead } from './database.ts'
import { decodeRun, type IndexEntry } from './index-run.ts'
import { afterPrefix, positionOf, withPosition } from './keys.ts'
import { rebuiltRun } from './run-rebuilding.ts'

/** Runs read by one call, from the first one on. */
const RUNS_FIRST = 16
const RUNS_MAX = 512
/** When a call brought as many positions, the next does not ask for more runs. */
const POSITIONS_ENOUGH = 512

/** The part of an index that a cursor walks: entries of `prefix` after one position up to another. */
export interface IndexRange {
  readonly prefix: Uint8Array
  readonly after: Position
  readonly upTo: Position
  readonly directory: string
}

/** Walks one index in order of position, a few runs at a time. It holds nothing open in between. */
export class IndexCursor {
  readonly #level: Level
  readonly #range: IndexRange
  readonly #read: LevelRead
  #runs: readonly [Uint8Array, Uint8Array][] = []
  #nextRun = 0
  #run: readonly IndexEntry[] = []
  #next = 0
  #after: Position
  #limit: number = RUNS_FIRST
  #positions = 0
  #isLast = false
  /** The end of a run that cannot be read. Its other positions are read from the records. */
  #damaged: Position | undefined

  constructor(level: Level, range: IndexRange, read: LevelRead) {
    this.#level = level
    this.#range = range
    this.#read = read
    this.#after = range.after
  }

  /** The next entry, or undefined at the end. */
  async next(): Promise<IndexEntry | undefined> {
    while (this.#next === this.#run.length) {
      this.#assertIntact()
      if (!(await this.#beginRun())) return undefined
    }
    const entry = this.#run[this.#next]
    if (entry === undefined || entry.position > this.#range.upTo) return undefined
    this.#next += 1
    this.#after = entry.position
    return entry
  }

  #assertIntact(): void {
    if (this.#damaged === undefined) return
    throw new StorageCorruptError('an index entry does not match its checksum', {
      fields: { position: this.#damaged, directory: this.#range.directory },
    })
  }

  async #beginRun(): Promise<boolean> {
    if (this.#nextRun === this.#runs.length && !this.#isLast) await this.#fill()
    const found = this.#runs[this.#nextRun]
    if (found === undefined || this.#after >= this.#range.upTo) return false
    const last = positionOf(found[0])
    this.#nextRun += 1
    this.#run = decodeRun(...found) ?? (await this.#rebuilt(last))
    this.#positions += this.#run.length
    this.#next = 0
    // The walk may begin inside of a run.
    while ((this.#run[this.#next]?.position ?? Infinity) <= this.#after) this.#next += 1
    if (last >= this.#range.upTo) this.#end()
    return true
  }

  #end(): void {
    this.#runs = []
    this.#nextRun = 0
    this.#isLast = true
  }

  async #rebuilt(last: Position): Promise<readonly IndexEntry[]> {
    const { prefix, upTo } = this.#range
    if (last <= upTo) this.#damaged = last
    const place = { prefix, after: this.#after, upTo: Math.min(upTo, last - 1) }
    return rebuiltRun(this.#level, place, this.#read)
  }

  async #fill(): Promise<void> {
    if (this.#after >= this.#range.upTo) return
    const { prefix } = this.#range
    if (this.#runs.length > 0) this.#adaptLimit()
    // The run that holds the last position may go on behind it.
    const range = { gt: withPosition(prefix, this.#after), lt: afterPrefix(prefix) }
    this.#runs = await this.#level.iterator({ ...range, limit: this.#limit, ...this.#read }).all()
    this.#nextRun = 0
    this.#isLast = this.#runs.length < this.#limit
  }

  #adaptLimit(): void {
    const isEnough = this.#positions >= POSITIONS_ENOUGH
    const limit = isEnough ? this.#limit >> 1 : this.#limit * 2
    this.#limit = Math.max(RUNS_FIRST, Math.min(limit, RUNS_MAX))
    this.#positions = 0
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
