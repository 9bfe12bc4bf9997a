import { describe, expect, test } from 'vitest'
import type { FaultName } from './faults.ts'
import { type Habit, simulate } from './run.ts'

const SEEDS = 8

/** Each with crashes and broken connections, so that it strikes at any moment. */
const LOSSES: readonly (readonly [what: string, fault: FaultName, without: readonly Habit[]])[] = [
  ['the end of a log', 'lost-tail', []],
  ['all since a backup', 'backup', []],
  // What rots is not followed through moves and cuts yet.
  ['entries to bit rot', 'corrupt', ['moves', 'cuts']],
]

describe('replicas that lose', () => {
  for (const [what, fault, without] of LOSSES) {
    test(`${what} converge all the same`, async () => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { failures } = await simulate({ seed, without, faults: [fault, 'crash', 'break'] })
        expect(failures, `seed ${seed}`).toEqual([])
      }
    }, 120_000)
  }
})
