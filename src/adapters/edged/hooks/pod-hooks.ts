import type { ContainerStatus } from '../../runtime/index.ts'
import { type PodContext, tell } from '../pod-context.ts'
import { isActive } from '../pod-plan.ts'
import type { ContainerView, PodView } from '../pod-view.ts'
import { PLAIN_HEALTH, type RunHealth } from '../probes/probe-state.ts'
import { runHook } from './hook-run.ts'

/** One run of a container that has just started or is to end. */
export interface HookedRun {
  readonly pod: PodView
  readonly container: ContainerView
  readonly containerId: string
  /** The pod's own address; undefined when it has that of the machine. */
  readonly ip: string | undefined
}

/** A postStart hook may run for this long. */
const POST_START_MS_MAX = 3_600_000

interface Started {
  readonly abort: AbortController
  isFailed: boolean
}

/**
 * Runs the hooks of containers: what they do after their start, in the background, and before their
 * end. A hook that ran when the agent ended is not run again.
 */
export class PodHooks {
  readonly #context: PodContext
  /** The postStart hooks that run or have failed, by run. */
  readonly #started = new Map<string, Started>()
  #isClosed = false

  constructor(context: PodContext) {
    this.#context = context
  }

  /** Begins what a container does after its start. A hint follows when it is done. */
  begin(run: HookedRun): void {
    const { pod, container, containerId, ip } = run
    const hook = container.postStart
    if (hook === undefined || this.#started.has(containerId)) return
    const started: Started = { abort: new AbortController(), isFailed: false }
    this.#started.set(containerId, started)
    const { runtime, clock, logger, hint } = this.#context
    const { signal } = started.abort
    const timeoutMs = POST_START_MS_MAX
    const target = { container, containerId, ip }
    void runHook({ runtime, clock, target, hook, timeoutMs, signal }).then((problem) => {
      if (signal.aborted) return
      if (problem === undefined) {
        this.#started.delete(containerId)
      } else {
        started.isFailed = true
        logger.warn('a postStart hook failed', { pod: pod.uid, container: container.name, problem })
        // What it said may be a secret: it is not told.
        const message = 'PostStartHook failed'
        tell(this.#context, pod, 'Warning', 'FailedPostStartHook', message, container.name)
      }
      hint(pod.uid)
    })
  }

  /** A run is being stopped: nobody waits any more for what it does after its start. */
  giveUp(containerId: string): void {
    this.#started.get(containerId)?.abort.abort()
  }

  /** What a container does before it is asked to end. Resolves when that is done or given up. */
  async beforeStop(run: HookedRun, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { pod, container, containerId, ip } = run
    const hook = container.preStop
    if (hook === undefined) return
    const { runtime, clock, logger } = this.#context
    const target = { container, containerId, ip }
    const problem = await runHook({ runtime, clock, target, hook, timeoutMs, signal })
    if (problem === undefined || signal.aborted || this.#isClosed) return
    logger.warn('a preStop hook failed', { pod: pod.uid, container: container.name, problem })
    tell(this.#context, pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', container.name)
  }

  /** Adds what the hooks say of the runs of a pod to what its probes say. */
  addTo(
    health: ReadonlyMap<string, RunHealth>,
    observed: readonly ContainerStatus[],
  ): ReadonlyMap<string, RunHealth> {
    const found = new Map(health)
    for (const run of observed) {
      const started = this.#started.get(run.id)
      if (started === undefined) continue
      if (!isActive(run)) started.abort.abort()
      const state = started.isFailed
        ? ({ failed: 'postStart' } as const)
        : { isStarting: isActive(run) }
      const before = found.get(run.id) ?? PLAIN_HEALTH
      found.set(run.id, { ...before, ...state, isStarted: false, isReady: false })
    }
    return found
  }

  /** Whether the postStart hook of a run is not done yet. */
  isStarting(containerId: string): boolean {
    return this.#started.get(containerId)?.isFailed === false
  }

  /** These runs are gone. */
  forget(observed: readonly ContainerStatus[]): void {
    for (const { id } of observed) {
      this.#started.get(id)?.abort.abort()
      this.#started.delete(id)
    }
  }

  /** Lets go of everything. */
  close(): void {
    this.#isClosed = true
    for (const { abort } of this.#started.values()) abort.abort()
    this.#started.clear()
  }
}
