import { promisifyRequest } from 'idb-keyval'

import type { Position } from '../../../core/ids.ts'
import { mergeRanges, type PositionRange, rangesOf } from '../position-ranges.ts'
import { DROPPED, RECORDS, type Transaction } from './database.ts'

/** Records looked up at once. */
const LOOKUP_MAX = 512

/** The range of dropped positions that a position is in: gone on purpose, not lost. */
export async function droppedRangeAt(
  { store }: Transaction,
  position: Position,
): Promise<PositionRange | undefined> {
  const request = store(DROPPED).openCursor(IDBKeyRange.upperBound(position), 'prev')
  const cursor = await promisifyRequest(request)
  if (cursor === null) return undefined
  const range = { first: cursor.key as Position, last: cursor.value as Position }
  return range.last >= position ? range : undefined
}

/** Removes records, damaged ones too, and notes that this was on purpose; missing ones count as dropped. */
export async function dropRecords(
  transaction: Transaction,
  positions: readonly Position[],
): Promise<void> {
  const { head } = await transaction.state()
  const asked = [...new Set(positions)]
    .filter((position) => Number.isSafeInteger(position) && position > 0 && position <= head)
    .sort((a, b) => a - b)
  const records = transaction.store(RECORDS)
  const dropped: Position[] = []
  for (let start = 0; start < asked.length; start += LOOKUP_MAX) {
    const part = asked.slice(start, start + LOOKUP_MAX)
    const keys = await Promise.all(
      part.map((position) => promisifyRequest(records.getKey(position))),
    )
    for (const [index, position] of part.entries()) {
      const isGone = keys[index] === undefined
      if (isGone && (await droppedRangeAt(transaction, position)) !== undefined) continue
      dropped.push(position)
      records.delete(position)
    }
  }
  await noteRanges(transaction, rangesOf(dropped))
}

async function noteRanges(
  transaction: Transaction,
  added: readonly PositionRange[],
): Promise<void> {
  const dropped = transaction.store(DROPPED)
  const neighbours: PositionRange[] = []
  for (const { first, last } of added) {
    for (const position of [first - 1, last + 1]) {
      const found = await droppedRangeAt(transaction, position)
      if (found !== undefined) neighbours.push(found)
    }
  }
  for (const { first } of neighbours) dropped.delete(first)
  for (const { first, last } of mergeRanges([...neighbours, ...added])) dropped.put(last, first)
}
