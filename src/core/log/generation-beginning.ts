import { decode, encode } from 'cborg'

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

/** Authors that one beginning tells of: more are refused. */
const AUTHORS_MAX = 10_000

/** The reach of a lineage without the events that are not in its state. */
export function reachOf(
  { beginning, events }: Lineage,
  without: ReadonlySet<EventHash>,
  sha256: Sha256,
): Reach {
  const reach = new Map<ActorId, Place>(beginning?.reach)
  const generation = beginning?.generation ?? 1
  for (const { header } of events) {
    if (without.has(header.hash)) continue
    const { actor, place } = firstPlaceOf(header, generation, sha256)
    const known = reach.get(actor)
    if (known === undefined || isAfter(place, known)) reach.set(actor, place)
  }
  return reach
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
  const [authors, payload] = fieldsOf(bytes)
  if (!Array.isArray(authors) || authors.length > AUTHORS_MAX)
    throw broken('a base does not say what it reaches')
  const reach = new Map<ActorId, Place>()
  for (const author of authors) readAuthor(reach, author, generation)
  if (!(payload instanceof Uint8Array)) throw broken('a base has no state')
  if (payload.length === 0) return { hash, generation, reach, change: undefined, bytes }
  const header = readEvent(payload, sha256)
  const isFirst = header.sequence === 1 && header.parents.length === 0
  if (!isFirst || header.actor !== cutActor(document, cuts, sha256))
    throw broken('the state of a base is not a first change')
  return { hash, generation, reach, change: { header, bytes: payload }, bytes }
}

function readAuthor(reach: Map<ActorId, Place>, author: unknown, generation: number): void {
  const [actor, from, sequence]: unknown[] = Array.isArray(author) ? author : []
  if (
    !(actor instanceof Uint8Array) ||
    typeof from !== 'number' ||
    typeof sequence !== 'number' ||
    !Number.isSafeInteger(from) ||
    !Number.isSafeInteger(sequence) ||
    cutsOf(from) >= cutsOf(generation)
  ) {
    throw broken('a base does not say what it reaches')
  }
  reach.set(toHex(actor), { generation: normalGeneration(from), sequence })
}

function fieldsOf(bytes: Uint8Array): readonly unknown[] {
  let fields: unknown
  try {
    fields = decode(bytes)
  } catch {
    throw broken('a base cannot be decoded')
  }
  if (!Array.isArray(fields)) throw broken('a base cannot be decoded')
  return fields
}

function broken(message: string): ProtocolError {
  return new ProtocolError('PROTOCOL_REMOTE', message)
}
