import type { ActorId, DocumentId, EventHash } from '../ids.ts'
import type { CheckedEvent } from './submission.ts'

/**
 * A document's history is cut into generations. The first has no beginning; every later one begins with a
 * *beginning*: the state of the one before as a single change, and a *reach*: which events are in it.
 *
 * A generation is a number: `cuts * 2^32 + tag`, where `cuts` says how often history was cut, and `tag` are
 * the first 32 bits of the beginning's hash. So events of two beginnings that replicas made apart are never
 * taken for each other. The first generation is 1; 0 is another way to write it.
 */
export const FIRST_GENERATION = 1

const TAG = 2 ** 32

/** How often the history of one document may be cut: what a generation has room for. */
export const CUTS_MAX: number = 2 ** 21 - 1

/** How often history was cut before this generation. */
export function cutsOf(generation: number): number {
  return Math.floor(generation / TAG)
}

/** The generation that begins with this hash after so many cuts. */
export function generationOf(cuts: number, hash: EventHash): number {
  return cuts * TAG + Number.parseInt(hash.slice(0, 8), 16)
}

/** The one way to write a generation that all comparisons use. */
export function normalGeneration(generation: number): number {
  return cutsOf(generation) === 0 ? FIRST_GENERATION : generation
}

/** The place of an event among all that its author wrote in a document. */
export interface Place {
  readonly generation: number
  readonly sequence: number
}

/** By author: the newest event that is in a state. All earlier ones of the author are in it too. */
export type Reach = ReadonlyMap<ActorId, Place>

/** What a generation begins with. */
export interface Beginning {
  /** The SHA-256 of {@link bytes}: its name. */
  readonly hash: EventHash
  readonly generation: number
  readonly reach: Reach
  /** The change that makes the state; undefined for a deleted document, which has none. */
  readonly change: CheckedEvent | undefined
  /** As it is stored and travels. */
  readonly bytes: Uint8Array
}

/** Everything that counts in a document: the beginning of its generation, and the events since. */
export interface Lineage {
  readonly beginning: Beginning | undefined
  readonly events: readonly CheckedEvent[]
}

/** What a cut makes of a lineage. */
export interface CutState {
  /** The first change of the new generation. */
  readonly change: CheckedEvent
  /** Events that are not in the state: what they build on is not here. */
  readonly waiting: readonly CheckedEvent[]
}

/** What became of events that were written for an older generation. */
export interface Rewritten {
  /** In causal order. */
  readonly events: readonly CheckedEvent[]
  /** Events that could not be rewritten: what they build on is not here. */
  readonly waiting: readonly CheckedEvent[]
}

/**
 * Looks inside events, which the log does not. Both answers depend on the arguments alone, so every
 * replica makes the same bytes.
 */
export interface Rewriter {
  /** The state of a lineage as one change; undefined when it cannot be made, or is too large to travel. */
  cut(document: DocumentId, cuts: number, lineage: Lineage): CutState | undefined
  /**
   * Writes events of a lineage again on a newer beginning.
   *
   * @param uncovered those of its events that the beginning does not reach.
   */
  rewrite(
    lineage: Lineage,
    uncovered: ReadonlySet<EventHash>,
    beginning: Beginning,
    document: DocumentId,
  ): Rewritten
}

/** Whether an event at this place is in a state. */
export function reaches(reach: Reach, actor: ActorId, place: Place): boolean {
  const newest = reach.get(actor)
  if (newest === undefined) return false
  if (newest.generation !== place.generation) return newest.generation > place.generation
  return newest.sequence >= place.sequence
}

/** Whether all that is in one state is in another. */
export function covers(reach: Reach, other: Reach): boolean {
  return [...other].every(([actor, place]) => reaches(reach, actor, place))
}

/**
 * Which of two beginnings counts: the later cut; of two at once the one that reaches further, and if
 * neither does, the one with the larger hash. A total order, the same everywhere.
 */
export function isNewer(a: Beginning, b: Beginning): boolean {
  const cuts = cutsOf(a.generation) - cutsOf(b.generation)
  if (cuts !== 0) return cuts > 0
  const weight = weightOf(a.reach) - weightOf(b.reach)
  if (weight !== 0n) return weight > 0n
  return a.hash > b.hash
}

/** Grows with every event of every author, so what reaches further weighs more. */
function weightOf(reach: Reach): bigint {
  let weight = 0n
  for (const { generation, sequence } of reach.values())
    weight += (BigInt(cutsOf(generation)) << 53n) + BigInt(sequence)
  return weight
}
