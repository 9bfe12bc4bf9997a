import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'

/** How far the two clocks may drift apart between two looks: less is the wall clock being trimmed. */
const STEP_MS_MIN = 5_000
const LOOK_MS = 10_000

/**
 * Notices when the wall clock was put forwards or back: when it did not keep step with the clock for
 * durations, which also stands still while a machine sleeps.
 */
export class ClockSteps {
  readonly #clock: Clock
  #apartMs: number
  #steppedAtMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#apartMs = clock.wallMs() - clock.monotonicMs()
  }

  /** By how many milliseconds it was put ahead since the last look, or back; 0 when it kept step. */
  look(): number {
    const nowMs = this.#clock.monotonicMs()
    const apartMs = this.#clock.wallMs() - nowMs
    const byMs = apartMs - this.#apartMs
    this.#apartMs = apartMs
    if (Math.abs(byMs) < STEP_MS_MIN) return 0
    this.#steppedAtMs = nowMs
    return byMs
  }

  /** Whether it was put in the last so many milliseconds: a step is as old as the look that found it. Looks. */
  isWithin(ms: number): boolean {
    this.look()
    const atMs = this.#steppedAtMs
    return atMs !== undefined && this.#clock.monotonicMs() - atMs < ms
  }
}

/** What {@link watchSteps} works with. */
export interface StepWatch {
  readonly clock: Clock
  /** Is told of steps. Default: nobody is. */
  readonly logger?: Logger | undefined
  /** What looks, for others to ask as well. Default: one of its own. */
  readonly steps?: ClockSteps | undefined
  /** The wall clock was put: what goes by it is to be looked at. Default: nobody has to know. */
  readonly onStep?: (() => void) | undefined
}

/** Looks every ten seconds whether the wall clock was put, so that a step is known to be no older than that. */
export function watchSteps(watch: StepWatch): Cancel {
  const { clock, logger, steps = new ClockSteps(clock), onStep } = watch
  let cancel: Cancel | undefined
  const later = (): void => {
    cancel = clock.schedule(LOOK_MS, () => {
      const byMs = steps.look()
      if (byMs !== 0) {
        logger?.warn('the wall clock was put', { byMs })
        onStep?.()
      }
      later()
    })
  }
  later()
  return () => cancel?.()
}
