import type { Clock } from '../../core/interfaces/clock.ts'
import type { Waiting } from './container-status.ts'

/** Which run of a container, of which making. */
export interface RefusedRun {
  readonly name: string
  readonly attempt: number
  readonly hash: string
}

interface Refusal {
  readonly run: RefusedRun
  readonly waiting: Waiting
  readonly untilMs: number
}

/** What a runtime refuses it would refuse again at once. Kubelet waits as long. */
const WAIT_MS = 10_000
/** Engines name the container that they did not make, each time another one. */
const ID = /\b[0-9a-f]{64}\b/g

/**
 * The containers that a runtime has refused to make, each with the time until it is asked again: the
 * words of a refusal are part of the status, and a change of the status leads to another pass over
 * the pod.
 */
export class RefusedStarts {
  readonly #clock: Clock
  /** By pod, then by container. */
  readonly #pods = new Map<string, Map<string, Refusal>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Why a run has still to wait; undefined when it may be tried. */
  waiting(uid: string, run: RefusedRun): Waiting | undefined {
    const last = this.#same(uid, run)
    const isOver = last === undefined || this.#clock.monotonicMs() >= last.untilMs
    return isOver ? undefined : last.waiting
  }

  /** Keeps a refusal. @returns what is to be told: the words of the last time when they mean the same. */
  refused(uid: string, run: RefusedRun, waiting: Waiting): Waiting {
    const last = this.#same(uid, run)?.waiting
    const told = last !== undefined && wordsOf(last) === wordsOf(waiting) ? last : waiting
    const refusals = this.#pods.get(uid) ?? new Map<string, Refusal>()
    const untilMs = this.#clock.monotonicMs() + WAIT_MS
    refusals.set(run.name, { run, waiting: told, untilMs })
    this.#pods.set(uid, refusals)
    return told
  }

  /** After how long the pod has to be looked at again for one of them. */
  wakeAfterMs(uid: string): number | undefined {
    const nowMs = this.#clock.monotonicMs()
    const waits = [...(this.#pods.get(uid)?.values() ?? [])].map(({ untilMs }) => untilMs - nowMs)
    const ahead = waits.filter((ms) => ms > 0)
    return ahead.length === 0 ? undefined : Math.min(...ahead)
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#pods.delete(uid)
  }

  #same(uid: string, run: RefusedRun): Refusal | undefined {
    const last = this.#pods.get(uid)?.get(run.name)
    const isSame = last?.run.attempt === run.attempt && last.run.hash === run.hash
    return isSame ? last : undefined
  }
}

function wordsOf({ reason, message = '' }: Waiting): string {
  return `${reason} ${message.replace(ID, '')}`
}
