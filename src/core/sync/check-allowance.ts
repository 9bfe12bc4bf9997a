import { CHECK_EVERY_MS, CHECKS_AT_ONCE_MAX } from './limits.ts'

/**
 * How many CHECK frames the peer has a reason to send. Each costs a look at the digests, and one that does
 * not match a look at the log.
 */
export class CheckAllowance {
  #left = CHECKS_AT_ONCE_MAX
  #takenMs: number | undefined

  /** One came. False when it was one too many. */
  take(nowMs: number): boolean {
    const since = nowMs - (this.#takenMs ?? nowMs)
    const earned = Math.floor(since / CHECK_EVERY_MS)
    this.#left = Math.min(CHECKS_AT_ONCE_MAX, this.#left + earned) - 1
    if (earned > 0 || this.#takenMs === undefined) this.#takenMs = nowMs
    return this.#left >= 0
  }

  /** The terms have changed. */
  renew(): void {
    this.#left = CHECKS_AT_ONCE_MAX
  }
}
