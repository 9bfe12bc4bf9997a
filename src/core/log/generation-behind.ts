import { type Beginning, cutsOf } from './generation.ts'
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
    if (newest === undefined || !isOwn(actor)) return false
    return cutsOf(newest.generation) > cutsOf(generation)
  })
}
