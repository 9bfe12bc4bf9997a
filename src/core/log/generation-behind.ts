import { type Beginning, covers, cutsOf } from './generation.ts'
import { firstPlaceOf } from './generation-origin.ts'
import type { PlanView } from './plan-view.ts'
import type { CheckedEvent } from './submission.ts'

/**
 * Own events of a generation that we had left already, by what a beginning reaches: the log went back since,
 * and wrote some of them after that. The state reaches past their places, and does not say which are in it.
 *
 * @param generation the one that the events are of.
 */
export function eventsBehind(
  events: readonly CheckedEvent[],
  generation: number,
  { reach }: Beginning,
  { isOwn, sha256 }: Pick<PlanView, 'isOwn' | 'sha256'>,
): readonly CheckedEvent[] {
  return events.filter(({ header }) => {
    const { actor } = firstPlaceOf(header, generation, sha256)
    const newest = reach.get(actor)
    return newest !== undefined && isOwn(actor) && newest.generation > generation
  })
}

/**
 * Whether a state that begins a generation may lack edits that are in the one that we began with. So it is when
 * that has own events of a generation that we had left already: a log that went back may have written some of
 * them since, and cut them into a state that nobody else has.
 */
export function mayLack(
  { generation, reach }: Beginning,
  ours: Beginning,
  { isOwn }: Pick<PlanView, 'isOwn'>,
): boolean {
  // Of as many cuts, neither comes of the other: a log that went back may name other edits by one place.
  if (cutsOf(ours.generation) === cutsOf(generation) || !covers(reach, ours.reach)) return true
  return [...ours.reach.keys()].some((actor) => {
    const newest = reach.get(actor)
    if (newest === undefined || !isOwn(actor) || newest.generation === ours.generation) return false
    return cutsOf(newest.generation) >= cutsOf(ours.generation)
  })
}
