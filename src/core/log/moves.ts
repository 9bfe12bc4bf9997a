import type { WireEntry } from '../sync/io.ts'
import type { PlanWrites } from './plan-writes.ts'
import type { DocumentRecord } from './records.ts'
import type { CheckedEvent, IncomingEntry } from './submission.ts'

/** Kinds of entries that say where their document is at home. */
const PLACING: ReadonlySet<WireEntry['kind']> = new Set(['join', 'leave', 'base', 'snapshot'])

/**
 * What an entry of a peer says, where the document is at home by now. A peer may tell of a move that others
 * have followed already: moves are numbered, and an older one moves nothing back. Of two with one number the
 * greater name counts, as in a comparison.
 *
 * @returns undefined when nothing of it is of use: a leave, or anything for a document that left later.
 */
export function placed(
  entry: IncomingEntry,
  record: DocumentRecord | undefined,
): IncomingEntry | undefined {
  const { wire } = entry
  if (record === undefined || wire.moves === undefined || !PLACING.has(wire.kind)) return entry
  const { collection, moves = 0 } = record
  if (record.left || wire.kind === 'leave') return wire.moves < moves ? undefined : entry
  if (wire.collection === collection || wire.moves > moves) return entry
  if (wire.moves === moves && wire.collection > collection) return entry
  return { ...entry, wire: { ...wire, collection } }
}

/** Remembers how often a document was moved, once an entry that tells of it has been taken. */
export function noteMoves(
  writes: PlanWrites,
  { kind, document, collection, moves }: WireEntry,
  before: DocumentRecord | undefined,
): void {
  const after = writes.record(document)
  if (moves === undefined || after === undefined || !PLACING.has(kind)) return
  const isTaken = kind === 'leave' ? after.left : after.collection === collection
  const known = before?.moves ?? 0
  if (isTaken) writes.set(document, { ...after, moves: Math.max(known, moves) })
}

/** The events of a join with those that are here and not in it; undefined when it has them all. */
export function joinedEvents(
  joined: readonly CheckedEvent[],
  here: readonly CheckedEvent[],
): readonly CheckedEvent[] | undefined {
  const known = new Set(joined.map(({ header }) => header.hash))
  const more = here.filter(({ header }) => !known.has(header.hash))
  return more.length === 0 ? undefined : [...joined, ...more]
}
