import { parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { type ContainerStatus, type PodLimits, RuntimeError } from '../../runtime/index.ts'
import {
  asAllocated,
  excessMessage,
  lackMessage,
  lacksOf,
  usersOf,
} from '../admission/node-room.ts'
import type { Condition } from '../conditions.ts'
import { asNumber, asObject, asObjects, asText } from '../json.ts'
import { oomScoreAdjust } from '../oom-score.ts'
import { type PodContext, tell } from '../pod-context.ts'
import { limitsIn, podLimits, wholeResources } from '../pod-level.ts'
import { isActive } from '../pod-plan.ts'
import type { PodView } from '../pod-view.ts'
import { type ResizeView, type Room, viewSize } from './resize-view.ts'
import type { ContainerSize } from './sizes.ts'
import { takesFromWhole, type WholeSize, wholeBelowUse, widest, withWhole } from './whole-size.ts'
import { belowUse, RESIZE_CONDITIONS, resizeMessage } from './words.ts'

/** What is known of the resize of a pod beyond its status, until that is written. */
interface Outcome {
  /** The resources that runs have been given. */
  readonly actuated: Map<string, JsonObject>
  /** What the pod as a whole has been given. */
  whole: JsonObject | undefined
  /** Room has been made, and the status does not say so yet. */
  isMade: boolean
  problem: string | undefined
}

/** Gives the containers of pods other resources while they run. */
export class Resizer {
  readonly #context: PodContext
  readonly #outcomes = new Map<string, Outcome>()

  constructor(context: PodContext) {
    this.#context = context
  }

  /** Changes what can be changed without a restart. @returns the pod as it is to be run now. */
  async apply(pod: PodView, observed: readonly ContainerStatus[]): Promise<ResizeView> {
    const first = this.view(pod, observed)
    if (!first.isInProgress) return first
    const outcome = this.#outcome(pod.uid)
    outcome.isMade = true
    outcome.problem = undefined
    const changes = first.sizes.filter(
      ({ container, run, isChanged, needsRestart }) =>
        (isChanged || takesFromWhole(container, first.whole)) &&
        !needsRestart &&
        run !== undefined &&
        isActive(run),
    )
    outcome.problem = await this.#belowUse(pod, changes, first.whole)
    if (outcome.problem !== undefined) return first
    await this.#changeAll(pod, changes, first, outcome)
    return this.view(pod, observed)
  }

  /** A pod begins: until its status says so, this is what it has as a whole, whatever it is to have by then. */
  begins(pod: PodView): void {
    const whole = wholeResources(pod)
    if (whole === undefined || pod.status['resources'] !== undefined) return
    this.#outcome(pod.uid).whole ??= whole
  }

  /** {@link apply} without a change of anything. */
  view(pod: PodView, observed: readonly ContainerStatus[]): ResizeView {
    const outcome = this.#outcomes.get(pod.uid)
    const actuated = outcome?.actuated ?? new Map<string, JsonObject>()
    const isMade = outcome?.isMade === true
    return viewSize(pod, observed, actuated, this.#room(pod), isMade, outcome?.whole)
  }

  /** The conditions of a resize that goes on. */
  conditions(pod: PodView, view: ResizeView): readonly Condition[] {
    const generation = asNumber(pod.object.metadata['generation'])
    const common = {
      status: 'True' as const,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    }
    const [pending, inProgress] = RESIZE_CONDITIONS
    if (view.pending !== undefined) return [{ ...common, ...view.pending, type: pending }]
    if (!view.isInProgress) return []
    const message = this.#outcomes.get(pod.uid)?.problem
    const problem = message === undefined ? {} : { reason: 'Error', message }
    return [{ ...common, ...problem, type: inProgress }]
  }

  /**
   * Tells what is new since the status of a pod was written. To be called once with what is to be
   * written.
   */
  tell(pod: PodView, view: ResizeView): void {
    const told = asObjects(pod.status['conditions'])
    const of = (type: string): JsonObject | undefined => told.find((each) => each['type'] === type)
    const outcome = this.#outcomes.get(pod.uid)
    const [pending, inProgress] = RESIZE_CONDITIONS
    const say = (type: 'Normal' | 'Warning', reason: string, what: string, why = ''): void =>
      tell(this.#context, pod, type, reason, resizeMessage(what, pod, why))
    if (view.pending !== undefined) {
      const { reason, message } = view.pending
      const before = asText(of(pending)?.['reason'])
      if (before !== reason) say('Warning', `Resize${reason}`, `Pod resize ${reason}`, message)
      return
    }
    const was = of(inProgress)
    const isNew = was === undefined && outcome?.isMade === true
    if (isNew) say('Normal', 'ResizeStarted', 'Pod resize started')
    const problem = view.isInProgress ? outcome?.problem : undefined
    if (problem !== undefined && asText(was?.['message']) !== problem)
      say('Warning', 'ResizeError', 'Pod resize error', problem)
    if ((isNew || was !== undefined) && !view.isInProgress && !pod.isDeleted)
      say('Normal', 'ResizeCompleted', 'Pod resize completed')
  }

  /** The status is written, and says what has to be known. */
  settled(uid: string): void {
    this.#outcomes.delete(uid)
  }

  #outcome(uid: string): Outcome {
    const known = this.#outcomes.get(uid)
    if (known !== undefined) return known
    const outcome: Outcome = {
      ...{ actuated: new Map(), whole: undefined, isMade: false, problem: undefined },
    }
    this.#outcomes.set(uid, outcome)
    return outcome
  }

  #room(pod: PodView): Room {
    const { store, runtime, node } = this.#context
    return {
      canResize: runtime.supports.resize,
      problem: () => {
        const { name, allocatable } = node()
        const others = usersOf(store.list('pods').items, name, pod.uid).map(asAllocated)
        const [lack] = lacksOf(pod.object, others, allocatable)
        return lack === undefined ? undefined : lackMessage(lack)
      },
      excess: () => {
        const lacks = lacksOf(pod.object, [], node().allocatable)
        // In the order in which kubelet looks.
        const [lack] = ['memory', 'cpu'].flatMap((each) =>
          lacks.filter(({ resource }) => resource === each),
        )
        return lack === undefined ? undefined : excessMessage(lack)
      },
    }
  }

  /** The pod first, where it gets more, and last, where it gets less. */
  async #changeAll(
    pod: PodView,
    changes: readonly ContainerSize[],
    { whole }: ResizeView,
    outcome: Outcome,
  ): Promise<void> {
    const { runtime, podProcessesMax } = this.#context
    const after = podLimits(pod, podProcessesMax)
    const before = podLimits(withWhole(pod, whole.actual), podProcessesMax)
    const sandboxes = runtime.supports.podLimits ? (await runtime.list(pod.uid)).sandboxes : []
    const ready = sandboxes.find((sandbox) => sandbox.ready)?.id
    const set = async (limits: PodLimits): Promise<boolean> => {
      if (ready === undefined) return true
      try {
        await runtime.updatePodLimits?.(ready, limits)
        return true
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error
        outcome.problem ??= error.message
        return false
      }
    }
    if (!(await set(widest(before, after)))) return
    for (const size of changes) await this.#change(pod, size, outcome)
    if (outcome.problem === undefined && (await set(after))) outcome.whole = whole.wanted
  }

  async #change(pod: PodView, size: ContainerSize, outcome: Outcome): Promise<void> {
    const { runtime, node } = this.#context
    const { container, run } = size
    if (run === undefined) return
    const capacityBytes = parseWhole(node().capacity['memory']) ?? 0
    const score = oomScoreAdjust(pod, container, capacityBytes)
    try {
      await runtime.updateLimits(run.id, { ...limitsIn(pod, container), oomScoreAdjust: score })
      outcome.actuated.set(run.id, asObject(container.json['resources']))
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
      // One that has ended meanwhile gets its size with its next start.
      if (error.reason !== 'NotFound') outcome.problem ??= error.message
    }
  }

  /** Some kernels refuse to take memory that is in use, others end what uses it. */
  async #belowUse(
    pod: PodView,
    changes: readonly ContainerSize[],
    whole: WholeSize,
  ): Promise<string | undefined> {
    const limitOf = (resources: JsonObject): number =>
      parseWhole(asObject(resources['limits'])['memory']) ?? 0
    const smaller = changes.flatMap(({ container, run, actual }) => {
      const limit = parseWhole(container.limits['memory']) ?? 0
      const before = limitOf(actual)
      const isLess = limit > 0 && (before === 0 || limit < before)
      return isLess && run !== undefined ? [{ name: container.name, id: run.id, limit }] : []
    })
    if (smaller.length === 0 && !whole.isChanged) return undefined
    const usages = await this.#context.runtime.usage()
    const found = smaller.flatMap(({ name, id, limit }) => {
      const used = usages.find((usage) => usage.id === id)?.memoryBytes
      return used !== undefined && used >= limit ? [{ name, limit, used }] : []
    })
    return found.length === 0 ? wholeBelowUse(pod, whole, usages) : belowUse(found)
  }
}
