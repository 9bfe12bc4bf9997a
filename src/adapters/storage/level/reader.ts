import { StorageCorruptError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { RecordPage, RecordQuery, StoredRecord } from '../../../core/interfaces/storage.ts'
import type { Level, LevelRead } from './database.ts'
import { IndexCursor, mergeCursors } from './index-cursor.ts'
import type { IndexEntry } from './index-run.ts'
import { collectionPrefix, documentPrefix, positionOf, recordKey } from './keys.ts'
import { assertDropped } from './open-level.ts'
import { decodeRecord } from './record-format.ts'

/** Records fetched by one call while a page is put together. */
const FETCH_MAX = 1_024

/** What a page is read from: one state of the database, up to the head that was acknowledged. */
export interface ReadSource {
  readonly level: Level
  readonly directory: string
  readonly head: Position
}

/** One page of the log. It sees one state of the database, whatever is written meanwhile. */
export async function readPage(source: ReadSource, query: RecordQuery): Promise<RecordPage> {
  const upTo = Math.max(query.after, Math.min(query.upTo ?? source.head, source.head))
  if (upTo === query.after) return { records: [], upTo, end: true }
  const snapshot = source.level.snapshot()
  try {
    const read = { snapshot }
    if (query.document === undefined && query.collections === undefined) {
      return await readAll(source, query, upTo, read)
    }
    return await readIndexed(source, query, upTo, read)
  } finally {
    await snapshot.close()
  }
}

async function readAll(
  source: ReadSource,
  query: RecordQuery,
  upTo: Position,
  read: LevelRead,
): Promise<RecordPage> {
  const { level, directory } = source
  const records: StoredRecord[] = []
  let reached = query.after
  let bytes = 0
  const entries = level.iterator({ gt: recordKey(query.after), lte: recordKey(upTo), ...read })
  try {
    for await (const [key, value] of entries) {
      const position = positionOf(key)
      if (position > reached + 1) await assertDropped(level, reached + 1, position - 1, directory)
      if (records.length > 0 && bytes >= query.bytesMax) {
        return { records, upTo: reached, end: false }
      }
      const record = decodeRecord(position, value, directory)
      records.push(record)
      bytes += record.bytes.length
      reached = position
    }
  } finally {
    await entries.close()
  }
  if (upTo > reached) await assertDropped(level, reached + 1, upTo, directory)
  return { records, upTo, end: true }
}

async function readIndexed(
  source: ReadSource,
  query: RecordQuery,
  upTo: Position,
  read: LevelRead,
): Promise<RecordPage> {
  const planned: IndexEntry[] = []
  let bytes = 0
  let end = true
  for await (const entry of mergeCursors(cursorsOf(source, query, upTo, read))) {
    if (planned.length > 0 && bytes >= query.bytesMax) {
      end = false
      break
    }
    planned.push(entry)
    bytes += entry.bytes
  }
  const records: StoredRecord[] = []
  for (let start = 0; start < planned.length; start += FETCH_MAX) {
    records.push(...(await fetchRecords(source, planned.slice(start, start + FETCH_MAX), read)))
  }
  for (const record of records) assertMatches(record, query, source.directory)
  return { records, upTo: end ? upTo : (records.at(-1)?.position ?? upTo), end }
}

function cursorsOf(
  source: ReadSource,
  query: RecordQuery,
  upTo: Position,
  read: LevelRead,
): readonly IndexCursor[] {
  const prefixes =
    query.document === undefined
      ? [...new Set(query.collections)].map(collectionPrefix)
      : [documentPrefix(query.document)]
  const { level, directory } = source
  const after = query.after
  return prefixes.map((prefix) => new IndexCursor(level, { prefix, after, upTo, directory }, read))
}

async function fetchRecords(
  source: ReadSource,
  entries: readonly IndexEntry[],
  read: LevelRead,
): Promise<readonly StoredRecord[]> {
  const keys = entries.map(({ position }) => recordKey(position))
  const values = await source.level.getMany(keys, read)
  return entries.map(({ position }, index) =>
    decodeRecord(position, values[index], source.directory),
  )
}

function assertMatches(record: StoredRecord, query: RecordQuery, directory: string): void {
  const isAsked =
    query.document === undefined
      ? (query.collections?.includes(record.collection) ?? true)
      : record.document === query.document
  if (isAsked) return
  throw new StorageCorruptError('the index names a record of another document or collection', {
    fields: { position: record.position, directory },
  })
}
