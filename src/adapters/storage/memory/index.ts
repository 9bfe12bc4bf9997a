import {
  isTidewayError,
  StorageConflictError,
  StorageCorruptError,
  StorageUnavailableError,
  UsageError,
} from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { Cancel } from '../../../core/interfaces/clock.ts'
import type {
  Appended,
  Batch,
  KeyRange,
  RecordPage,
  RecordQuery,
  Storage,
  StorageFeatures,
} from '../../../core/interfaces/storage.ts'
import { checkBatch, checkKey, checkQuery } from '../checks.ts'
import { type MediumChange, type MediumLock, MemoryMedium } from './medium.ts'

export { MemoryMedium }

/** Options of {@link memoryStorage}. */
export interface MemoryStorageOptions {
  /** What holds the state. Default: a new one that nobody else can reach. */
  readonly medium?: MemoryMedium | undefined
  /**
   * Awaited before a write counts: a simulated disk's latency. When it rejects, the write rejects with
   * StorageUnavailableError and nothing was written. Default: no wait.
   */
  readonly sync?: (() => Promise<void>) | undefined
  /**
   * What `supports.durable` says. Default: true when `medium` is given, as what was appended then
   * outlives the storage; otherwise false.
   */
  readonly durable?: boolean | undefined
  /** Opens the medium beside others that say the same. Default: alone. */
  readonly shared?: boolean | undefined
}

/**
 * A storage in memory: the reference implementation, for tests, simulation and replicas that need no disk.
 *
 * @throws StorageLockedError when another storage has the medium open, unless both share it.
 */
export function memoryStorage(options: MemoryStorageOptions = {}): Storage {
  return new MemoryStorage(options)
}

class MemoryStorage implements Storage {
  readonly name = 'memory'
  readonly supports: StorageFeatures
  readonly #medium: MemoryMedium
  readonly #lock: MediumLock
  readonly #sync: (() => Promise<void>) | undefined
  #isClosed = false
  /** Settles when the newest write of this opener has, either way. */
  #newest: Promise<unknown> = Promise.resolve()

  constructor(options: MemoryStorageOptions) {
    this.#medium = options.medium ?? new MemoryMedium()
    this.#sync = options.sync
    const shared = options.shared ?? false
    this.supports = { durable: options.durable ?? options.medium !== undefined, shared }
    this.#lock = this.#medium.lock(shared)
  }

  get opener(): number {
    return this.#lock.slot
  }

  async append(batch: Batch): Promise<Appended> {
    this.#assertOpen()
    checkBatch(batch)
    return this.#inOrder(() => this.#append(batch))
  }

  async head(): Promise<Position> {
    this.#assertOpen()
    return this.#medium.state(this.#lock).head
  }

  async read(query: RecordQuery): Promise<RecordPage> {
    this.#assertOpen()
    checkQuery(query)
    const { page, damaged } = this.#medium.state(this.#lock).page(query)
    if (damaged === undefined) return page
    throw new StorageCorruptError('a stored record does not match its checksum', {
      fields: { position: damaged },
    })
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#assertOpen()
    keys.forEach(checkKey)
    const state = this.#medium.state(this.#lock)
    return keys.map((key) => state.value(key)?.slice())
  }

  async *scan(
    prefix: string,
    range: KeyRange = {},
  ): AsyncIterable<{ readonly key: string; readonly value: Uint8Array }> {
    this.#assertOpen()
    for (const key of this.#medium.state(this.#lock).keys(prefix, range)) {
      this.#assertOpen()
      const value = this.#medium.state(this.#lock).value(key)
      if (value !== undefined) yield { key, value: value.slice() }
    }
  }

  async revision(): Promise<number> {
    this.#assertOpen()
    return this.#medium.state(this.#lock).revision
  }

  tail(listener: (head: Position) => void): Cancel {
    this.#assertOpen()
    const tell = (head: Position): void => listener(head)
    this.#lock.tails.add(tell)
    return () => this.#lock.tails.delete(tell)
  }

  async drop(positions: readonly Position[]): Promise<void> {
    this.#assertOpen()
    const dropped = new Set(positions)
    await this.#inOrder(() => this.#write((state) => state.drop(dropped)))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#lock.tails.clear()
    await this.#newest
    this.#medium.release(this.#lock)
  }

  async #append(batch: Batch): Promise<Appended> {
    const { head, revision } = this.#medium.state(this.#lock)
    if (batch.expectedHead !== undefined && batch.expectedHead !== head) {
      throw new StorageConflictError(batch.expectedHead, head)
    }
    const isShared = this.supports.shared && batch.expectedRevision !== undefined
    if (isShared && batch.expectedRevision !== revision) {
      throw new StorageConflictError(batch.expectedRevision ?? 0, revision)
    }
    const records = batch.records.map((record, index) => ({
      position: head + 1 + index,
      document: record.document,
      collection: record.collection,
      bytes: record.bytes.slice(),
    }))
    const puts = batch.puts.map(({ key, value }) => ({ key, value: value?.slice() }))
    await this.#write((state) => {
      for (const record of records) state.append(record)
      for (const put of puts) state.put(put.key, put.value)
      state.revision += 1
    })
    const appended = { first: head + 1, head: head + records.length }
    return this.supports.shared ? { ...appended, revision: revision + 1 } : appended
  }

  async #write(change: MediumChange): Promise<void> {
    this.#medium.begin(this.#lock, change)
    try {
      await this.#sync?.()
      this.#medium.commit(this.#lock, change)
    } catch (cause) {
      this.#medium.cancel(change)
      if (isTidewayError(cause)) throw cause
      throw new StorageUnavailableError('the medium refused the write', { cause })
    }
  }

  #inOrder<Result>(write: () => Promise<Result>): Promise<Result> {
    const result = this.#medium.inOrder(write)
    this.#newest = result.catch(() => undefined)
    return result
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new UsageError('USAGE_CLOSED', 'the storage is closed')
  }
}
