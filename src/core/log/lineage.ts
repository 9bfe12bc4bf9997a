import { decodeCbor } from '../cbor-reader.ts'
import { StorageCorruptError } from '../errors.ts'
import type { CollectionId, EventHash } from '../ids.ts'
import { isOfMove, packEvents, type StoredEntry, unpackEvents } from './entry.ts'
import { cutsOf } from './generation.ts'
import type { CheckedEvent } from './submission.ts'

/** The name under which the end of a document is counted and refused, where an event has its hash. */
export const TOMBSTONE = 'tombstone'

/** Under what an entry is counted and refused; undefined for one that is not. */
export function nameOf({ kind, hash }: Pick<StoredEntry, 'kind' | 'hash'>): string | undefined {
  return kind === 'tombstone' ? TOMBSTONE : hash
}

/** Whether an entry is one of those that were refused, by hash. */
export function isRefused(entry: StoredEntry, refused: ReadonlySet<string>): boolean {
  return refused.has(nameOf(entry) ?? '')
}

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
 * Every change that a document is made of, from entries of it that count: the state that its generation
 * begins with, then {@link laterEvents}.
 */
export function eventBytes(entries: readonly StoredEntry[]): readonly Uint8Array[] {
  const state = stateOfBase(baseOf(entries))
  return state === undefined ? laterEvents(entries) : [state, ...laterEvents(entries)]
}

/**
 * The events in entries of a document, each once, in order. Those inside joins and snapshots stand as
 * entries of their own: where such an entry is lost, the event is, as what is counted and passed on is these.
 */
export function laterEvents(entries: readonly StoredEntry[]): readonly Uint8Array[] {
  const all = new Map<EventHash, Uint8Array>()
  for (const entry of entries) {
    if (entry.kind === 'event' && entry.hash !== undefined) all.set(entry.hash, entry.bytes)
  }
  return [...all.values()]
}

/** The bytes of what the generation of a document begins with, from entries of it that count. */
export function baseOf(entries: readonly StoredEntry[]): Uint8Array | undefined {
  const base = entries.findLast(({ kind }) => kind === 'base')
  if (base !== undefined) return base.bytes
  const pack = entries.findLast(
    ({ kind, generation }) => (kind === 'join' || kind === 'snapshot') && cutsOf(generation) > 0,
  )
  return pack === undefined ? undefined : unpackEvents(pack.bytes)[0]
}

/**
 * The change that makes the state of a base; undefined for that of a deleted document.
 *
 * @throws StorageCorruptError when it cannot be decoded.
 */
export function stateOfBase(base: Uint8Array | undefined): Uint8Array | undefined {
  if (base === undefined) return undefined
  let fields: unknown
  try {
    fields = decodeCbor(base)
  } catch (cause) {
    throw new StorageCorruptError('a base cannot be decoded', { cause })
  }
  const state: unknown = Array.isArray(fields) ? fields[1] : undefined
  if (!(state instanceof Uint8Array)) throw new StorageCorruptError('a base has no state')
  return state.length === 0 ? undefined : state
}

/**
 * The entries of a document that count, of all that are stored: not what was refused, and not what was
 * there before the document left or a generation began, also when that has not been dropped yet.
 */
export function countingEntries(
  entries: readonly StoredEntry[],
  refused: ReadonlySet<EventHash>,
): readonly StoredEntry[] {
  const counting: StoredEntry[] = []
  const withdrawn = new Set<number>()
  let home: CollectionId | undefined
  for (const entry of entries) {
    // After a move the document is at home elsewhere by the time the leave comes. The join that says so may be lost.
    if (entry.kind === 'base') counting.length = 0
    if (entry.kind === 'base' && isRefused(entry, refused)) withdrawn.add(entry.generation)
    if (withdrawn.has(entry.generation) && entry.kind !== 'leave') continue
    if (entry.kind !== 'leave') home = entry.collection
    else if (home === entry.collection && !isOfMove(entry)) counting.length = 0
    if (!isRefused(entry, refused)) counting.push(refused.size > 0 ? unpacked(entry) : entry)
  }
  return counting
}

/** A join without its events: some may have been refused, and those that count stand on their own. */
function unpacked(entry: StoredEntry): StoredEntry {
  if (entry.kind !== 'join' && entry.kind !== 'snapshot') return entry
  const base = unpackEvents(entry.bytes).slice(0, cutsOf(entry.generation) > 0 ? 1 : 0)
  return { ...entry, bytes: packEvents(base) }
}
