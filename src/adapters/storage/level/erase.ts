import type { Position } from '../../../core/ids.ts'
import type { Level } from './database.ts'
import { recordKey } from './keys.ts'

/** A deletion that is written again, for LevelDB to have something to merge with older files. */
const DELETIONS_MAX = 2

/**
 * Writes LevelDB's files anew where they hold records between two positions, without what was dropped.
 *
 * LevelDB's log and its newest table hold a record and its deletion side by side, and it keeps such a table
 * as it is. So the first pass makes tables of everything, and deletions that are written again then make
 * the second pass merge those.
 */
export async function eraseRange(level: Level, first: Position, last: Position): Promise<void> {
  const [from, to] = [recordKey(first), recordKey(last + 1)]
  await level.compactRange(from, to)
  const gone: Uint8Array[] = []
  for (const position of new Set([first, last])) {
    const key = recordKey(position)
    if ((await level.get(key)) === undefined) gone.push(key)
  }
  const deletions = gone.slice(0, DELETIONS_MAX).map((key) => ({ type: 'del', key }) as const)
  await level.batch(deletions, { sync: true })
  await level.compactRange(from, to)
}
