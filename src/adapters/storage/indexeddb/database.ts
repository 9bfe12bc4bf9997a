import { promisifyRequest, type UseStore } from 'idb-keyval'

import { StorageForeignError, StorageUnavailableError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import { storageErrorOf } from './idb-errors.ts'

/** Records by position, with an index by collection and one by document. */
export const RECORDS = 'records'
/** The indexes of {@link RECORDS}: by name and then position. */
export const BY_COLLECTION = 'collection'
export const BY_DOCUMENT = 'document'
/** Application values by the UTF-8 bytes of their keys. */
export const VALUES = 'values'
/** The last of a range of dropped positions, by its first. */
export const DROPPED = 'dropped'
/** The format and the state. */
export const META = 'meta'

/** The object stores of a database. */
type StoreName = 'records' | 'values' | 'dropped' | 'meta'

const STORES: readonly StoreName[] = [RECORDS, VALUES, DROPPED, META]
const FORMAT = 'tideway-indexeddb 1'
const FORMAT_KEY = 'format'
const STATE_KEY = 'state'

/** What changes with each append. */
export interface State {
  readonly head: Position
  readonly revision: number
}

/** One transaction: its object stores, and when it is done. */
export interface Transaction {
  /** The application values, as the functions of idb-keyval take them. */
  readonly values: UseStore
  store(name: StoreName): IDBObjectStore
  state(): Promise<State>
  putState(state: State): void
}

/** One open database. */
export class Database {
  readonly name: string
  readonly #idb: IDBDatabase
  #isLost = false
  #isClosed = false

  private constructor(name: string, idb: IDBDatabase) {
    this.name = name
    this.#idb = idb
    // A newer version of the package in another tab, or whoever deletes the database, must not wait for us.
    idb.onversionchange = () => {
      this.#isLost = true
      idb.close()
    }
    idb.onclose = () => {
      this.#isLost = true
    }
  }

  /** Opens a database, and makes it ours when it is new. */
  static async open(name: string): Promise<Database> {
    try {
      const request = indexedDB.open(name, 1)
      request.onupgradeneeded = () => create(request.result)
      const database = new Database(name, await promisifyRequest(request))
      await database.#checkFormat()
      return database
    } catch (error) {
      throw storageErrorOf(error, name)
    }
  }

  /** Runs one read. It sees one state of the database. */
  read<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.#run('readonly', run)
  }

  /**
   * Runs one write and resolves when it is on disk: all of it, or nothing when `run` rejects.
   *
   * Writes of every tab run one after the other, those of one tab in the order of the calls.
   */
  write<Result>(run: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.#run('readwrite', run)
  }

  /** Lets go of the database once what runs is done. */
  close(): void {
    this.#isClosed = true
    this.#idb.close()
  }

  async #run<Result>(
    mode: 'readonly' | 'readwrite',
    run: (transaction: Transaction) => Promise<Result>,
  ): Promise<Result> {
    if (this.#isLost) throw this.#lost()
    try {
      const transaction = this.#idb.transaction(STORES, mode, { durability: 'strict' })
      const done = completed(transaction)
      done.catch(() => undefined)
      let result: Result
      try {
        result = await run(view(transaction))
      } catch (error) {
        abort(transaction)
        throw transaction.error ?? error
      }
      await done
      return result
    } catch (error) {
      throw this.#isLost && !this.#isClosed ? this.#lost() : storageErrorOf(error, this.name)
    }
  }

  async #checkFormat(): Promise<void> {
    const names = this.#idb.objectStoreNames
    const isOurs = STORES.every((name) => names.contains(name))
    const format: unknown = isOurs
      ? await this.read(({ store }) => promisifyRequest(store(META).get(FORMAT_KEY)))
      : undefined
    if (format === FORMAT) return
    this.close()
    throw new StorageForeignError('the database was made by another program or version', {
      database: this.name,
      found: String(format).slice(0, 100),
      readable: FORMAT,
    })
  }

  #lost(): StorageUnavailableError {
    return new StorageUnavailableError('the browser closed the database: open it again', {
      fields: { database: this.name },
      retryable: false,
    })
  }
}

function view(transaction: IDBTransaction): Transaction {
  const store = (name: string): IDBObjectStore => transaction.objectStore(name)
  return {
    store,
    values: async (_mode, use) => use(store(VALUES)),
    async state() {
      const state: State | undefined = await promisifyRequest<State | undefined>(
        store(META).get(STATE_KEY),
      )
      return state ?? { head: 0, revision: 0 }
    },
    putState(state) {
      store(META).put(state, STATE_KEY)
    },
  }
}

function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () =>
      reject(transaction.error ?? new Error('the transaction was aborted'))
  })
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort()
  } catch {
    // It has ended by itself: that is why `run` failed.
  }
}

function create(idb: IDBDatabase): void {
  const records = idb.createObjectStore(RECORDS, { keyPath: 'p' })
  records.createIndex(BY_COLLECTION, ['c', 'p'])
  records.createIndex(BY_DOCUMENT, ['d', 'p'])
  idb.createObjectStore(VALUES)
  idb.createObjectStore(DROPPED)
  idb.createObjectStore(META).put(FORMAT, FORMAT_KEY)
}
