import type { Logger } from '../../core/interfaces/logger.ts'
import type { PodRuntime } from '../runtime/index.ts'
import type { StopStep } from './pod-plan.ts'

/**
 * Stops containers in the background, so that the worker of a pod never waits for a grace period and
 * a shorter one takes effect at once.
 */
export class PodStopper {
  readonly #runtime: PodRuntime
  readonly #logger: Logger
  readonly #done: (podUid: string) => void
  /** The grace of each stop that is under way, by container. */
  readonly #stopping = new Map<string, number>()
  readonly #tasks = new Set<Promise<void>>()

  constructor(runtime: PodRuntime, logger: Logger, done: (podUid: string) => void) {
    this.#runtime = runtime
    this.#logger = logger
    this.#done = done
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
  stop(id: string, podUid: string, graceMs: number): boolean {
    const current = this.#stopping.get(id)
    if (current !== undefined && current <= graceMs) return false
    this.#stopping.set(id, graceMs)
    const task: Promise<void> = this.#run(id, graceMs).finally(() => {
      this.#tasks.delete(task)
      this.#done(podUid)
    })
    this.#tasks.add(task)
    return current === undefined
  }

  async #run(id: string, graceMs: number): Promise<void> {
    try {
      await this.#runtime.stopContainer(id, graceMs)
    } catch (error) {
      this.#logger.warn('cannot stop a container', { id, error })
    } finally {
      if (this.#stopping.get(id) === graceMs) this.#stopping.delete(id)
    }
  }
}
