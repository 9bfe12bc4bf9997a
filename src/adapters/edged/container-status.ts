import type { JsonObject } from '../kubernetes/objects/types.ts'
import type { ContainerStatus } from '../runtime/index.ts'
import { kubeTime } from './conditions.ts'
import { goDuration } from './go-duration.ts'
import { asNumber, asObject, asText } from './json.ts'
import { type BackoffWait, runsOf } from './pod-plan.ts'
import { type ContainerView, type PodView, toldOf } from './pod-view.ts'
import { PLAIN_HEALTH, type RunHealth } from './probes/probe-state.ts'
import type { ToldSize } from './resize/resize-view.ts'

/** Why a container does not run although it should. */
export interface Waiting {
  readonly reason: string
  readonly message?: string | undefined
}

/** What one container's status is made from. */
export interface ContainerFacts {
  readonly pod: PodView
  readonly runtimeName: string
  readonly observed: readonly ContainerStatus[]
  readonly backoffs: ReadonlyMap<string, BackoffWait>
  readonly waiting: ReadonlyMap<string, Waiting>
  readonly initDone: boolean
  /** What is told of the sizes of containers, by name. Default: what their spec says. */
  readonly sizes?: ReadonlyMap<string, ToldSize> | undefined
  /** What is known of runs with probes or hooks, by id. */
  readonly health: ReadonlyMap<string, RunHealth>
}

/** The status of one container, as kubelet reports it. */
export function containerStatus(container: ContainerView, facts: ContainerFacts): JsonObject {
  const { pod, runtimeName, observed } = facts
  const runs = runsOf(observed, container.name)
  const latest = runs.at(-1)
  const before = runs.at(-2)
  const old = toldOf(pod, container.name)
  if (latest === undefined && old !== undefined && !facts.waiting.has(container.name)) {
    // The runtime has forgotten it, or holds nothing yet after a restart: what was said stands.
    if (asText(old['containerID']) !== undefined && old['containerID'] !== '') return old
  }
  const wait = waitingOf(container, latest, facts)
  const state = wait === undefined ? stateOf(latest, runtimeName) : { waiting: wait }
  // Of what has ended and does not wait for another run, only that last run is told.
  const isOver = wait === undefined && latest?.state === 'exited'
  const last = latest?.state === 'exited' ? latest : before
  const lastState = stateOf(last, runtimeName)
  const health = healthOf(latest, facts)
  const isRunning = wait === undefined && latest?.state === 'running'
  const isReady = {
    init: latest?.state === 'exited' && latest.exitCode === 0,
    sidecar: isRunning && health.isReady,
    app: isRunning && health.isReady,
    ephemeral: false,
  }[container.kind]
  return {
    ...(latest === undefined ? {} : sizeTold(container, facts)),
    ...(latest === undefined ? {} : { containerID: `${runtimeName}://${latest.id}` }),
    image: latest?.imageId === undefined ? container.image : latest.image,
    imageID: latest?.imageId ?? '',
    lastState: isOver ? {} : last === undefined ? asObject(old?.['lastState']) : lastState,
    name: container.name,
    ready: isReady,
    restartCount: latest?.attempt ?? asNumber(old?.['restartCount']) ?? 0,
    // Nobody waits for what was only added to look at the pod.
    ...(container.kind === 'ephemeral' ? {} : { started: isRunning && health.isStarted }),
    state,
    ...mountsTold(container),
  }
}

function sizeTold(container: ContainerView, facts: ContainerFacts): JsonObject {
  const { resources, allocatedResources } = facts.sizes?.get(container.name) ?? {
    resources: asObject(container.json['resources']),
    allocatedResources: container.requests,
  }
  const isAllocated = Object.keys(allocatedResources).length > 0
  return { ...(isAllocated ? { allocatedResources } : {}), resources }
}

/** What is mounted, as it was asked for: nothing is mounted read-only below what is itself mounted. */
function mountsTold({ volumeMounts }: ContainerView): JsonObject {
  if (volumeMounts.length === 0) return {}
  return {
    volumeMounts: volumeMounts.map((mount) => ({
      mountPath: mount['mountPath'] ?? '',
      name: mount['name'] ?? '',
      ...(mount['readOnly'] === true ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {}),
    })),
  }
}

function healthOf(run: ContainerStatus | undefined, facts: ContainerFacts): RunHealth {
  return (run === undefined ? undefined : facts.health.get(run.id)) ?? PLAIN_HEALTH
}

function waitingOf(
  container: ContainerView,
  latest: ContainerStatus | undefined,
  facts: ContainerFacts,
): JsonObject | undefined {
  const given = facts.waiting.get(container.name)
  if (given !== undefined && latest?.state !== 'running') return toWaiting(given)
  const { pod } = facts
  const backoff = facts.backoffs.get(container.name)
  if (backoff !== undefined && backoff.delayMs > 0) {
    return toWaiting({
      reason: 'CrashLoopBackOff',
      message: backoffMessage(pod, container.name, backoff.delayMs),
    })
  }
  const isMade = latest !== undefined && latest.state !== 'created'
  if (isMade && !healthOf(latest, facts).isStarting) return undefined
  const isBehindInit = container.kind === 'app' && pod.initContainers.length > 0 && !facts.initDone
  const isFirst = pod.initContainers[0]?.name === container.name || pod.initContainers.length === 0
  return { reason: isBehindInit || !isFirst ? 'PodInitializing' : 'ContainerCreating' }
}

/** How kubelet calls a pod in what it says. */
export function fullName(pod: PodView): string {
  return `${pod.name}_${pod.namespace}(${pod.uid})`
}

function backoffMessage(pod: PodView, container: string, delayMs: number): string {
  const wait = goDuration(delayMs)
  return `back-off ${wait} restarting failed container=${container} pod=${fullName(pod)}`
}

function toWaiting(waiting: Waiting): JsonObject {
  const { reason, message } = waiting
  return message === undefined ? { reason } : { message, reason }
}

function stateOf(run: ContainerStatus | undefined, runtimeName: string): JsonObject {
  if (run === undefined) return {}
  if (run.state === 'running' || run.state === 'unknown') {
    return { running: { startedAt: kubeTime(run.startedAtMs ?? run.createdAtMs) } }
  }
  if (run.state === 'created') return { waiting: { reason: 'ContainerCreating' } }
  return {
    terminated: {
      containerID: `${runtimeName}://${run.id}`,
      exitCode: run.exitCode ?? 137,
      finishedAt: run.finishedAtMs === undefined ? null : kubeTime(run.finishedAtMs),
      ...(run.message === undefined ? {} : { message: run.message }),
      reason: run.reason ?? 'Error',
      ...(run.signal === undefined ? {} : { signal: run.signal }),
      // What was never started has started at the beginning of time.
      startedAt: kubeTime(run.startedAtMs ?? 0),
    },
  }
}
