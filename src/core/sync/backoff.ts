/** The longest wait of the first attempt: long enough for a restart of the peer's process. */
export const BACKOFF_BASE_MS: number = 500

/** The longest wait of any attempt: a returned link is used within half a minute. */
export const BACKOFF_CAP_MS: number = 30_000

export interface BackoffOptions {
  readonly baseMs?: number | undefined
  readonly capMs?: number | undefined
  /** The peer asked not to be dialled before this. The jitter comes on top, so that a fleet spreads. */
  readonly retryAfterMs?: number | undefined
}

/**
 * How long to wait before dialling again: exponential with full jitter.
 *
 * @param attempt failures in a row so far, from 0.
 * @param random a number in [0, 1).
 */
export function backoffMs(attempt: number, random: number, options: BackoffOptions = {}): number {
  const base = options.baseMs ?? BACKOFF_BASE_MS
  const cap = options.capMs ?? BACKOFF_CAP_MS
  // 2 ** 1024 is Infinity, and Math.min copes with it.
  const ceiling = Math.min(cap, base * 2 ** Math.max(0, attempt))
  return (options.retryAfterMs ?? 0) + Math.floor(random * ceiling)
}
