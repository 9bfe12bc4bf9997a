/** How long a container that keeps ending waits before it is started again. */
export interface RestartBackoff {
  /** The wait after the second end, in milliseconds; the first restart comes at once. */
  readonly firstMs: number
  readonly maxMs: number
  /** A container that ran this long starts over without a wait. */
  readonly resetAfterMs: number
}

/** What kubelet does: 10 s, doubled up to 5 min, forgotten after 10 min of running. */
export const RESTART_BACKOFF: RestartBackoff = {
  firstMs: 10_000,
  maxMs: 300_000,
  resetAfterMs: 600_000,
}

/** One run of a container, as far as the next start depends on it. */
export interface PastRun {
  /** The wait that this run was given for its own end. */
  readonly backoffMs: number
  readonly startedAtMs: number | undefined
  readonly finishedAtMs: number | undefined
}

/** When the next run may start, and what wait it is given for its own end. */
export interface NextRun {
  readonly notBeforeMs: number
  readonly delayMs: number
  readonly backoffMs: number
}

/**
 * Decides on the restart after a run. The state is carried from run to run by the runs themselves,
 * so that a restart of the agent forgets nothing.
 */
export function nextRun(past: PastRun, limits: RestartBackoff): NextRun {
  const finishedAtMs = past.finishedAtMs ?? 0
  const ranMs = finishedAtMs - (past.startedAtMs ?? finishedAtMs)
  const delayMs = ranMs >= limits.resetAfterMs ? 0 : past.backoffMs
  const doubled = delayMs === 0 ? limits.firstMs : delayMs * 2
  return {
    notBeforeMs: finishedAtMs + delayMs,
    delayMs,
    backoffMs: Math.min(doubled, limits.maxMs),
  }
}
