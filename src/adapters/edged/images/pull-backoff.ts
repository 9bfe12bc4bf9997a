/** The wait after a failed pull. */
export interface PullWait {
  readonly failedAtMs: number
  readonly delayMs: number
}

/** How long a pull waits after one that failed. */
export interface PullBackoff {
  readonly firstMs: number
  readonly maxMs: number
}

/** What kubelet does: 10 s, doubled up to 5 min. */
export const PULL_BACKOFF: PullBackoff = { firstMs: 10_000, maxMs: 300_000 }

/** The wait after one more failure; the first one again when the last is long ago. */
export function nextPullWait(
  last: PullWait | undefined,
  limits: PullBackoff,
  nowMs: number,
): PullWait {
  // Twice the longest wait without a failure: it is forgotten.
  const isFresh = last !== undefined && nowMs - last.failedAtMs <= 2 * limits.maxMs
  const delayMs = isFresh ? Math.min(last.delayMs * 2, limits.maxMs) : limits.firstMs
  return { failedAtMs: nowMs, delayMs }
}

/** When the wait is over. */
export function endOfWaitMs(wait: PullWait): number {
  return wait.failedAtMs + wait.delayMs
}
