import type { Clock } from '../../../core/interfaces/clock.ts'

/** How much may be told of one object: so much at once, and one more every now and then. */
export const EVENT_BUDGET: {
  readonly burstMax: number
  readonly refillMs: number
  /** Objects that are remembered. */
  readonly objectsMax: number
} = { burstMax: 25, refillMs: 300_000, objectsMax: 4_096 }

interface Budget {
  left: number
  atMs: number
}

/**
 * Keeps what fails again and again, such as a probe every second, from filling the log: what kubelet
 * tells of one object is bounded in the same way.
 */
export class EventBudgets {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  /** By object, the most recently used last. */
  readonly #budgets = new Map<string, Budget>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** Whether one more event of an object may be told; it is counted then. */
  take(object: string): boolean {
    const { burstMax, refillMs, objectsMax } = EVENT_BUDGET
    const nowMs = this.#clock.monotonicMs()
    const before = this.#budgets.get(object) ?? { left: burstMax, atMs: nowMs }
    const left = Math.min(before.left + (nowMs - before.atMs) / refillMs, burstMax)
    const isEnough = left >= 1
    this.#budgets.delete(object)
    this.#budgets.set(object, { left: isEnough ? left - 1 : left, atMs: nowMs })
    const oldest = this.#budgets.keys().next()
    if (this.#budgets.size > objectsMax && oldest.done !== true) this.#budgets.delete(oldest.value)
    return isEnough
  }
}
