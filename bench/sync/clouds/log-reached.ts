import type { Replica } from 'tideway'

import { cpuNowMs, nowMs } from '../harness/usage.ts'

/** Resolves when a log holds so many entries durably, with the moment and the CPU time used by then. */
export function logReached(
  replica: Replica,
  head: number,
): Promise<{ readonly atMs: number; readonly cpuMs: number }> {
  return new Promise((resolve) => {
    const look = (now: number): void => {
      if (now < head) return
      cancel()
      resolve({ atMs: nowMs(), cpuMs: cpuNowMs() })
    }
    const cancel = replica.onAppended((_, now) => look(now))
    look(replica.head)
  })
}
