import type { ReconcileResult, ReconcileStep } from '../sync/reconcile-steps.ts'
import type { LinkView } from './link-digest.ts'
import { compareEntries, documentStates } from './reconcile-entries.ts'
import { answerRanges, beginRanges, compareRanges } from './reconcile-ranges.ts'

/** Looks at the log for a session that finds out where two logs differ. */
export function reconcileStep(view: LinkView, step: ReconcileStep): Promise<ReconcileResult> {
  switch (step.type) {
    case 'begin':
      return beginRanges(view, step.collections)
    case 'ranges':
      return answerRanges(view, step.ranges, step.bytesMax)
    case 'compare':
      return compareRanges(view, step.compares)
    case 'states':
      return documentStates(view, step.collection, step.documents, step.bytesMax)
    case 'entries':
      return compareEntries(view, step.collection, step.documents)
  }
}
