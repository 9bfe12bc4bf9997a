import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import { goDuration } from '../go-duration.ts'

/** What a {@link RuntimeHealth} needs. */
export interface RuntimeHealthOptions {
  readonly clock: Clock
  /** A runtime that has not answered for this long is down, in milliseconds. */
  readonly downAfterMs: number
  /** It went down, came back, or is down for so long that there is more to say. */
  readonly onChange: (health: { readonly isDown: boolean; readonly isBack: boolean }) => void
}

/** What kubelet gives a runtime before it says that it is down. */
export const RUNTIME_DOWN_AFTER_MS = 30_000
/** Kubelet says more when it could not list containers for this long. */
const LIST_THRESHOLD_MS = 180_000
const LOOK_MS = 2_000

/** Keeps an eye on whether a runtime answers. Time is measured by the clock that nobody sets. */
export class RuntimeHealth {
  readonly #options: RuntimeHealthOptions
  /** When it was asked what it has not answered yet. */
  #askedAtMs: number | undefined
  #problems: readonly string[] = []
  #timer: Cancel | undefined
  #isClosed = false

  constructor(options: RuntimeHealthOptions) {
    this.#options = options
  }

  /** What is wrong with it, in kubelet's words; nothing when it answers. */
  get problems(): readonly string[] {
    return this.#problems
  }

  /** Whether it has not answered for too long. */
  get isDown(): boolean {
    return this.#problems.length > 0
  }

  /** It is being asked something: how long that takes is looked at from now on. */
  asked(): void {
    this.#askedAtMs ??= this.#options.clock.monotonicMs()
    if (this.#timer === undefined) this.#later()
  }

  /** It has answered. */
  answered(): void {
    this.#askedAtMs = undefined
    this.#rest()
    this.#set([])
  }

  close(): void {
    this.#isClosed = true
    this.#rest()
  }

  #rest(): void {
    this.#timer?.()
    this.#timer = undefined
  }

  #later(): void {
    if (this.#isClosed) return
    this.#timer = this.#options.clock.schedule(LOOK_MS, () => {
      this.#set(this.#look())
      this.#later()
    })
  }

  #look(): readonly string[] {
    const { clock, downAfterMs } = this.#options
    const nowMs = clock.monotonicMs()
    const silentMs = nowMs - (this.#askedAtMs ?? nowMs)
    if (silentMs < downAfterMs) return []
    const down = 'container runtime is down'
    if (silentMs < LIST_THRESHOLD_MS) return [down]
    // Kubelet counts on, and writes its node each time. It is said once here.
    const threshold = goDuration(LIST_THRESHOLD_MS)
    return [
      down,
      `PLEG is not healthy: pleg was last seen active ${threshold} ago; threshold is ${threshold}`,
    ]
  }

  #set(problems: readonly string[]): void {
    if (problems.length === this.#problems.length) return
    const isBack = problems.length === 0
    this.#problems = problems
    this.#options.onChange({ isDown: !isBack, isBack })
  }
}
