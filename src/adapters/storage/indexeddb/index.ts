import { getMany } from 'idb-keyval'

import { StorageConflictError, UsageError } from '../../../core/errors.ts'
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
import { Database, RECORDS, type Transaction, VALUES } from './database.ts'
import { dropRecords } from './dropped.ts'
import { keyRange, scanPage } from './key-range.ts'
import { lockPlace, type PlaceLock } from './place-lock.ts'
import { readPage } from './reader.ts'
import { bytesOf, keyValue, recordValue } from './stored-values.ts'

export { onlyOneTab, type TabClaim, type TabWork } from './only-one-tab.ts'

/** Options of {@link indexedDbStorage}. */
export interface IndexedDbStorageOptions {
  /** The name of the database: one for each replica of an origin. */
  readonly name: string
  /** Opens it beside other tabs that say the same. Default: alone. */
  readonly shared?: boolean | undefined
}

/**
 * A storage in an IndexedDB database: the default in browsers. It is as durable as the browser makes it:
 * every append asks for a sync to disk. A browser may evict what a site stores unless the site asked for
 * `navigator.storage.persist()`.
 *
 * @throws StorageLockedError when another tab has the database, unless both share it.
 * @throws StorageForeignError when another program or a newer version wrote it.
 * @throws StorageUnavailableError when the browser refuses to open it.
 * @throws UsageError where there is no IndexedDB, or no Web Locks: a page must come from HTTPS or localhost.
 */
export async function indexedDbStorage(options: IndexedDbStorageOptions): Promise<Storage> {
  const { name, shared = false } = options
  if (typeof name !== 'string' || name === '') {
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'indexedDbStorage() needs a name', {
      field: 'name',
      allowed: 'a text that is not empty',
    })
  }
  if (!('indexedDB' in globalThis) || globalThis.navigator?.locks === undefined) {
    throw new UsageError(
      'USAGE_INVALID_ARGUMENT',
      'indexedDbStorage() needs IndexedDB and Web Locks: a page from HTTPS or localhost',
    )
  }
  const lock = await lockPlace(name, shared)
  try {
    return new IndexedDbStorage(await Database.open(name), lock, shared)
  } catch (error) {
    await lock.release()
    throw error
  }
}

class IndexedDbStorage implements Storage {
  readonly name = 'indexeddb'
  readonly supports: StorageFeatures
  readonly opener: number
  readonly #database: Database
  readonly #lock: PlaceLock
  /** Tells the other tabs of appends. */
  readonly #channel: BroadcastChannel | undefined
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(database: Database, lock: PlaceLock, shared: boolean) {
    this.#database = database
    this.#lock = lock
    this.opener = lock.opener
    this.supports = { durable: true, shared }
    if (shared) this.#channel = new BroadcastChannel(`tideway/storage/${database.name}`)
  }

  async append(batch: Batch): Promise<Appended> {
    this.#assertOpen()
    checkBatch(batch)
    return this.#track(this.#append(batch))
  }

  async head(): Promise<Position> {
    this.#assertOpen()
    const { head } = await this.#track(this.#database.read(({ state }) => state()))
    return head
  }

  async revision(): Promise<number> {
    this.#assertOpen()
    const { revision } = await this.#track(this.#database.read(({ state }) => state()))
    return revision
  }

  async read(query: RecordQuery): Promise<RecordPage> {
    this.#assertOpen()
    checkQuery(query)
    const { name } = this.#database
    return this.#track(this.#database.read((transaction) => readPage(transaction, query, name)))
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#assertOpen()
    keys.forEach(checkKey)
    const places = keys.map((key) => new TextEncoder().encode(key))
    const reading = this.#database.read(({ values }) => getMany<unknown>(places, values))
    const stored = await this.#track(reading)
    return places.map((place, index) => {
      const value = stored[index]
      return value === undefined ? undefined : bytesOf(place, value, this.#database.name)
    })
  }

  async *scan(
    prefix: string,
    range: KeyRange = {},
  ): AsyncIterable<{ readonly key: string; readonly value: Uint8Array }> {
    this.#assertOpen()
    for (let keys = keyRange(prefix, range); keys !== undefined; ) {
      this.#assertOpen()
      const part = keys
      const reading = this.#database.read((transaction) => scanPage(transaction, part))
      const { entries, rest } = await this.#track(reading)
      for (const [key, value] of entries) {
        const bytes = bytesOf(key, value, this.#database.name)
        yield { key: new TextDecoder().decode(key), value: bytes }
      }
      keys = rest
    }
  }

  async drop(positions: readonly Position[]): Promise<void> {
    this.#assertOpen()
    await this.#track(this.#database.write((transaction) => dropRecords(transaction, positions)))
  }

  tail(listener: (head: Position) => void): Cancel {
    this.#assertOpen()
    const told = ({ data }: MessageEvent): void => {
      if (this.#closing === undefined) listener(Number(data))
    }
    this.#channel?.addEventListener('message', told)
    return () => this.#channel?.removeEventListener('message', told)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #append(batch: Batch): Promise<Appended> {
    const appended = await this.#database.write((transaction) => this.#write(transaction, batch))
    const { first, head } = appended
    // Told before anybody here knows: whoever hears of these records from elsewhere has been told too.
    this.#channel?.postMessage(head)
    return this.supports.shared ? appended : { first, head }
  }

  async #write(transaction: Transaction, batch: Batch): Promise<Appended> {
    const { head, revision } = await transaction.state()
    const { expectedHead, expectedRevision } = batch
    if (expectedHead !== undefined && expectedHead !== head) {
      throw new StorageConflictError(expectedHead, head)
    }
    if (this.supports.shared && expectedRevision !== undefined && expectedRevision !== revision) {
      throw new StorageConflictError(expectedRevision, revision)
    }
    const records = transaction.store(RECORDS)
    for (const [index, record] of batch.records.entries()) {
      records.add(recordValue(head + 1 + index, record))
    }
    const values = transaction.store(VALUES)
    for (const { key, value } of batch.puts) {
      const place = new TextEncoder().encode(key)
      if (value === undefined) values.delete(place)
      else values.put(keyValue(place, value), place)
    }
    const next = { head: head + batch.records.length, revision: revision + 1 }
    transaction.putState(next)
    return { first: head + 1, ...next }
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running)
    this.#channel?.close()
    this.#database.close()
    await this.#lock.release()
  }

  #track<Result>(call: Promise<Result>): Promise<Result> {
    this.#running.add(call)
    const done = (): void => {
      this.#running.delete(call)
    }
    call.then(done, done)
    return call
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new UsageError('USAGE_CLOSED', 'the storage is closed')
  }
}
