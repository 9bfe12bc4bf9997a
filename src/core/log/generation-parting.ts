import { cutsOf, normalGeneration } from './generation.ts'
import { firstPlaceOf } from './generation-origin.ts'
import type { PlanView } from './plan-view.ts'
import type { DocumentRecord } from './records.ts'
import type { CheckedEvent } from './submission.ts'

/**
 * Whether the log that tells of a leave was in another generation of the document than this one, and not in
 * an older one. What it acknowledged of ours may then be aside there: only who has what an edit builds on can
 * write it again, and who is told of a leave gives up what that would be done with.
 *
 * @param generation the one that the leave names.
 */
export function isParted(generation: number, record: DocumentRecord): boolean {
  const theirs = normalGeneration(generation)
  return theirs !== record.generation && cutsOf(theirs) >= cutsOf(record.generation)
}

/** The events that this replica wrote first, of those of a generation. */
export function ownEvents(
  events: readonly CheckedEvent[],
  generation: number,
  { isOwn, sha256 }: Pick<PlanView, 'isOwn' | 'sha256'>,
): readonly CheckedEvent[] {
  return events.filter(({ header }) => isOwn(firstPlaceOf(header, generation, sha256).actor))
}
