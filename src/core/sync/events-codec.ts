import type { CollectionId, DocumentId } from '../ids.ts'
import { kindNumber, readKind } from './entry-kinds.ts'
import type { FieldReader } from './field-reader.ts'
import {
  COLLECTION_BYTES_MAX,
  COLLECTIONS_MAX,
  DOCUMENT_BYTES_MAX,
  ENTRY_BYTES_MAX,
  FRAME_BYTES_MAX,
  ITEMS_MAX,
  MOVES_MAX,
} from './limits.ts'
import { type EventsFrame, FRAME_NUMBERS, type FrameEntry } from './message.ts'

const FINAL = 1
const BACKFILL = 2
const ANSWER = 4

/** Where an entry belongs. Each is written once per frame; entries refer to it by index. */
interface Place {
  readonly document: DocumentId
  readonly collection: CollectionId
  readonly generation: number
}

/**
 * The items of an EVENTS frame:
 * `[3, after, upTo, flags, [collection...], [place...], [index, bytes, index, bytes...]]`.
 *
 * A place in the first collection and generation 1 is the document's name alone, any other is
 * `[name, collection index, generation]`. The bytes of an entry that is not an event are
 * `[kind, bytes]`, of one that tells of a home `[kind, bytes, moves]`; a length in place of bytes stands for the PART frames before. Empty tails are left
 * out.
 */
export function eventsItems(frame: EventsFrame): unknown[] {
  const flags =
    (frame.final ? FINAL : 0) |
    (frame.backfill === undefined ? 0 : BACKFILL) |
    (frame.answer === undefined ? 0 : ANSWER)
  const head = [FRAME_NUMBERS.events, frame.after, frame.upTo, flags]
  const collections: CollectionId[] = frame.backfill === undefined ? [] : [frame.backfill]
  if (frame.entries.length === 0) return collections.length === 0 ? head : [...head, collections]
  const places: unknown[] = []
  const entries: unknown[] = []
  const known = new Map<string, number>()
  for (const entry of frame.entries) {
    const key = `${entry.generation} ${entry.collection}\n${entry.document}`
    let index = known.get(key)
    if (index === undefined) {
      index = places.push(placeItem(entry, collections)) - 1
      known.set(key, index)
    }
    const kind = kindNumber(entry.kind)
    entries.push(index, kind === 0 ? entry.bytes : payloadOf(kind, entry))
  }
  return [...head, collections, places, entries]
}

function payloadOf(kind: number, { bytes, moves }: FrameEntry): unknown[] {
  return moves === undefined ? [kind, bytes] : [kind, bytes, moves]
}

function placeItem(place: Place, collections: CollectionId[]): unknown {
  let index = collections.indexOf(place.collection)
  if (index < 0) index = collections.push(place.collection) - 1
  if (index === 0 && place.generation === 1) return place.document
  return [place.document, index, place.generation]
}

/** Reads what {@link eventsItems} wrote, after the frame type. */
export function readEvents(fields: FieldReader): EventsFrame {
  const after = fields.position('after')
  const upTo = fields.position('upTo')
  const flags = fields.uint('flags')
  if (upTo < after) fields.fail('upTo', 'is before after')
  const collections = fields.more ? fields.collections('collections', COLLECTIONS_MAX) : []
  const places = fields.more ? readPlaces(fields, collections) : []
  const entries = fields.more ? readEntries(fields, places) : []
  const backfill = (flags & BACKFILL) === 0 ? undefined : collections[0]
  if ((flags & BACKFILL) !== 0 && backfill === undefined) {
    fields.fail('collections', 'is empty in a backfill')
  }
  const final = (flags & FINAL) !== 0
  if ((flags & ANSWER) === 0) return { type: 'events', after, upTo, final, backfill, entries }
  if (backfill !== undefined) fields.fail('flags', 'says both backfill and answer')
  return { type: 'events', after, upTo, final, backfill, answer: after, entries }
}

function readPlaces(fields: FieldReader, collections: readonly CollectionId[]): readonly Place[] {
  return fields.array('documents', ITEMS_MAX).map((item) => {
    const [name, index, generation] = Array.isArray(item) ? (item as unknown[]) : [item, 0, 1]
    const document = fields.checkName('documents', name, DOCUMENT_BYTES_MAX)
    const collection = typeof index === 'number' ? collections[index] : undefined
    if (collection === undefined) fields.fail('documents', 'names a collection out of range')
    if (typeof generation !== 'number' || !Number.isSafeInteger(generation) || generation < 0) {
      fields.fail('documents', 'has a generation that is not an unsigned integer')
    }
    return { document, collection, generation }
  })
}

function readEntries(fields: FieldReader, places: readonly Place[]): readonly FrameEntry[] {
  const items = fields.array('entries', ITEMS_MAX)
  if (items.length % 2 !== 0) fields.fail('entries', 'has an index without bytes')
  const entries: FrameEntry[] = []
  for (let i = 0; i < items.length; i += 2) {
    const index = items[i]
    const place = typeof index === 'number' ? places[index] : undefined
    if (place === undefined) fields.fail('entries', 'names a document out of range')
    entries.push(readEntry(fields, place, items[i + 1], entries.length === 0))
  }
  return entries
}

function readEntry(fields: FieldReader, place: Place, item: unknown, first: boolean): FrameEntry {
  const [number, payload, told] = Array.isArray(item) ? (item as unknown[]) : [0, item]
  const moves = readMoves(fields, told)
  const kind = readKind(fields, 'entries', number)
  // One frame holds at most one entry that came in parts, and it is the first.
  if (typeof payload === 'number' && first && Number.isSafeInteger(payload) && payload > 0) {
    if (payload > ENTRY_BYTES_MAX) fields.exceed('entries', 'holds an entry that is too large')
    return { kind, ...place, bytes: payload, ...moves }
  }
  const bytes = fields.checkBytes('entries', payload, FRAME_BYTES_MAX)
  return { kind, ...place, bytes, ...moves }
}

function readMoves(fields: FieldReader, told: unknown): Pick<FrameEntry, 'moves'> {
  if (told === undefined) return {}
  const isNumber = typeof told === 'number' && Number.isSafeInteger(told)
  if (!isNumber || told < 0 || told > MOVES_MAX)
    fields.fail('entries', 'holds a number of moves out of range')
  return { moves: told }
}

/** About how many bytes an entry takes in a frame, never less than it does. */
export function entryBytesMax(entry: FrameEntry): number {
  const payload = typeof entry.bytes === 'number' ? 0 : entry.bytes.length
  return (
    payload +
    Math.min(entry.document.length * 3, DOCUMENT_BYTES_MAX) +
    Math.min(entry.collection.length * 3, COLLECTION_BYTES_MAX) +
    48
  )
}
