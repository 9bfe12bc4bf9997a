import {
  type Doc,
  decodeChange,
  free,
  getHeads,
  hasHeads,
  init,
  load,
  loadIncremental,
  stats,
} from '@automerge/automerge/slim'

import { concatBytes } from '../bytes.ts'
import { DocumentError } from '../errors.ts'
import type { ActorId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { readEvent } from '../log/event.ts'
import type { CheckedEvent } from '../log/submission.ts'
import { needAutomerge } from './automerge.ts'

/** How many unreadable events a document may have: each costs to read the others once more. */
const DAMAGED_MAX = 32

/**
 * How many events are loaded as a new document; the rest is added to it. Measured: a load takes half as
 * long as adding to an empty document, which works out what changed, but slows down with many events.
 */
const WHOLE_EVENTS_MAX = 32

interface Loaded<T> {
  readonly doc: Doc<T>
  /** Events that are intact as bytes and that Automerge cannot take: their author made them wrong. */
  readonly damaged: ReadonlySet<EventHash>
}

/**
 * Loads the events of a document.
 *
 * Automerge stops without a word at a change whose columns it cannot read, and drops all that follow; at
 * one that does not fit the document it panics. So what it took is counted, and only if some are missing,
 * each event is tried alone.
 *
 * @throws DocumentError when too many cannot be read.
 */
export function loadEvents<T>(
  events: readonly Uint8Array[],
  actor: ActorId,
  sha256: Sha256,
): Loaded<T> {
  needAutomerge()
  const empty = (): Doc<T> => init<T>({ actor })
  if (events.length === 0) return { doc: empty(), damaged: new Set() }
  const doc = tryWhole<T>(events, actor)
  if (doc !== undefined && stats(doc).numChanges === events.length) {
    return { doc, damaged: new Set() }
  }
  if (doc !== undefined) free(doc)
  const checked = events.map((bytes) => ({ bytes, header: readEvent(bytes, sha256) }))
  return loadEach(checked, empty)
}

/** Whether an event that was just given to a document is in it, or waits in it for its parents. */
export function isTaken(doc: Doc<unknown>, hash: EventHash, bytes: Uint8Array): boolean {
  // What was just added is a head, as a rule; the other question costs Automerge more.
  return getHeads(doc).includes(hash) || hasHeads(doc, [hash]) || isReadable(bytes)
}

function loadEach<T>(events: readonly CheckedEvent[], empty: () => Doc<T>): Loaded<T> {
  const damaged = new Set<EventHash>()
  const applied = new Map<EventHash, CheckedEvent>()
  let doc = empty()
  let waiting = events
  for (let before = -1; before !== waiting.length; ) {
    before = waiting.length
    const later: CheckedEvent[] = []
    for (const event of waiting) {
      const { hash, parents } = event.header
      if (!parents.every((parent) => applied.has(parent))) {
        later.push(event)
        continue
      }
      const next = tryAll(doc, [event])
      if (next !== undefined && hasHeads(next, [hash])) {
        doc = next
        applied.set(hash, event)
        continue
      }
      damaged.add(hash)
      if (damaged.size > DAMAGED_MAX) {
        throw new DocumentError('DOCUMENT_BROKEN', 'too many events of the document cannot be read')
      }
      // After a panic the document is in no state to go on with.
      doc = loadIncremental(empty(), concatBytes([...applied.values()].map(({ bytes }) => bytes)))
    }
    waiting = later
  }
  for (const { header, bytes } of waiting) {
    const next = isReadable(bytes) ? tryAll(doc, [{ header, bytes }]) : undefined
    if (next === undefined) damaged.add(header.hash)
    else doc = next
  }
  return { doc, damaged }
}

function tryWhole<T>(events: readonly Uint8Array[], actor: ActorId): Doc<T> | undefined {
  try {
    const [only] = events
    const first =
      only !== undefined && events.length === 1
        ? only
        : concatBytes(events.slice(0, WHOLE_EVENTS_MAX))
    const doc = load<T>(first, { actor, allowMissingChanges: true })
    if (events.length <= WHOLE_EVENTS_MAX) return doc
    return loadIncremental(doc, concatBytes(events.slice(WHOLE_EVENTS_MAX)))
  } catch {
    return undefined
  }
}

function tryAll<T>(doc: Doc<T>, events: readonly CheckedEvent[]): Doc<T> | undefined {
  try {
    return loadIncremental(doc, concatBytes(events.map(({ bytes }) => bytes)))
  } catch {
    return undefined
  }
}

function isReadable(bytes: Uint8Array): boolean {
  try {
    decodeChange(bytes)
    return true
  } catch {
    return false
  }
}
