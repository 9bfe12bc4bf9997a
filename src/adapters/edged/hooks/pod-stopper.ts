import { setMaxListeners } from 'node:events'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { delay } from '../../runtime/delay.ts'
import type { PodRuntime } from '../../runtime/index.ts'
import type { StopStep } from '../pod-plan.ts'

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

/** What a container gets to end by itself, however long its preStop hook or its turn took. */
const GRACE_AFTER_WAIT_MS_MIN = 2_000
/** Of so many it is known that they were stopped. */
const STOPPED_MAX = 1_000

interface Hook {
  readonly done: Promise<void>
  readonly abort: AbortController
}

/** One container to be stopped. */
export interface StopOrder {
  readonly id: string
  readonly podUid: string
  readonly graceMs: number
  /** What it does before, once. */
  readonly before?: BeforeStop | undefined
  /** Ids of containers whose stops are awaited first, as long as the grace lasts. */
  readonly after?: readonly string[] | undefined
}

interface Stopping {
  readonly graceMs: number
  /** Aborted when the last stop of this container is over. */
  readonly over: AbortController
}

/**
 * Stops containers in the background, so that the worker of a pod never waits for a grace period and
 * a shorter one takes effect at once.
 */
export class PodStopper {
  readonly #options: PodStopperOptions
  /** The stops that are under way, by container. */
  readonly #stopping = new Map<string, Stopping>()
  /** Containers that were stopped lately: who looked at them before does not tell of it once more. */
  readonly #stopped = new Set<string>()
  /** The preStop hooks that run, by container. */
  readonly #hooks = new Map<string, Hook>()
  readonly #tasks = new Set<Promise<void>>()
  readonly #closed = widelyHeard()

  constructor(options: PodStopperOptions) {
    this.#options = options
  }

  /** Whether this stop, or one with less time, is under way. */
  isStopping(stop: StopStep): boolean {
    const current = this.#stopping.get(stop.container.id)
    return current !== undefined && current.graceMs <= stop.graceMs
  }

  /**
   * Makes sure that a container is being stopped within its grace.
   *
   * @returns whether this is news: false when it is being stopped, or was.
   */
  stop(order: StopOrder): boolean {
    const { id, podUid, graceMs } = order
    const current = this.#stopping.get(id)
    const isUnderWay = current !== undefined && current.graceMs <= graceMs
    if (this.#closed.signal.aborted || isUnderWay) return false
    const over = current?.over ?? widelyHeard()
    this.#stopping.set(id, { graceMs, over })
    const task: Promise<void> = this.#run(order).finally(() => {
      this.#tasks.delete(task)
      this.#options.hint(podUid)
    })
    this.#tasks.add(task)
    return current === undefined && !this.#stopped.has(id)
  }

  /** Waits for no hook any more and asks no other container to end. */
  close(): void {
    this.#closed.abort()
    for (const { abort } of this.#hooks.values()) abort.abort()
  }

  async #run(order: StopOrder): Promise<void> {
    const { id, graceMs } = order
    const { runtime, logger, clock } = this.#options
    const startMs = clock.monotonicMs()
    const leftMs = (): number => graceMs - (clock.monotonicMs() - startMs)
    const hasWait = order.before !== undefined || (order.after ?? []).length > 0
    try {
      await this.#beforeStop(order)
      if (leftMs() > 0) await this.#awaitTurn(order, leftMs())
      const isWhole = graceMs === 0 || !hasWait
      const restMs = isWhole ? graceMs : Math.max(leftMs(), GRACE_AFTER_WAIT_MS_MIN)
      if (this.#closed.signal.aborted) return
      await runtime.stopContainer(id, restMs)
      this.#remember(id)
    } catch (error) {
      logger.warn('cannot stop a container', { id, error })
    } finally {
      this.#hooks.get(id)?.abort.abort()
      this.#hooks.delete(id)
      const current = this.#stopping.get(id)
      if (current?.graceMs === graceMs) {
        this.#stopping.delete(id)
        current.over.abort()
      }
    }
  }

  #remember(id: string): void {
    this.#stopped.add(id)
    const [oldest] = this.#stopped
    if (this.#stopped.size > STOPPED_MAX && oldest !== undefined) this.#stopped.delete(oldest)
  }

  /** Runs the hook once, however often a stop is asked for. */
  async #beforeStop({ id, graceMs, before }: StopOrder): Promise<void> {
    if (before === undefined || graceMs === 0) return
    let hook = this.#hooks.get(id)
    if (hook === undefined) {
      const abort = widelyHeard()
      hook = { done: before(graceMs, abort.signal), abort }
      this.#hooks.set(id, hook)
    }
    const { done, abort } = hook
    await this.#within(graceMs, [abort.signal], done)
  }

  /** Waits until the stops of those that go first are over. */
  async #awaitTurn({ after = [] }: StopOrder, timeoutMs: number): Promise<void> {
    const stops = after.flatMap((id) => this.#stopping.get(id)?.over.signal ?? [])
    if (stops.length === 0) return
    const turns = stops.map((stop) => this.#within(timeoutMs, [stop, this.#closed.signal]))
    await Promise.all(turns)
  }

  /** Waits for one of these, and listens to no signal afterwards: they outlive the wait. */
  async #within(
    timeoutMs: number,
    signals: readonly AbortSignal[],
    done?: Promise<unknown>,
  ): Promise<void> {
    const either = new AbortController()
    const end = (): void => either.abort()
    for (const signal of signals) {
      if (signal.aborted) end()
      signal.addEventListener('abort', end, { once: true })
    }
    done?.then(end, end)
    await delay(this.#options.clock, timeoutMs, either.signal)
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
}

/** One that each container that waits listens to: many at once are no leak, of which Node would warn. */
function widelyHeard(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
