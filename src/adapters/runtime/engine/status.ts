import { keptContainerOf, podUidOf, sandboxSpecOf } from '../identity.ts'
import type { ContainerStatus, SandboxStatus } from '../index.ts'
import { CONTAINER_ATTEMPT, SANDBOX_ATTEMPT, SANDBOX_ID } from './labels.ts'
import type { ContainerDetails, ContainerRow } from './messages.ts'

/** The name of a container, as Kubernetes' own tools know it. */
const CONTAINER_NAME = 'io.kubernetes.container.name'
/** What kubelet gives a container whose process could not be started. */
const START_ERROR_CODE = 128
/** Go's time of nothing. */
const NO_TIME = '0001-01-01T00:00:00Z'

const STATES: Readonly<Record<string, ContainerStatus['state']>> = {
  created: 'created',
  configured: 'created',
  initialized: 'created',
  running: 'running',
  paused: 'running',
  restarting: 'running',
  stopping: 'running',
  stopped: 'exited',
  exited: 'exited',
  removing: 'exited',
  dead: 'exited',
}

/** Whether a row is a sandbox; else it is a container. */
export function isSandbox(row: Pick<ContainerRow, 'Labels'>): boolean {
  return row.Labels?.[SANDBOX_ATTEMPT] !== undefined
}

/** Which attempt a sandbox is. */
export function sandboxAttempt({ Labels }: Pick<ContainerRow, 'Labels'>): number {
  return Number(Labels?.[SANDBOX_ATTEMPT] ?? 0)
}

/** The state of a row, in the words of the interface. */
export function stateOf(state: string): ContainerStatus['state'] {
  return STATES[state] ?? 'unknown'
}

/** A sandbox as it is seen from outside; undefined when what is kept with it is damaged. */
export function sandboxStatus(details: ContainerDetails): SandboxStatus | undefined {
  const spec = sandboxSpecOf(details.Config.Labels ?? {})
  if (spec === undefined) return undefined
  const { namespace, name, uid } = spec
  return {
    id: details.Id,
    namespace,
    name,
    uid,
    ready: details.State.Running,
    createdAtMs: millisOf(details.Created) ?? 0,
    ip: addressOf(details),
  }
}

/**
 * A container as it is seen from outside.
 *
 * @param failure why its process could not be started, where the engine does not keep that.
 */
export function containerStatus(
  details: ContainerDetails,
  imageId: string,
  failure: string | undefined,
): ContainerStatus {
  const labels = details.Config.Labels ?? {}
  const kept = keptContainerOf(labels)
  const { State } = details
  const createdAtMs = millisOf(details.Created) ?? 0
  const whole = {
    id: details.Id,
    sandboxId: labels[SANDBOX_ID] ?? '',
    podUid: podUidOf(labels),
    name: labels[CONTAINER_NAME] ?? '',
    attempt: Number(labels[CONTAINER_ATTEMPT] ?? 0),
    image: kept.image,
    imageId,
    createdAtMs,
    signal: undefined,
    logPath: kept.logPath,
    labels: kept.labels,
  }
  const state = stateOf(State.Status)
  const why = failure ?? (State.Error === '' ? undefined : State.Error)
  if (state === 'created' && why !== undefined) {
    return {
      ...whole,
      state: 'exited',
      startedAtMs: undefined,
      finishedAtMs: createdAtMs,
      exitCode: START_ERROR_CODE,
      reason: 'StartError',
      message: why,
    }
  }
  const hasEnded = state === 'exited'
  return {
    ...whole,
    state,
    startedAtMs: state === 'created' ? undefined : millisOf(State.StartedAt),
    finishedAtMs: hasEnded ? millisOf(State.FinishedAt) : undefined,
    exitCode: hasEnded ? State.ExitCode : undefined,
    reason: hasEnded ? reasonOf(State) : undefined,
    message: hasEnded && State.Error !== '' ? State.Error : undefined,
  }
}

/** Milliseconds of a time as Go writes it; undefined for none. */
export function millisOf(time: string): number | undefined {
  if (time === '' || time === NO_TIME) return undefined
  const ms = Date.parse(time)
  return Number.isNaN(ms) ? undefined : ms
}

function reasonOf({ OOMKilled, ExitCode }: ContainerDetails['State']): string {
  if (OOMKilled) return 'OOMKilled'
  return ExitCode === 0 ? 'Completed' : 'Error'
}

function addressOf({ State, HostConfig, NetworkSettings }: ContainerDetails): string | undefined {
  if (!State.Running || HostConfig.NetworkMode === 'host') return undefined
  const networks = Object.values(NetworkSettings?.Networks ?? {})
  const all = [NetworkSettings?.IPAddress, ...networks.map((each) => each?.IPAddress)]
  return all.find((each) => each !== undefined && each !== '')
}
