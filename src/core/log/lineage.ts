import type { CollectionId, EventHash } from '../ids.ts'
import { type StoredEntry, unpackEvents } from './entry.ts'
import type { CheckedEvent } from './submission.ts'

/** An event and every one that builds on it, in whatever order they came; none when it is not there. */
export function withDescendants(
  hash: EventHash,
  events: readonly CheckedEvent[],
): ReadonlySet<EventHash> {
  const found = new Set<EventHash>()
  if (!events.some(({ header }) => header.hash === hash)) return found
  found.add(hash)
  for (let before = 0; before !== found.size; ) {
    before = found.size
    for (const { header } of events) {
      if (header.parents.some((parent) => found.has(parent))) found.add(header.hash)
    }
  }
  return found
}

/**
 * The events in entries of a document, each once, in order. Those inside joins and snapshots stand as
 * entries of their own too, unless nothing else is left.
 */
export function eventBytes(entries: readonly StoredEntry[]): readonly Uint8Array[] {
  const all = new Map<EventHash, Uint8Array>()
  for (const entry of entries) {
    if (entry.kind === 'event' && entry.hash !== undefined) all.set(entry.hash, entry.bytes)
  }
  if (all.size > 0) return [...all.values()]
  const packs = entries.filter((entry) => entry.kind === 'join' || entry.kind === 'snapshot')
  return packs.flatMap((entry) => unpackEvents(entry.bytes))
}

/**
 * The entries of a document that count, of all that are stored: not what was refused, and not what was
 * there before the document left, also when that has not been dropped yet.
 */
export function countingEntries(
  entries: readonly StoredEntry[],
  refused: ReadonlySet<EventHash>,
): readonly StoredEntry[] {
  const counting: StoredEntry[] = []
  let home: CollectionId | undefined
  for (const entry of entries) {
    // After a move the document is at home elsewhere by the time the leave comes.
    if (entry.kind !== 'leave') home = entry.collection
    else if (home === entry.collection) counting.length = 0
    if (entry.hash === undefined || !refused.has(entry.hash)) counting.push(entry)
  }
  return counting
}
