import type { Clock } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { PodRuntime } from '../runtime/index.ts'
import { pause } from './hook-run.ts'
import type { StopStep } from './pod-plan.ts'

/** What a {@link PodStopper} needs. */
export interface PodStopperOptions {
  readonly runtime: PodRuntime
  readonly clock: Clock
  readonly logger: Logger
  /** The stop of a container of this pod is over. */
  readonly hint: (podUid: string) => void
}

/** What a container does before it is asked to end, within `timeoutMs`. Never throws. */
export type BeforeStop = (timeoutMs: number, signal: AbortSignal) => Promise<void>

/** What a container gets to end by itself, however long its preStop hook took. */
const GRACE_AFTER_HOOK_MS_MIN = 2_000

interface Hook {
  readonly done: Promise<void>
  readonly abort: AbortController
}

/**
 * Stops containers in the background, so that the worker of a pod never waits for a grace period and
 * a shorter one takes effect at once.
 */
export class PodStopper {
  readonly #options: PodStopperOptions
  /** The grace of each stop that is under way, by container. */
  readonly #stopping = new Map<string, number>()
  /** The preStop hooks that run, by container. */
  readonly #hooks = new Map<string, Hook>()
  readonly #tasks = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: PodStopperOptions) {
    this.#options = options
  }

  /** Whether this stop, or one with less time, is under way. */
  isStopping(stop: StopStep): boolean {
    const current = this.#stopping.get(stop.container.id)
    return current !== undefined && current <= stop.graceMs
  }

  /**
   * Makes sure that a container is being stopped within `graceMs`.
   *
   * @returns whether this is news: false when the same stop is under way already.
   */
  stop(id: string, podUid: string, graceMs: number, before?: BeforeStop): boolean {
    const current = this.#stopping.get(id)
    if (this.#isClosed || (current !== undefined && current <= graceMs)) return false
    this.#stopping.set(id, graceMs)
    const task: Promise<void> = this.#run(id, graceMs, before).finally(() => {
      this.#tasks.delete(task)
      this.#options.hint(podUid)
    })
    this.#tasks.add(task)
    return current === undefined
  }

  /** Waits for no hook any more and asks no other container to end. */
  close(): void {
    this.#isClosed = true
    for (const { abort } of this.#hooks.values()) abort.abort()
  }

  async #run(id: string, graceMs: number, before: BeforeStop | undefined): Promise<void> {
    const { runtime, logger } = this.#options
    try {
      const restMs = await this.#beforeStop(id, graceMs, before)
      if (!this.#isClosed) await runtime.stopContainer(id, restMs)
    } catch (error) {
      logger.warn('cannot stop a container', { id, error })
    } finally {
      this.#hooks.get(id)?.abort.abort()
      this.#hooks.delete(id)
      if (this.#stopping.get(id) === graceMs) this.#stopping.delete(id)
    }
  }

  /** Runs the hook once, however often a stop is asked for. @returns the grace that is left. */
  async #beforeStop(id: string, graceMs: number, before: BeforeStop | undefined): Promise<number> {
    if (before === undefined || graceMs === 0) return graceMs
    const { clock } = this.#options
    let hook = this.#hooks.get(id)
    if (hook === undefined) {
      const abort = new AbortController()
      hook = { done: before(graceMs, abort.signal), abort }
      this.#hooks.set(id, hook)
    }
    const startMs = clock.monotonicMs()
    const over = new AbortController()
    await Promise.race([hook.done, pause(clock, graceMs, over.signal), aborted(hook.abort.signal)])
    over.abort()
    return Math.max(graceMs - (clock.monotonicMs() - startMs), GRACE_AFTER_HOOK_MS_MIN)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
