import { encode } from 'cborg'

import { fromHex, toHex } from '../bytes.ts'
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

/** Types of CBOR items. */
const UINT = 0
const BYTES = 2
const ARRAY = 4

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
  const bytes = encode([
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
  const fields = new Fields(bytes)
  fields.head(ARRAY, 2)
  const authors = fields.head(ARRAY)
  if (authors > AUTHORS_MAX) throw broken('a base tells of too many authors')
  const reach = new Map<ActorId, Place>()
  for (let left = authors; left > 0; left -= 1) {
    const [actor, place] = fields.author()
    if (cutsOf(place.generation) >= cuts) throw broken('a base reaches past its own generation')
    reach.set(actor, place)
  }
  const payload = fields.end()
  if (payload.length === 0) return { hash, generation, reach, change: undefined, bytes }
  const header = readEvent(payload, sha256)
  const isFirst = header.sequence === 1 && header.parents.length === 0
  if (!isFirst || header.actor !== cutActor(document, cuts, sha256))
    throw broken('the state of a base is not a first change')
  return { hash, generation, reach, change: { header, bytes: payload }, bytes }
}

/**
 * A base field by field. Read by hand: a decoder would first build whatever a peer put there, at many times
 * its size.
 */
class Fields {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The number in the head of an item of this type. */
  head(type: number, wanted?: number): number {
    const first = this.#byte()
    let value = first & 31
    if (first >> 5 !== type || value > 27) throw broken('a base cannot be decoded')
    if (value >= 24) {
      const width = 1 << (value - 24)
      value = 0
      for (let i = 0; i < width; i += 1) value = value * 256 + this.#byte()
    }
    if (!Number.isSafeInteger(value) || (wanted !== undefined && value !== wanted))
      throw broken('a base cannot be decoded')
    return value
  }

  author(): readonly [ActorId, Place] {
    this.head(ARRAY, 3)
    const actor = toHex(this.#run())
    const generation = normalGeneration(this.head(UINT))
    return [actor, { generation, sequence: this.head(UINT) }]
  }

  /** The last field: bytes, and nothing after them. */
  end(): Uint8Array {
    const bytes = this.#run()
    if (this.#offset !== this.#bytes.length) throw broken('a base cannot be decoded')
    return bytes
  }

  #run(): Uint8Array {
    const end = this.head(BYTES) + this.#offset
    if (end > this.#bytes.length) throw broken('a base is cut short')
    const run = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return run
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw broken('a base is cut short')
    this.#offset += 1
    return byte
  }
}

function broken(message: string): ProtocolError {
  return new ProtocolError('PROTOCOL_REMOTE', message)
}
