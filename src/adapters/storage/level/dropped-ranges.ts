import type { Position } from '../../../core/ids.ts'
import type { PositionRange } from '../position-ranges.ts'
import type { Level, LevelRead } from './database.ts'
import { afterPrefix, decodePosition, droppedKey, positionOf } from './keys.ts'

/**
 * What dropping leaves behind: ranges of positions that are gone on purpose.
 *
 * They never touch each other, so there are at most as many as records. A position with neither a
 * record nor a range over it was lost, and that is damage.
 */
export async function droppedRangeAt(
  level: Level,
  position: Position,
  read: LevelRead = {},
): Promise<PositionRange | undefined> {
  const found = await level
    .iterator({ gte: droppedKey(0), lte: droppedKey(position), reverse: true, limit: 1, ...read })
    .all()
  const entry = found[0]
  if (entry === undefined) return undefined
  const range = { first: positionOf(entry[0]), last: decodePosition(entry[1]) }
  return range.last >= position ? range : undefined
}

/** The newest dropped range, if there is one: its end is the head when no record is newer. */
export async function lastDroppedRange(level: Level): Promise<PositionRange | undefined> {
  const lt = afterPrefix(droppedKey(0).subarray(0, 1))
  const found = await level.iterator({ gte: droppedKey(0), lt, reverse: true, limit: 1 }).all()
  const entry = found[0]
  return entry && { first: positionOf(entry[0]), last: decodePosition(entry[1]) }
}
