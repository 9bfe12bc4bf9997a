import type { Clock } from '../../../core/interfaces/clock.ts'

/** Resolves after a while. */
export function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(ms, resolve)
  })
}
