import type { Cancel, Clock } from '../interfaces/clock.ts'

/**
 * The one timer of a link.
 *
 * Nearly every message moves the deadline away. A timer that fires too early for the new one only looks
 * again, so it is set anew only for a deadline that comes nearer.
 */
export class LinkDeadline {
  readonly #clock: Clock
  readonly #onDue: () => void
  #timer: { readonly atMs: number; readonly cancel: Cancel } | undefined

  /** @param onDue called at the deadline, and at times that were one: it sets the next. */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** By when to call back; undefined when there is no reason to. */
  set(atMs: number | undefined): void {
    if (atMs !== undefined && this.#timer !== undefined && this.#timer.atMs <= atMs) return
    this.cancel()
    if (atMs === undefined) return
    const delayMs = Math.max(0, atMs - this.#clock.monotonicMs())
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#timer = undefined
      this.#onDue()
    })
    this.#timer = { atMs, cancel }
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
