import type { Position } from '../../../core/ids.ts'
import type { StoredRecord } from '../../../core/interfaces/storage.ts'
import { mergeRanges, type PositionRange, rangesOf } from '../position-ranges.ts'
import type { Level, LevelOperation } from './database.ts'
import { droppedRangeAt } from './dropped-ranges.ts'
import {
  afterPrefix,
  collectionPrefix,
  documentPrefix,
  droppedKey,
  encodePosition,
  INDEX_PREFIXES,
  positionOf,
  recordKey,
  withPosition,
} from './keys.ts'
import { decodeRecord } from './record-format.ts'

/** Records looked up by one call. */
const LOOKUP_MAX = 512

/**
 * What removes the records at `positions`, their index entries, and notes that this was on purpose. Damaged
 * records are removed like others, and missing ones count as dropped from here on.
 *
 * @param head the newest position: those after it are unknown.
 */
export async function dropOperations(
  level: Level,
  positions: readonly Position[],
  head: Position,
): Promise<readonly LevelOperation[]> {
  const operations: LevelOperation[] = []
  const dropped: Position[] = []
  const damaged = new Set<Position>()
  const asked = [...new Set(positions)]
    .filter((position) => isPosition(position) && position <= head)
    .sort((a, b) => a - b)
  for (let start = 0; start < asked.length; start += LOOKUP_MAX) {
    const part = asked.slice(start, start + LOOKUP_MAX)
    const values = await level.getMany(part.map(recordKey))
    for (const [index, position] of part.entries()) {
      const value = values[index]
      if (value === undefined && (await droppedRangeAt(level, position)) !== undefined) continue
      dropped.push(position)
      const record = intactRecord(position, value)
      operations.push({ type: 'del', key: recordKey(position) })
      if (record === undefined) damaged.add(position)
      else {
        operations.push(
          { type: 'del', key: withPosition(collectionPrefix(record.collection), position) },
          { type: 'del', key: withPosition(documentPrefix(record.document), position) },
        )
      }
    }
  }
  operations.push(...(await indexOperations(level, damaged)))
  operations.push(...(await rangeOperations(level, rangesOf(dropped))))
  return operations
}

function intactRecord(position: Position, value: Uint8Array | undefined): StoredRecord | undefined {
  try {
    return decodeRecord(position, value, '')
  } catch {
    return undefined
  }
}

// What a damaged record belonged to is not known: its entries are found by a walk over both indexes.
async function indexOperations(
  level: Level,
  damaged: ReadonlySet<Position>,
): Promise<readonly LevelOperation[]> {
  const operations: LevelOperation[] = []
  if (damaged.size === 0) return operations
  for (const prefix of INDEX_PREFIXES) {
    for await (const key of level.keys({ gte: prefix, lt: afterPrefix(prefix) })) {
      if (damaged.has(positionOf(key))) operations.push({ type: 'del', key: key.slice() })
    }
  }
  return operations
}

async function rangeOperations(
  level: Level,
  added: readonly PositionRange[],
): Promise<readonly LevelOperation[]> {
  const operations: LevelOperation[] = []
  const neighbours: PositionRange[] = []
  for (const range of added) {
    for (const position of [range.first - 1, range.last + 1]) {
      const found = await droppedRangeAt(level, position)
      if (found !== undefined) neighbours.push(found)
    }
  }
  for (const { first } of neighbours) operations.push({ type: 'del', key: droppedKey(first) })
  for (const { first, last } of mergeRanges([...neighbours, ...added])) {
    operations.push({ type: 'put', key: droppedKey(first), value: encodePosition(last) })
  }
  return operations
}

function isPosition(position: Position): boolean {
  return Number.isSafeInteger(position) && position > 0
}
