import type { Clock } from '../../core/interfaces/clock.ts'
import type { ContainerStatus } from '../runtime/index.ts'

/** The times of one run, by the clock that nobody sets: since some moment of this process, in milliseconds. */
interface Times {
  startedAtMs: number
  endedAtMs: number | undefined
}

/**
 * When containers began and ended, by a clock that nobody sets.
 *
 * What a runtime tells are times of the wall clock, which may be put forwards or back at any moment, and
 * may not be the one of this process. They are compared with it once, when a run is first seen so, and
 * not believed to be before the pod was looked at last. From then on the wall clock may jump.
 */
export class RunTimes {
  readonly #clock: Clock
  /** By pod: when it was looked at last, and its runs by id. */
  readonly #pods = new Map<string, { lookedAtMs: number; runs: Map<string, Times> }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The runs of a pod with times that are right as seen from now: whatever the wall clock says now, a run
   * that ended 3 seconds ago has `finishedAtMs` 3 seconds before it.
   */
  seen(podUid: string, runs: readonly ContainerStatus[]): readonly ContainerStatus[] {
    const nowMs = this.#clock.monotonicMs()
    const wallMs = this.#clock.wallMs()
    const before = this.#pods.get(podUid)
    const earliestMs = before?.lookedAtMs ?? Number.NEGATIVE_INFINITY
    const byNow = (atMs: number): number =>
      Math.min(Math.max(nowMs - Math.max(wallMs - atMs, 0), earliestMs), nowMs)
    const known = new Map<string, Times>()
    for (const run of runs) {
      const { startedAtMs, finishedAtMs } = run
      if (startedAtMs === undefined) continue
      const old = before?.runs.get(run.id)
      const times = old ?? { startedAtMs: byNow(startedAtMs), endedAtMs: undefined }
      if (finishedAtMs !== undefined) times.endedAtMs ??= byNow(finishedAtMs)
      known.set(run.id, times)
    }
    this.#pods.set(podUid, { lookedAtMs: nowMs, runs: known })
    return runs.map((run) => {
      const times = known.get(run.id)
      if (times === undefined) return run
      const { startedAtMs, endedAtMs } = times
      return {
        ...run,
        startedAtMs: wallMs - (nowMs - startedAtMs),
        ...(endedAtMs === undefined ? {} : { finishedAtMs: wallMs - (nowMs - endedAtMs) }),
      }
    })
  }

  /** The pod is gone. */
  forget(podUid: string): void {
    this.#pods.delete(podUid)
  }
}
