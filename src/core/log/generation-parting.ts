import { cutsOf, normalGeneration } from './generation.ts'
import { firstPlaceOf } from './generation-origin.ts'
import type { LateEvent } from './generation-plan.ts'
import type { PlanView } from './plan-view.ts'
import type { DocumentRecord } from './records.ts'
import type { CheckedEvent } from './submission.ts'

/**
 * Whether the log that tells of a leave was in another generation of the document than this one, and not in
 * an older one. What it acknowledged of ours may then be aside there: only who has what an edit builds on can
 * write it again, and who is told of a leave gives up what that would be done with.
 *
 * @param generation the one that the leave names; or that a document left in which is here again, in another.
 */
export function isParted(generation: number, record: DocumentRecord): boolean {
  const theirs = normalGeneration(generation)
  return theirs !== record.generation && cutsOf(theirs) >= cutsOf(record.generation)
}

/** What this replica wrote first of a document: of the events of its generation, and of those aside. */
export function ownEvents(
  generation: number,
  events: readonly CheckedEvent[],
  late: readonly LateEvent[],
  { isOwn, sha256 }: Pick<PlanView, 'isOwn' | 'sha256'>,
): readonly CheckedEvent[] {
  const all = [
    ...events.map((event) => ({ event, generation })),
    ...late.map(({ event, record }) => ({ event, generation: record.generation })),
  ]
  return all
    .filter(({ event, generation: of }) => isOwn(firstPlaceOf(event.header, of, sha256).actor))
    .map(({ event }) => event)
}
