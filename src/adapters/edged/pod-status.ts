import type { JsonObject } from '../kubernetes/objects/types.ts'
import { type Condition, kubeTime, mergeConditions } from './conditions.ts'
import { type ContainerFacts, containerStatus } from './container-status.ts'
import { DEADLINE_EXCEEDED, DEADLINE_MESSAGE } from './deadline.ts'
import type { Eviction } from './eviction/eviction.ts'
import { EVICTED } from './eviction/words.ts'
import { asObject, asObjects, asText } from './json.ts'
import { type PodPhase, podPhase } from './pod-phase.ts'
import type { PodView } from './pod-view.ts'
import { qosClass } from './qos.ts'
import { RESIZE_CONDITIONS } from './resize/words.ts'

/** Everything that a pod's status is made from. */
export interface PodFacts extends ContainerFacts {
  readonly isEnded: boolean
  /** Its time is up. Default: it is not. */
  readonly isOverdue?: boolean | undefined
  /** Why the node ends it. Default: it does not. */
  readonly eviction?: Eviction | undefined
  /** What is told of a resize that goes on. Default: nothing. */
  readonly resize?: readonly Condition[] | undefined
  /** What is told of its size as a whole. Default: nothing. */
  readonly whole?: JsonObject | undefined
  readonly hasSandbox: boolean
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
  readonly nowMs: number
}

/**
 * The status of a pod, as kubelet reports it. Fields and conditions of others are kept; nothing in it
 * changes unless something happened, so that writing it only on a change is enough.
 */
export function podStatus(facts: PodFacts): JsonObject {
  const { pod, hostIPs, podIPs, nowMs } = facts
  const init = pod.initContainers.map((container) => containerStatus(container, facts))
  const app = pod.containers.map((container) => containerStatus(container, facts))
  const added = pod.ephemeralContainers.map((container) => containerStatus(container, facts))
  const given = terminalPhase(pod)
  // Only once nothing of it runs any more.
  const eviction = given === undefined && facts.isEnded ? facts.eviction : undefined
  const isOverdue = given === undefined && facts.isEnded && facts.isOverdue === true
  const isFailed = eviction !== undefined || isOverdue
  const phase = given ?? (isFailed ? 'Failed' : podPhase(pod, init, app, facts.isEnded))
  const { reason, message, ...kept } = pod.status
  const observedGeneration = pod.object.metadata.generation
  return {
    ...kept,
    conditions: mergeConditions(
      asObjects(pod.status['conditions']).filter((each) => !isOver(each, facts)),
      (facts.resize ?? []).concat(
        [...podConditions(facts, phase, init, app), ...disruption(eviction)].map(
          (each): Condition => ({ ...each, observedGeneration }),
        ),
      ),
      nowMs,
      { lastProbeTime: null },
    ),
    containerStatuses: byName(app),
    ...(added.length === 0 ? {} : { ephemeralContainerStatuses: byName(added) }),
    ...(hostIPs[0] === undefined ? {} : { hostIP: hostIPs[0] }),
    hostIPs: hostIPs.map((ip) => ({ ip })),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    ...(given === undefined || message === undefined ? {} : { message }),
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    phase,
    ...(given === undefined || reason === undefined ? {} : { reason }),
    ...(isOverdue ? { message: DEADLINE_MESSAGE, reason: DEADLINE_EXCEEDED } : {}),
    ...(eviction === undefined ? {} : { message: eviction.message, reason: EVICTED }),
    ...(facts.hasSandbox && podIPs[0] !== undefined
      ? { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }
      : {}),
    qosClass: qosClass(pod),
    ...(facts.whole ?? {}),
    startTime: asText(pod.status['startTime']) ?? kubeTime(nowMs),
  }
}

/** Containers that begin together are told of by their names, init containers in their order. */
function byName(statuses: readonly JsonObject[]): readonly JsonObject[] {
  const nameOf = ({ name }: JsonObject): string => String(name)
  return [...statuses].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

/** Whether a condition tells of a resize that no longer goes on. */
function isOver({ type }: JsonObject, { resize = [] }: PodFacts): boolean {
  const isOfResize = RESIZE_CONDITIONS.some((each) => each === type)
  return isOfResize && !resize.some((each) => each.type === type)
}

/** Says that a pod had to go for the sake of others. */
function disruption(eviction: Eviction | undefined): readonly Condition[] {
  if (eviction?.isDisruption !== true) return []
  const { message } = eviction
  return [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message }]
}

/** A pod that has ended stays as it ended, also when somebody else has ended it. */
function terminalPhase(pod: PodView): PodPhase | undefined {
  const phase = pod.status['phase']
  return phase === 'Succeeded' || phase === 'Failed' ? phase : undefined
}

function podConditions(
  facts: PodFacts,
  phase: PodPhase,
  init: readonly JsonObject[],
  app: readonly JsonObject[],
): readonly Condition[] {
  const containersReady = readiness(phase, unreadyOf(app, init, facts))
  return [
    {
      type: 'PodReadyToStartContainers',
      // The place of a pod that has ended is let go of.
      status: facts.hasSandbox && !facts.isEnded ? 'True' : 'False',
    },
    initialized(facts, phase, init),
    podReady(facts.pod, containersReady),
    { ...containersReady, type: 'ContainersReady' },
    { type: 'PodScheduled', status: 'True' },
  ]
}

function initialized(facts: PodFacts, phase: PodPhase, init: readonly JsonObject[]): Condition {
  const type = 'Initialized'
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' }
  const sidecars = sidecarsOf(facts.pod)
  const isDone = (status: JsonObject): boolean =>
    status[sidecars.includes(String(status['name'])) ? 'started' : 'ready'] === true
  const open = init.filter((status) => !isDone(status)).map((status) => String(status['name']))
  if (facts.initDone || open.length === 0) return { type, status: 'True' }
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${open.join(' ')}]`,
  }
}

function unreadyOf(
  app: readonly JsonObject[],
  init: readonly JsonObject[],
  facts: PodFacts,
): readonly string[] {
  const sidecars = sidecarsOf(facts.pod)
  return [...init.filter((status) => sidecars.includes(String(status['name']))), ...app]
    .filter((status) => status['ready'] !== true)
    .map((status) => String(status['name']))
}

function sidecarsOf(pod: PodView): readonly string[] {
  return pod.initContainers.filter(({ kind }) => kind === 'sidecar').map(({ name }) => name)
}

function readiness(phase: PodPhase, unready: readonly string[]): Omit<Condition, 'type'> {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  if (unready.length === 0) return { status: 'True' }
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  }
}

/** Ready is more than its containers: readiness gates are conditions that others set. */
function podReady(pod: PodView, containersReady: Omit<Condition, 'type'>): Condition {
  const type = 'Ready'
  if (containersReady.status !== 'True') return { ...containersReady, type }
  const conditions = asObjects(pod.status['conditions'])
  const problems = asObjects(pod.spec['readinessGates']).flatMap((gate) => {
    const name = asText(gate['conditionType']) ?? ''
    const found = asObject(conditions.find((condition) => condition['type'] === name))
    if (found['status'] === 'True') return []
    return found['status'] === undefined
      ? [`corresponding condition of pod readiness gate "${name}" does not exist.`]
      : [`the status of pod readiness gate "${name}" is not "True", but ${String(found['status'])}`]
  })
  if (problems.length === 0) return { type, status: 'True' }
  const message = problems.join(', ')
  return { type, status: 'False', reason: 'ReadinessGatesNotReady', message }
}
