import {
  AccessError,
  DocumentError,
  StorageUnavailableError,
  type TidewayError,
} from '../errors.ts'
import type { CollectionId } from '../ids.ts'
import type { Reject } from '../sync/io.ts'
import type { Plan } from './plan.ts'
import type { Denial, Submission } from './submission.ts'

/** What came of planning one submission. */
export interface Outcome {
  readonly rejects: readonly Reject[]
  /** See {@link Committed}. */
  readonly returned?: readonly CollectionId[] | undefined
  /** Why nothing of a local submission was taken. */
  readonly denial?: Denial | undefined
}

/** Plans one submission. */
export function carryOut(plan: Plan, submission: Submission): Outcome {
  switch (submission.type) {
    case 'local':
      return { rejects: [], denial: plan.local(submission) }
    case 'remote':
      return { rejects: plan.remote(submission), returned: plan.takeReturned() }
    case 'delete':
      plan.delete(submission.document)
      break
    case 'move':
      plan.move(submission)
      break
    case 'cut':
      plan.cut(submission)
      break
    case 'reject':
      plan.reject(submission)
      break
    case 'peer':
      plan.peer(submission.peer)
      break
    case 'note':
      plan.note(submission.puts)
      break
  }
  return { rejects: [] }
}

/** The error for who waits on a submission that was not taken. */
export function denied({ code, message }: Denial): TidewayError {
  if (code === 'ACCESS_EQUIVOCATION') return new AccessError(code, message)
  if (code === 'DOCUMENT_DELETED' || code === 'DOCUMENT_COMPACTED')
    return new DocumentError(code, message)
  return new StorageUnavailableError(message)
}

/** What a submission shares with later ones that would be wrong without it. */
export function buildsOn(submission: Submission): readonly string[] {
  switch (submission.type) {
    case 'remote':
      return [`peer ${submission.from}`]
    case 'peer':
      return [`peer ${submission.peer.replica}`]
    case 'reject':
      return submission.rejects.map(({ document }) => `document ${document}`)
    case 'note':
      return []
    default:
      return [`document ${submission.document}`]
  }
}

/** How many entries planning a submission looks at. */
export function entriesOf(submission: Submission): number {
  if (submission.type === 'local') return submission.events.length
  return submission.type === 'remote' ? submission.entries.length : 1
}

/** The bytes of events in a submission. */
export function sizeOf(submission: Submission): number {
  if (submission.type === 'local') {
    return submission.events.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
  if (submission.type !== 'remote') return 0
  return submission.entries.reduce((sum, { wire }) => sum + wire.bytes.length, 0)
}

/** Whether planning it takes every event of a document. */
export function readsEvents(submission: Submission): boolean {
  if (['move', 'reject', 'cut'].includes(submission.type)) return true
  return (
    submission.type === 'remote' &&
    submission.entries.some(({ wire }) => ['base', 'join', 'leave'].includes(wire.kind))
  )
}
