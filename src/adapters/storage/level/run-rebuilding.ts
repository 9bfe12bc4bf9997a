import type { Position } from '../../../core/ids.ts'
import type { StoredRecord } from '../../../core/interfaces/storage.ts'
import type { Level, LevelRead } from './database.ts'
import { type IndexEntry, RUN_LENGTH_MAX } from './index-run.ts'
import { collectionPrefix, compareBytes, documentPrefix, positionOf, recordKey } from './keys.ts'
import { decodeRecord } from './record-format.ts'

/** A part of an index: the records of `prefix` after one position up to another. */
export interface RunPlace {
  readonly prefix: Uint8Array
  readonly after: Position
  readonly upTo: Position
}

/**
 * What a damaged run named, ascending, from the records themselves: at most as many as a run holds.
 * A record that is damaged as well may have been one of them, and counts as one: who reads it is told so.
 */
export async function rebuiltRun(
  level: Level,
  { prefix, after, upTo }: RunPlace,
  read: LevelRead = {},
): Promise<readonly IndexEntry[]> {
  const entries: IndexEntry[] = []
  const range = { gt: recordKey(after), lte: recordKey(upTo), reverse: true, ...read }
  const records = level.iterator(range)
  try {
    for await (const [key, value] of records) {
      const position = positionOf(key)
      const record = intactRecord(position, value)
      if (record !== undefined && !isUnder(prefix, record)) continue
      entries.push({ position, bytes: record?.bytes.length ?? 0 })
      if (entries.length === RUN_LENGTH_MAX) break
    }
  } finally {
    await records.close()
  }
  return entries.reverse()
}

/** A record, or undefined when it is missing or damaged. */
export function intactRecord(
  position: Position,
  value: Uint8Array | undefined,
): StoredRecord | undefined {
  try {
    return decodeRecord(position, value, '')
  } catch {
    return undefined
  }
}

function isUnder(prefix: Uint8Array, { collection, document }: StoredRecord): boolean {
  return [collectionPrefix(collection), documentPrefix(document)].some(
    (own) => compareBytes(own, prefix) === 0,
  )
}
