import { StorageConflictError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { Appended, Batch } from '../../../core/interfaces/storage.ts'
import type { LevelDatabase, LevelOperation } from './database.ts'
import { dropOperations } from './drop.ts'
import { encodePosition, recordKey, VERIFIED_KEY, valueKey } from './keys.ts'
import { encodeRecord, encodeValue } from './record-format.ts'
import { IndexRuns } from './run-writing.ts'
import { SettledPositions } from './settled.ts'

/** Appends that wait together are written together until they reach this many bytes. */
const GROUP_BYTES_MAX = 4 * 1_024 * 1_024

interface AppendJob {
  readonly type: 'append'
  readonly batch: Batch
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface DropJob {
  readonly type: 'drop'
  readonly positions: readonly Position[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The one writer of a database: it runs writes in the order of the calls.
 *
 * While one batch is being synced others may be called for; the next batch then takes all that wait,
 * so any number of concurrent appends costs one sync.
 */
export class LevelWriter {
  readonly #database: LevelDatabase
  readonly #queue: (AppendJob | DropJob)[] = []
  readonly #settledPositions = new SettledPositions()
  /** To be noted with the next batch. */
  #settled: Position | undefined
  #head: Position
  #running: Promise<void> | undefined

  constructor(database: LevelDatabase, head: Position) {
    this.#database = database
    this.#head = head
  }

  /** The newest position that is durable. */
  get head(): Position {
    return this.#head
  }

  append(batch: Batch): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ type: 'append', batch, resolve, reject })
    })
  }

  drop(positions: readonly Position[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ type: 'drop', positions, resolve, reject })
    })
  }

  /** Resolves when nothing waits or runs. Never rejects. */
  async idle(): Promise<void> {
    await this.#running
  }

  #enqueue(job: AppendJob | DropJob): void {
    this.#queue.push(job)
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    // One turn later, so that appends called for in the same turn share the first sync.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const job = this.#queue[0]
      if (job?.type === 'drop') {
        this.#queue.shift()
        await this.#drop(job)
      } else {
        await this.#append(this.#takeGroup())
      }
    }
    this.#running = undefined
  }

  #takeGroup(): readonly AppendJob[] {
    const group: AppendJob[] = []
    let bytes = 0
    while (bytes < GROUP_BYTES_MAX) {
      const job = this.#queue[0]
      if (job?.type !== 'append') break
      this.#queue.shift()
      group.push(job)
      bytes += bytesOf(job.batch)
    }
    return group
  }

  async #append(group: readonly AppendJob[]): Promise<void> {
    const operations: LevelOperation[] = []
    const runs = new IndexRuns(operations)
    const settlements: (() => void)[] = []
    let head = this.#head
    for (const { batch, resolve, reject } of group) {
      const found = head
      if (batch.expectedHead !== undefined && batch.expectedHead !== found) {
        const error = new StorageConflictError(batch.expectedHead, found)
        settlements.push(() => reject(error))
        continue
      }
      addOperations(operations, runs, batch, found)
      head += batch.records.length
      const appended = { first: found + 1, head }
      settlements.push(() => resolve(appended))
    }
    runs.end()
    if (this.#settled !== undefined && operations.length > 0)
      operations.push({ type: 'put', key: VERIFIED_KEY, value: encodePosition(this.#settled) })
    try {
      if (operations.length > 0) {
        await this.#database.write(operations)
        this.#settled = this.#settledPositions.wrote(head, operations)
      }
      this.#head = head
      for (const settle of settlements) settle()
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  async #drop(job: DropJob): Promise<void> {
    try {
      const operations = await this.#database.read((level) =>
        dropOperations(level, job.positions, this.#head),
      )
      if (operations.length > 0) await this.#database.write(operations)
      job.resolve()
    } catch (error) {
      job.reject(error)
    }
  }
}

function addOperations(
  operations: LevelOperation[],
  runs: IndexRuns,
  batch: Batch,
  head: Position,
): void {
  for (const [index, record] of batch.records.entries()) {
    const position = head + 1 + index
    const value = encodeRecord(position, record)
    operations.push({ type: 'put', key: recordKey(position), value })
    runs.add(position, record)
  }
  for (const put of batch.puts) {
    const key = valueKey(put.key)
    operations.push(
      put.value === undefined
        ? { type: 'del', key }
        : { type: 'put', key, value: encodeValue(key, put.value) },
    )
  }
}

function bytesOf(batch: Batch): number {
  let bytes = 0
  for (const record of batch.records) bytes += record.bytes.length
  for (const put of batch.puts) bytes += put.value?.length ?? 0
  return bytes
}
