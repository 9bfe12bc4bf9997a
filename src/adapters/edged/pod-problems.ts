import type { ContainerStatus } from '../runtime/index.ts'
import { fullName } from './container-status.ts'
import { DEADLINE_EXCEEDED, DEADLINE_MESSAGE } from './deadline.ts'
import { type PodContext, tell } from './pod-context.ts'
import { type PodPlan, runsOf } from './pod-plan.ts'
import type { Problem } from './pod-starter.ts'
import type { PodView } from './pod-view.ts'

/** What is told of a pod whose time is up. */
export const OVERDUE: Problem = {
  reason: DEADLINE_EXCEEDED,
  message: DEADLINE_MESSAGE,
  type: 'Normal',
}

/** Tells what is wrong with pods, each thing once for as long as it lasts. */
export class PodProblems {
  readonly #context: Pick<PodContext, 'record'>
  /** What was wrong with each pod when it was looked at last. */
  readonly #told = new Map<string, ReadonlySet<string>>()

  constructor(context: Pick<PodContext, 'record'>) {
    this.#context = context
  }

  /** @param problems all that is wrong with the pod now. */
  tell(pod: PodView, problems: readonly Problem[]): void {
    const told = this.#told.get(pod.uid)
    const now = new Set<string>()
    for (const problem of problems) {
      const { reason, message, container, type = 'Warning' } = problem
      const key = [reason, container, problem.key ?? message].join('\0')
      now.add(key)
      if (told?.has(key) !== true) tell(this.#context, pod, type, reason, message, container)
    }
    this.#told.set(pod.uid, now)
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#told.delete(uid)
  }
}

/** What is told of containers that wait before they are started again. */
export function backoffProblems(
  pod: PodView,
  plan: PodPlan,
  observed: readonly ContainerStatus[],
): readonly Problem[] {
  return [...plan.backoffs]
    .filter(([, wait]) => wait.delayMs > 0)
    .map(([container]) => ({
      reason: 'BackOff',
      // The wait is left out, so that all of them count as one event, as kubelet has it.
      message: `Back-off restarting failed container ${container} in pod ${fullName(pod)}`,
      container,
      key: runsOf(observed, container).at(-1)?.id,
    }))
}
