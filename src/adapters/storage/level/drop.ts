import type { Position } from '../../../core/ids.ts'
import { mergeRanges, type PositionRange, rangesOf } from '../position-ranges.ts'
import type { Level, LevelOperation } from './database.ts'
import { droppedRangeAt } from './dropped-ranges.ts'
import { droppedKey, encodePosition, recordKey } from './keys.ts'
import { dropFromRuns, RunPlaces } from './run-dropping.ts'
import { intactRecord } from './run-rebuilding.ts'

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
  const places = new RunPlaces()
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
      places.add(position, record)
    }
  }
  await dropFromRuns(level, places, operations)
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
