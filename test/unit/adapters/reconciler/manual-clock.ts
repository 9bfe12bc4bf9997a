import type { Cancel, Clock } from '../../../../src/core/interfaces/clock.ts'

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>()

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How long until the next timer; undefined when there is none. */
  get nextMs(): number | undefined {
    const due = [...this.#timers].map((timer) => timer.dueMs)
    return due.length === 0 ? undefined : Math.min(...due) - this.#nowMs
  }

  /** Lets time pass and fires what has become due. */
  advance(ms: number): void {
    this.#nowMs += ms
    for (const timer of [...this.#timers]) {
      if (timer.dueMs > this.#nowMs || !this.#timers.delete(timer)) continue
      timer.callback()
    }
  }
}
