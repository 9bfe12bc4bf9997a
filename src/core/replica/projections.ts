import type { Cancel, Clock } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Put, Storage } from '../interfaces/storage.ts'

/** Rows stay in memory this long, so that what changes often is written once. */
const WRITE_MS = 10_000
/** Rows that wait in memory at most; at this many they are written at once. */
const WAITING_MAX = 2_000
/** Rows in one append: other appends wait behind it. */
const AT_ONCE = 500
/**
 * Bytes in one append, with the row that goes past it. What a storage takes to write that much it may keep:
 * allocators keep what was given back up to a few times the largest piece that they ever saw.
 */
const BYTES_AT_ONCE = 256 * 1024

/** The keys of projections in a storage. docs/storage-format.md lists them. */
const PREFIX = 'v/'

/** One row of a projection. */
export interface ProjectionRow {
  readonly key: string
  readonly value: Uint8Array
}

/**
 * Rows that somebody made of documents and would rather not make again at the next start.
 *
 * A projection can be lost at any time, wholly or in part, and rows can be older than what they were made
 * of: each must tell by itself whether it still holds, for instance by the digest of its document. Rows
 * are written in the background, the newest of each key only.
 */
export class Projection {
  readonly #storage: Storage
  readonly #prefix: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #waiting = new Map<string, (() => Uint8Array) | undefined>()
  #timer: Cancel | undefined
  #writing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(storage: Storage, name: string, clock: Clock, logger: Logger) {
    this.#storage = storage
    this.#prefix = `${PREFIX}${name}\u0000`
    this.#clock = clock
    this.#logger = logger
  }

  /** Every row that was written, in order of key. */
  async *rows(): AsyncIterable<ProjectionRow> {
    for await (const { key, value } of this.#storage.scan(this.#prefix)) {
      yield { key: key.slice(this.#prefix.length), value }
    }
  }

  /** Replaces a row, soon. `value` is asked for its bytes when they are written, and not for older ones. */
  put(key: string, value: () => Uint8Array): void {
    this.#wait(key, value)
  }

  /** Takes a row away, soon. */
  delete(key: string): void {
    this.#wait(key, undefined)
  }

  /** Writes what waits. Never rejects: a row that cannot be written is made again at the next start. */
  flush(): Promise<void> {
    this.#timer?.()
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Writes what waits; what comes later is not kept. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
  }

  #wait(key: string, value: (() => Uint8Array) | undefined): void {
    if (this.#closed) return
    this.#waiting.set(key, value)
    if (this.#waiting.size >= WAITING_MAX) void this.flush()
    else this.#timer ??= this.#clock.schedule(WRITE_MS, () => void this.flush())
  }

  async #write(): Promise<void> {
    while (this.#waiting.size > 0) {
      const puts: Put[] = []
      let bytes = 0
      for (const [key, row] of this.#waiting) {
        if (puts.length >= AT_ONCE || bytes >= BYTES_AT_ONCE) break
        this.#waiting.delete(key)
        const value = row?.()
        bytes += value?.length ?? 0
        puts.push({ key: this.#prefix + key, value })
      }
      try {
        await this.#storage.append({ records: [], puts })
      } catch (error) {
        this.#logger.warn('rows of a projection could not be written', {
          rows: puts.length,
          error,
        })
        return
      }
    }
  }
}
