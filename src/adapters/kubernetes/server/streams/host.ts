import type { Clock } from '../../../../core/interfaces/clock.ts'

/** What streams need of the server that they run in. */
export interface StreamHost {
  readonly clock: Clock
  /** A connection that was silent both ways for this long is closed. */
  readonly idleMs: number
  /**
   * Counts a connection, and ends it when the server closes.
   *
   * @returns what to call when it is over.
   */
  readonly keep: (end: () => void) => () => void
}
