import { fromHex, toHex } from '../bytes.ts'
import { CBOR_ARRAY, CBOR_UINT, CborError, CborReader } from '../cbor-reader.ts'
import { encodeCbor } from '../cbor-writer.ts'
import { ProtocolError } from '../errors.ts'
import type { ActorId, DocumentId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { readEvent } from './event.ts'
import {
  type Beginning,
  cutsOf,
  generationOf,
  type Lineage,
  normalGeneration,
  type Place,
  type Reach,
} from './generation.ts'
import { cutActor, firstPlaceOf } from './generation-origin.ts'
import type { CheckedEvent } from './submission.ts'

/** Authors that one beginning tells of: more are refused, and nothing is cut that has more. */
export const AUTHORS_MAX: number = 10_000

/**
 * The reach of a lineage without the events that are not in its state. Of each author up to the first gap:
 * who names a place far ahead in another's name must not cover what that one has yet to send.
 */
export function reachOf(
  { beginning, events }: Lineage,
  without: ReadonlySet<EventHash>,
  sha256: Sha256,
): Reach {
  const generation = beginning?.generation ?? 1
  const places = new Map<ActorId, Place[]>()
  for (const { header } of events) {
    if (without.has(header.hash)) continue
    const { actor, place } = firstPlaceOf(header, generation, sha256)
    const others = places.get(actor)
    if (others === undefined) places.set(actor, [place])
    else others.push(place)
  }
  const reach = new Map<ActorId, Place>(beginning?.reach)
  for (const [actor, found] of places) {
    found.sort((a, b) => (isAfter(a, b) ? 1 : -1))
    for (const place of found) if (follows(place, reach.get(actor))) reach.set(actor, place)
  }
  return reach
}

/** Whether a place is the next one of an author, in the same generation or in a later one. */
function follows(place: Place, newest: Place | undefined): boolean {
  if (newest === undefined || place.generation > newest.generation) return place.sequence === 1
  return place.generation === newest.generation && place.sequence === newest.sequence + 1
}

function isAfter(a: Place, b: Place): boolean {
  return a.generation === b.generation ? a.sequence > b.sequence : a.generation > b.generation
}

/** Begins a generation. The same state and reach give the same bytes, whoever cuts. */
export function makeBeginning(
  cuts: number,
  reach: Reach,
  change: CheckedEvent | undefined,
  sha256: Sha256,
): Beginning {
  const authors = [...reach].sort(([a], [b]) => (a < b ? -1 : 1))
  const bytes = encodeCbor([
    authors.map(([actor, { generation, sequence }]) => [fromHex(actor), generation, sequence]),
    change?.bytes ?? new Uint8Array(0),
  ])
  const hash = toHex(sha256(bytes))
  return { hash, generation: generationOf(cuts, hash), reach, change, bytes }
}

/**
 * Reads a beginning as it is stored or came from a peer.
 *
 * @throws ProtocolError when it is none, or does not belong to this document and generation.
 */
export function readBeginning(
  document: DocumentId,
  generation: number,
  bytes: Uint8Array,
  sha256: Sha256,
): Beginning {
  const hash = toHex(sha256(bytes))
  const cuts = cutsOf(generation)
  if (cuts === 0 || generationOf(cuts, hash) !== generation)
    throw broken('a base does not begin the generation that it names')
  const [reach, payload] = readFields(bytes, cuts)
  if (payload.length === 0) return { hash, generation, reach, change: undefined, bytes }
  const header = readEvent(payload, sha256)
  const isFirst = header.sequence === 1 && header.parents.length === 0
  if (!isFirst || header.actor !== cutActor(document, cuts, sha256))
    throw broken('the state of a base is not a first change')
  return { hash, generation, reach, change: { header, bytes: payload }, bytes }
}

/**
 * The reach of a base and its state. Item by item: read as a whole, what a peer put there would first be
 * built, at many times its size.
 */
function readFields(bytes: Uint8Array, cuts: number): readonly [Reach, Uint8Array] {
  try {
    const fields = new CborReader(bytes)
    openArray(fields, 2)
    const authors = fields.head(CBOR_ARRAY)
    if (authors > AUTHORS_MAX) throw broken('a base tells of too many authors')
    const reach = new Map<ActorId, Place>()
    for (let left = authors; left > 0; left -= 1) {
      openArray(fields, 3)
      const actor = toHex(fields.view())
      const generation = normalGeneration(fields.head(CBOR_UINT))
      if (cutsOf(generation) >= cuts) throw broken('a base reaches past its own generation')
      reach.set(actor, { generation, sequence: fields.head(CBOR_UINT) })
    }
    const state = fields.view()
    fields.end()
    return [reach, state]
  } catch (error) {
    throw error instanceof CborError ? broken('a base cannot be decoded') : error
  }
}

function openArray(fields: CborReader, length: number): void {
  if (fields.head(CBOR_ARRAY) !== length) throw broken('a base cannot be decoded')
}

function broken(message: string): ProtocolError {
  return new ProtocolError('PROTOCOL_REMOTE', message)
}
