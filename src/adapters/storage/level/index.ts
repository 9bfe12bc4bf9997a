import { resolve } from 'node:path'
import { UsageError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
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
import { LevelDatabase } from './database.ts'
import { ENDINGS_MAX, endingsOf, noteEndings, noteOpened } from './ending.ts'
import { eraseRange } from './erase.ts'
import {
  afterPrefix,
  compareBytes,
  encodePosition,
  FIRST_KEY,
  LAST_KEY,
  textOfValueKey,
  VERIFIED_KEY,
  valueKey,
} from './keys.ts'
import { verifyTail } from './open-level.ts'
import { readPage } from './reader.ts'
import { decodeValue } from './record-format.ts'
import { checkTables } from './table-check.ts'
import { LevelWriter } from './writer.ts'

/** Options of {@link levelStorage}. */
export interface LevelStorageOptions {
  /** Where the files are. Made when it does not exist; it must hold nothing else. */
  readonly directory: string
  /**
   * Opens a log of which records are missing, too: for `checkStorage` and what repairs it. Reads that
   * meet a gap still reject, until its positions are dropped. Its table files are checked first, as they
   * are without being asked after two openers in a row that did not close. Default: false.
   */
  readonly acceptDamage?: boolean | undefined
}

/** Keys read by one step of a scan. */
const SCAN_MAX = 256

/**
 * A storage in one directory, on LevelDB: the default in Node. It needs the package `classic-level`.
 *
 * @throws StorageLockedError when another opener has the directory.
 * @throws StorageForeignError when another program or a newer version wrote it.
 * @throws StorageCorruptError when part of the log is missing, unless `acceptDamage` says otherwise, and
 * when a table file was checked and is damaged.
 * @throws StorageUnavailableError when it cannot be read or written.
 */
export async function levelStorage(options: LevelStorageOptions): Promise<Storage> {
  if (typeof options.directory !== 'string' || options.directory === '') {
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'levelStorage() needs a directory', {
      field: 'directory',
      allowed: 'a path that is not empty',
    })
  }
  const directory = resolve(options.directory)
  const endings = await endingsOf(directory)
  if (endings >= ENDINGS_MAX || options.acceptDamage === true) await checkTables(directory)
  // Noted before anything is read: what LevelDB reads may end the process.
  await noteOpened(directory, endings)
  try {
    const storage = await openStorage(directory, options)
    if (endings >= ENDINGS_MAX) await noteOpened(directory, 0)
    return storage
  } catch (error) {
    await noteEndings(directory, endings)
    throw error
  }
}

async function openStorage(directory: string, options: LevelStorageOptions): Promise<Storage> {
  const database = await LevelDatabase.open(directory)
  try {
    const tail = await database.read((level) => verifyTail(level, directory, options))
    if (tail.isWhole && tail.head > tail.verified) await rememberVerified(database, tail.head)
    return new LevelStorage(database, directory, tail.head)
  } catch (error) {
    await database.close()
    throw error
  }
}

// It only saves work next time, so a full or read-only disk must not keep the log from being read.
async function rememberVerified(database: LevelDatabase, head: Position): Promise<void> {
  const operation = { type: 'put', key: VERIFIED_KEY, value: encodePosition(head) } as const
  await database.write([operation]).catch(() => undefined)
}

class LevelStorage implements Storage {
  readonly name = 'level'
  readonly supports: StorageFeatures = { durable: true, shared: false }
  readonly #database: LevelDatabase
  readonly #writer: LevelWriter
  readonly #directory: string
  #closing: Promise<void> | undefined

  constructor(database: LevelDatabase, directory: string, head: Position) {
    this.#database = database
    this.#directory = directory
    this.#writer = new LevelWriter(database, head)
  }

  async append(batch: Batch): Promise<Appended> {
    this.#assertOpen()
    checkBatch(batch)
    return this.#writer.append(batch)
  }

  async head(): Promise<Position> {
    this.#assertOpen()
    return this.#writer.head
  }

  async read(query: RecordQuery): Promise<RecordPage> {
    this.#assertOpen()
    checkQuery(query)
    const head = this.#writer.head
    const directory = this.#directory
    return this.#database.read((level) => readPage({ level, directory, head }, query))
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#assertOpen()
    keys.forEach(checkKey)
    const places = keys.map(valueKey)
    return this.#database.read(async (level) => {
      const stored = await level.getMany(places)
      return places.map((place, index) => {
        const value = stored[index]
        return value === undefined ? undefined : decodeValue(place, value, this.#directory)
      })
    })
  }

  async *scan(
    prefix: string,
    range: KeyRange = {},
  ): AsyncIterable<{ readonly key: string; readonly value: Uint8Array }> {
    const first = valueKey(prefix)
    const from = range.from === undefined ? first : valueKey(range.from)
    const to = range.to === undefined ? undefined : valueKey(range.to)
    const start = compareBytes(from, first) > 0 ? from : first
    const end = afterPrefix(first)
    const lt = to !== undefined && compareBytes(to, end) < 0 ? to : end
    if (compareBytes(start, lt) >= 0) return
    let last: Uint8Array | undefined
    while (true) {
      this.#assertOpen()
      const after = last === undefined ? { gte: start } : { gt: last }
      const entries = await this.#database.read((level) =>
        level.iterator({ ...after, lt, limit: SCAN_MAX }).all(),
      )
      for (const [key, value] of entries) {
        yield { key: textOfValueKey(key), value: decodeValue(key, value, this.#directory) }
      }
      if (entries.length < SCAN_MAX) return
      last = entries.at(-1)?.[0]
    }
  }

  async sizeBytes(): Promise<number> {
    this.#assertOpen()
    return this.#database.read((level) => level.approximateSize(FIRST_KEY, LAST_KEY))
  }

  async drop(positions: readonly Position[]): Promise<void> {
    this.#assertOpen()
    await this.#writer.drop(positions)
  }

  async erase(first: Position, last: Position): Promise<void> {
    this.#assertOpen()
    await this.#database.read((level) => eraseRange(level, first, last))
  }

  async shrink(): Promise<void> {
    this.#assertOpen()
    await this.#database.read((level) => level.compactRange(FIRST_KEY, LAST_KEY))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writer.idle()
    await this.#database.close()
    await noteEndings(this.#directory, 0)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new UsageError('USAGE_CLOSED', 'the storage is closed')
  }
}
