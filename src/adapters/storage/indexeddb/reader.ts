import { promisifyRequest } from 'idb-keyval'

import { StorageCorruptError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { RecordPage, RecordQuery, StoredRecord } from '../../../core/interfaces/storage.ts'
import { BY_COLLECTION, BY_DOCUMENT, RECORDS, type Transaction } from './database.ts'
import { droppedRangeAt } from './dropped.ts'
import { type RecordValue, recordOf } from './stored-values.ts'

const FETCH_FIRST = 16
const FETCH_MAX = 512

/** One page of the log. */
export async function readPage(
  transaction: Transaction,
  query: RecordQuery,
  database: string,
): Promise<RecordPage> {
  const { head } = await transaction.state()
  const upTo = Math.max(query.after, Math.min(query.upTo ?? head, head))
  if (upTo === query.after) return { records: [], upTo, end: true }
  const cursors = cursorsOf(transaction, query, upTo)
  const isWhole = query.document === undefined && query.collections === undefined
  const records: StoredRecord[] = []
  let reached = query.after
  let bytes = 0
  while (true) {
    const cursor = await firstOf(cursors)
    const position = cursor?.peek()?.p
    if (isWhole) await assertGap(transaction, reached, position ?? upTo + 1, database)
    if (cursor === undefined || position === undefined) return { records, upTo, end: true }
    if (records.length > 0 && bytes >= query.bytesMax) {
      return { records, upTo: reached, end: false }
    }
    const record = recordOf(position, cursor.peek(), database)
    cursor.skip()
    records.push(record)
    bytes += record.bytes.length
    reached = position
  }
}

/** Positions between two records must have been dropped on purpose. */
async function assertGap(
  transaction: Transaction,
  reached: Position,
  next: Position,
  database: string,
): Promise<void> {
  if (next === reached + 1) return
  const range = await droppedRangeAt(transaction, reached + 1)
  if (range !== undefined && range.last >= next - 1) return
  throw new StorageCorruptError('a record of the log is missing', {
    fields: { position: range === undefined ? reached + 1 : range.last + 1, database },
  })
}

function cursorsOf(
  { store }: Transaction,
  { document, collections, after, bytesMax }: RecordQuery,
  upTo: Position,
): readonly Cursor[] {
  const records = store(RECORDS)
  const byName = (index: string) => (name: string) =>
    new Cursor(
      (from, limit) =>
        records.index(index).getAll(IDBKeyRange.bound([name, from], [name, upTo], true), limit),
      after,
      upTo,
      bytesMax,
    )
  if (document !== undefined) return [byName(BY_DOCUMENT)(document)]
  if (collections !== undefined) return [...new Set(collections)].map(byName(BY_COLLECTION))
  const all = (from: Position, limit: number) =>
    records.getAll(IDBKeyRange.bound(from, upTo, true), limit)
  return [new Cursor(all, after, upTo, bytesMax)]
}

/** The cursor that stands at the smallest position. */
async function firstOf(cursors: readonly Cursor[]): Promise<Cursor | undefined> {
  const waiting = cursors.filter((cursor) => cursor.needsMore)
  // At once: one round trip for all of them.
  await Promise.all(waiting.map((cursor) => cursor.fill()))
  let first: Cursor | undefined
  for (const cursor of cursors) {
    const position = cursor.peek()?.p
    if (position !== undefined && position < (first?.peek()?.p ?? Number.POSITIVE_INFINITY)) {
      first = cursor
    }
  }
  return first
}

/** Walks records in order of position, some at a time. */
class Cursor {
  readonly #fetch: (after: Position, limit: number) => IDBRequest<unknown[]>
  readonly #upTo: Position
  readonly #bytesMax: number
  #values: readonly RecordValue[] = []
  #next = 0
  #after: Position
  #limit = FETCH_FIRST

  constructor(
    fetch: (after: Position, limit: number) => IDBRequest<unknown[]>,
    after: Position,
    upTo: Position,
    bytesMax: number,
  ) {
    this.#fetch = fetch
    this.#after = after
    this.#upTo = upTo
    this.#bytesMax = bytesMax
  }

  get needsMore(): boolean {
    return this.#next === this.#values.length && this.#after < this.#upTo
  }

  /** The record that it stands at, unchecked. */
  peek(): RecordValue | undefined {
    return this.#values[this.#next]
  }

  skip(): void {
    this.#next += 1
  }

  async fill(): Promise<void> {
    const values = (await promisifyRequest(this.#fetch(this.#after, this.#limit))) as RecordValue[]
    this.#values = values
    this.#next = 0
    this.#after = values.length < this.#limit ? this.#upTo : (values.at(-1)?.p ?? this.#upTo)
    // As many as the page has room for, by the size of those that came.
    const bytes = values.reduce((sum, { b }) => sum + (b?.length ?? 0), 0)
    const fitting = Math.ceil((this.#bytesMax * values.length) / Math.max(bytes, 1))
    this.#limit = Math.max(1, Math.min(fitting, this.#limit * 2, FETCH_MAX))
  }
}
