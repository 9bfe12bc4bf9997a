import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AcceptedDifference,
  acceptedAs,
  compareAnswers,
} from '../../cluster/golden/compare.ts'
import type { PodCase } from './case-files.ts'
import type { PodAnswer, Settled } from './run-case.ts'

/** How long nothing may have changed where nobody knows what is still to come. */
const QUIET_MS = 3_000
const QUIET_MS_MAX = 20_000
/** How long something that is known is waited for. */
const EXPECTED_MS = 20_000
const LOOK_MS = 200

/** Waits until nothing has changed for a while: how answers are recorded. */
export function untilQuiet(given: PodCase): Settled {
  return async (step, look) =>
    given.steps[step]?.passes === true ? await look() : await quiet(look)
}

async function quiet(look: () => Promise<PodAnswer>): Promise<PodAnswer> {
  const lastMs = performance.now() + QUIET_MS_MAX
  let answer = await look()
  let sinceMs = performance.now()
  while (performance.now() - sinceMs < QUIET_MS && performance.now() < lastMs) {
    await sleep(LOOK_MS)
    const next = await look()
    if (JSON.stringify(next) !== JSON.stringify(answer)) sinceMs = performance.now()
    answer = next
  }
  return answer
}

/** Waits until the answer is the expected one, or for long enough that it will not be any more. */
export function untilAs(
  given: PodCase,
  expected: readonly PodAnswer[],
  accepted: readonly AcceptedDifference[],
): Settled {
  return async (step, look) => {
    const wanted = expected[step]
    const lastMs = performance.now() + EXPECTED_MS
    let answer = await look()
    while (wanted !== undefined && performance.now() < lastMs) {
      const open = compareAnswers(wanted, answer).filter(
        (difference) => acceptedAs(given.name, difference, accepted) === undefined,
      )
      if (open.length === 0) break
      await sleep(LOOK_MS)
      answer = await look()
    }
    return answer
  }
}
