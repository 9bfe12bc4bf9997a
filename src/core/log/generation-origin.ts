import { fromHex, toHex, utf8 } from '../bytes.ts'
import type { ActorId, DocumentId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { EventHeader } from './event.ts'
import { cutsOf, normalGeneration, type Place } from './generation.ts'

/** Who wrote an edit first, where, and what it did: carried by the event that writes it again. */
export interface Origin {
  readonly hash: EventHash
  readonly actor: ActorId
  readonly place: Place
  /** What its author said it was for. */
  readonly message: string
  /** What it did, apart from any generation: as the {@link Rewriter} reads it. */
  readonly edit: Uint8Array
}

/** The last line of the message of an event that writes another one again. */
const MARK =
  /\nrebased ([0-9a-f]{64}) (\d{1,16}) ((?:[0-9a-f]{2}){1,64})\/(\d{1,16}) ((?:[0-9a-f]{2})*)$/

/** Who writes the first change of a generation: depends on nothing else, so it is the same everywhere. */
export function cutActor(document: DocumentId, cuts: number, sha256: Sha256): ActorId {
  return toHex(sha256(utf8(`cut\n${document}\n${cuts}`)).subarray(0, 8))
}

/**
 * Who writes again, in `generation`, what `actor` wrote in another one. One writer for each that it may
 * come from: who has lost one of them still gives the events of the others their places.
 */
export function rewriteActor(
  actor: ActorId,
  { generation: from }: Pick<Place, 'generation'>,
  generation: number,
  sha256: Sha256,
): ActorId {
  return toHex(sha256(utf8(`rebased\n${actor}\n${from}\n${generation}`)).subarray(0, 8))
}

/** The message of an event that writes another one again. */
export function markedMessage({ hash, actor, place, message, edit }: Origin): string {
  const { generation, sequence } = place
  return `${message}\nrebased ${hash} ${generation} ${actor}/${sequence} ${toHex(edit)}`
}

/**
 * What an event of `generation` writes again; undefined for one that is new. A message that only looks
 * like a mark is none: the actor has to be the one that follows from it.
 */
export function originOf(
  header: EventHeader,
  generation: number,
  sha256: Sha256,
): Origin | undefined {
  const mark = header.message?.includes('\nrebased ') === true ? MARK.exec(header.message) : null
  if (mark === null) return undefined
  const [whole, hash = '', from = '', actor = '', sequence = '', edit = ''] = mark
  const place = { generation: normalGeneration(Number(from)), sequence: Number(sequence) }
  if (!isBefore(place, generation)) return undefined
  if (rewriteActor(actor, place, generation, sha256) !== header.actor) return undefined
  const message = header.message?.slice(0, -whole.length) ?? ''
  return { hash, actor, place, message, edit: fromHex(edit) }
}

/**
 * Whether an event from there can be written again in a generation. What a writer put there otherwise would
 * make a base that nobody can read.
 */
function isBefore(place: Place, generation: number): boolean {
  const { generation: from, sequence } = place
  const isPlace = Number.isSafeInteger(from) && Number.isSafeInteger(sequence) && sequence > 0
  return isPlace && from !== generation && cutsOf(from) <= cutsOf(generation)
}

/** The first writing of an edit. */
export type FirstPlace = Pick<Origin, 'hash' | 'actor' | 'place'>

/**
 * Whether two events are of one edit. The hash alone does not tell: anybody may name one in a mark, but
 * whoever names the author too has to be believed for that author.
 */
export function isSameFirst(a: FirstPlace | undefined, b: FirstPlace): boolean {
  if (a === undefined || a.hash !== b.hash || a.actor !== b.actor) return false
  return a.place.generation === b.place.generation && a.place.sequence === b.place.sequence
}

/** Who wrote an event first, and where: the event itself, or the one that it writes again. */
export function firstPlaceOf(header: EventHeader, generation: number, sha256: Sha256): FirstPlace {
  const origin = originOf(header, generation, sha256)
  if (origin !== undefined) return origin
  const place = { generation: normalGeneration(generation), sequence: header.sequence }
  return { hash: header.hash, actor: header.actor, place }
}
