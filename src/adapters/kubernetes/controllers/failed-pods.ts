import { textAt } from '../objects/read.ts'
import type { KubeObject } from '../objects/types.ts'

const FIRST_WAIT_MS = 1_000
const WAIT_MS_MAX = 5 * 60_000
/** A pod that failed later than this after it was made says nothing about the next one. */
const RECENT_MS = 60 * 60_000

/**
 * How long a set waits before it makes pods in the place of those that have failed: twice as long after
 * each round that came to nothing, up to five minutes. A node that takes no pods for a while would be
 * given one after the other without end.
 *
 * @param pods the pods of the set.
 * @param wanted how many it is to have: so many that fail are one round.
 */
export function waitAfterFailuresMs(
  pods: readonly KubeObject[],
  wanted: number,
  nowMs: number,
): number {
  const madeAtMs = pods
    .filter((pod) => textAt(pod, 'status', 'phase') === 'Failed')
    .map((pod) => Date.parse(pod.metadata.creationTimestamp ?? ''))
    .filter((atMs) => nowMs - atMs < RECENT_MS)
  if (madeAtMs.length === 0) return 0
  const rounds = Math.ceil(madeAtMs.length / Math.max(wanted, 1))
  const waitMs = Math.min(FIRST_WAIT_MS * 2 ** Math.min(rounds - 1, 20), WAIT_MS_MAX)
  // A clock that was set back makes nobody wait longer than that.
  return Math.min(Math.max(Math.max(...madeAtMs) + waitMs - nowMs, 0), waitMs)
}
