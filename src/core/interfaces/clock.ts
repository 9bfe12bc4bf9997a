/** Undoes one registration. Calling it twice is harmless. */
export type Cancel = () => void

/**
 * Time, as the engine sees it.
 *
 * Nothing under `src/core/` reads the machine's time by itself, so a simulated clock makes a whole
 * fleet of replicas repeatable.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. It may jump either way: never measure a duration with it. */
  wallMs(): number
  /** Milliseconds since some fixed moment. It never goes back. */
  monotonicMs(): number
  /** Calls `callback` once, `delayMs` from now or later. Never in the same turn. */
  schedule(delayMs: number, callback: () => void): Cancel
}

/** A source of random bytes, for identities and for jitter. */
export interface Random {
  /** Fills all of `target`. */
  fill(target: Uint8Array): void
}
