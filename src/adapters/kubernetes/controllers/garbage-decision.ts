import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from '../objects/deletion.ts'
import type { Propagation } from '../objects/types.ts'

/** How an owner stands: it is there, it waits for its dependents to go, it is gone, or nobody here knows. */
export type OwnerState = 'there' | 'waiting' | 'gone' | 'unknown'

/** An object, as far as it matters for what becomes of it. */
export interface Subject {
  /** Whether it is being deleted. */
  readonly isLeaving: boolean
  readonly finalizers: readonly string[]
  readonly owners: readonly { readonly uid: string; readonly state: OwnerState }[]
  readonly dependents: readonly {
    /** Whether the object has to wait for it. */
    readonly blocks: boolean
    /** Whether it waits for dependents of its own. */
    readonly isWaiting: boolean
  }[]
}

/** What is to be done with an object. */
export type GarbageAction =
  | { readonly type: 'none' }
  /** A finalizer has done its work. */
  | { readonly type: 'release'; readonly finalizer: string }
  /** Its dependents are to lose it as their owner. */
  | { readonly type: 'orphan' }
  /** Its dependents are to be looked at: it waits for them. */
  | { readonly type: 'prompt' }
  /** It keeps an owner, and loses these. */
  | { readonly type: 'disown'; readonly uids: readonly string[] }
  /** Nobody owns it any more. `unblocks`: its owners are no longer to wait for it. */
  | { readonly type: 'delete'; readonly propagation: Propagation; readonly unblocks: boolean }

const NONE: GarbageAction = { type: 'none' }

/**
 * Decides what is to be done with an object, as the garbage collector of Kubernetes does: an object goes
 * when all its owners are gone, or wait for it; while one is there it stays, and forgets the others.
 * While it is unknown whether one is there, nothing is done.
 */
export function decideGarbage(subject: Subject): GarbageAction {
  if (subject.isLeaving) return leave(subject)
  const { owners, dependents, finalizers } = subject
  if (owners.length === 0) return NONE
  const inState = (state: OwnerState): readonly string[] =>
    owners.filter((owner) => owner.state === state).map(({ uid }) => uid)
  if (inState('unknown').length > 0) return NONE
  const waiting = inState('waiting')
  const lost = [...inState('gone'), ...waiting]
  if (inState('there').length > 0) return lost.length > 0 ? { type: 'disown', uids: lost } : NONE
  if (waiting.length > 0 && dependents.length > 0) {
    // Two that wait for each other would wait for ever.
    const unblocks = dependents.some(({ isWaiting }) => isWaiting)
    return { type: 'delete', propagation: 'Foreground', unblocks }
  }
  return { type: 'delete', propagation: usual(finalizers), unblocks: false }
}

function leave({ finalizers, dependents }: Subject): GarbageAction {
  if (finalizers.includes(ORPHAN_FINALIZER)) {
    return dependents.length > 0
      ? { type: 'orphan' }
      : { type: 'release', finalizer: ORPHAN_FINALIZER }
  }
  if (!finalizers.includes(FOREGROUND_FINALIZER)) return NONE
  return dependents.some(({ blocks }) => blocks)
    ? { type: 'prompt' }
    : { type: 'release', finalizer: FOREGROUND_FINALIZER }
}

function usual(finalizers: readonly string[]): Propagation {
  if (finalizers.includes(ORPHAN_FINALIZER)) return 'Orphan'
  return finalizers.includes(FOREGROUND_FINALIZER) ? 'Foreground' : 'Background'
}
