import { keptContainerOf, podUidOf } from '../identity.ts'
import type { ContainerStatus, SandboxStatus } from '../index.ts'
import type {
  ContainerItem,
  ContainerStateName,
  ContainerStatusMessage,
  SandboxItem,
  SandboxStatusMessage,
} from './messages.ts'

const NANOS_PER_MS = 1_000_000n
/** What the interface says of a container whose end nobody saw, such as one that ran at a power loss. */
const UNKNOWN_REASONS: ReadonlySet<string> = new Set(['Unknown', ''])

/** What containerd says when whoever asked it to start a container went away before there was a process. */
const GIVEN_UP =
  /^failed to create containerd task: .*(?:context canceled|start failed: : signal: killed)/s

const STATES: Readonly<Record<ContainerStateName, ContainerStatus['state']>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
}

/** Milliseconds of a time in nanoseconds; undefined for 0, which stands for none. */
export function millisOf(nanos: string): number | undefined {
  const whole = BigInt(nanos === '' ? 0 : nanos)
  return whole === 0n ? undefined : Number(whole / NANOS_PER_MS)
}

/** What of the status of a container its place in a list leaves out. */
export type ContainerDetails = Pick<
  ContainerStatusMessage,
  'state' | 'startedAt' | 'finishedAt' | 'exitCode' | 'imageRef' | 'reason' | 'message'
>

/** A sandbox as it is seen from outside. */
export function sandboxStatus(
  item: SandboxItem,
  network: SandboxStatusMessage['network'],
): SandboxStatus {
  const { id, metadata, state, createdAt } = item
  const ip = network?.ip
  return {
    id,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    ready: state === 'SANDBOX_READY',
    createdAtMs: millisOf(createdAt) ?? 0,
    ip: ip === '' ? undefined : ip,
  }
}

/**
 * Whether an engine gave up starting a container because whoever asked was gone, as when the agent is
 * killed: nothing of it ever ran, so it has not failed, and is as good as one that was only created.
 */
export function isGivenUp(details: ContainerDetails | undefined): boolean {
  if (details?.state !== 'CONTAINER_EXITED' || details.reason !== 'StartError') return false
  return millisOf(details.startedAt) === undefined && GIVEN_UP.test(details.message)
}

/** A container as it is seen from outside: what lists tell, and what only its own status does. */
export function containerStatus(
  item: ContainerItem,
  details: ContainerDetails | undefined,
): ContainerStatus {
  const kept = keptContainerOf(item.annotations)
  const { reason = '', message = '', exitCode = 0 } = details ?? {}
  const state = isGivenUp(details) ? 'created' : STATES[item.state]
  const hasEnded = state === 'exited'
  return {
    id: item.id,
    sandboxId: item.podSandboxId,
    podUid: podUidOf(item.labels),
    name: item.metadata.name,
    attempt: item.metadata.attempt,
    image: kept.image,
    // Where it came from, as statuses of pods have it; a list only tells what it is.
    imageId: details?.imageRef ?? item.imageRef,
    state,
    createdAtMs: millisOf(item.createdAt) ?? 0,
    startedAtMs: millisOf(details?.startedAt ?? ''),
    finishedAtMs: hasEnded ? millisOf(details?.finishedAt ?? '') : undefined,
    exitCode: hasEnded ? exitCode : undefined,
    signal: undefined,
    reason: hasEnded ? reasonOf(reason, exitCode) : undefined,
    message: hasEnded && message !== '' ? message : undefined,
    logPath: kept.logPath,
    labels: kept.labels,
  }
}

function reasonOf(reason: string, exitCode: number): string {
  if (!UNKNOWN_REASONS.has(reason)) return reason
  if (reason === 'Unknown') return 'ContainerStatusUnknown'
  return exitCode === 0 ? 'Completed' : 'Error'
}
