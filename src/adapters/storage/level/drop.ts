import type { Position } from '../../../core/ids.ts'
import type { Level, LevelOperation } from './database.ts'
import { droppedRangeAt, mergeRanges, type PositionRange, rangesOf } from './dropped-ranges.ts'
import {
  collectionPrefix,
  documentPrefix,
  droppedKey,
  encodePosition,
  recordKey,
  withPosition,
} from './keys.ts'
import { decodeRecord } from './record-format.ts'

/** Records looked up by one call. */
const LOOKUP_MAX = 512

/** What removes the records at `positions`, their index entries, and notes that this was on purpose. */
export async function dropOperations(
  level: Level,
  positions: readonly Position[],
  directory: string,
): Promise<readonly LevelOperation[]> {
  const operations: LevelOperation[] = []
  const dropped: Position[] = []
  const asked = [...new Set(positions)].filter(isPosition).sort((a, b) => a - b)
  for (let start = 0; start < asked.length; start += LOOKUP_MAX) {
    const part = asked.slice(start, start + LOOKUP_MAX)
    const values = await level.getMany(part.map(recordKey))
    for (const [index, position] of part.entries()) {
      const value = values[index]
      if (value === undefined) continue
      const record = decodeRecord(position, value, directory)
      dropped.push(position)
      operations.push(
        { type: 'del', key: recordKey(position) },
        { type: 'del', key: withPosition(collectionPrefix(record.collection), position) },
        { type: 'del', key: withPosition(documentPrefix(record.document), position) },
      )
    }
  }
  operations.push(...(await rangeOperations(level, rangesOf(dropped))))
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
