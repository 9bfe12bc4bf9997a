import type { Random } from '../../core/interfaces/clock.ts'

/** How the delay between retries of one key grows. */
export interface BackoffLimits {
  /** The delay after the first failure, before jitter, in milliseconds. */
  readonly firstMs: number
  /** No delay is longer than this, in milliseconds. */
  readonly maxMs: number
}

/** The delays used when none are given: 250 ms, doubling up to 5 minutes. */
export const BACKOFF_DEFAULTS: BackoffLimits = { firstMs: 250, maxMs: 300_000 }

/** Failures past this many no longer change the delay, and keep the power of two finite. */
const DOUBLINGS_MAX = 30

/**
 * The delay before the next try after `failures` failures in a row (1 or more).
 *
 * Half of it is fixed and half is random, so that many keys that failed together spread out while
 * none of them retries at once.
 */
export function retryDelayMs(failures: number, limits: BackoffLimits, random: Random): number {
  const doublings = Math.min(Math.max(failures - 1, 0), DOUBLINGS_MAX)
  const full = Math.min(limits.firstMs * 2 ** doublings, limits.maxMs)
  return full / 2 + (full / 2) * fraction(random)
}

function fraction(random: Random): number {
  const bytes = new Uint8Array(4)
  random.fill(bytes)
  return new DataView(bytes.buffer).getUint32(0) / 2 ** 32
}
