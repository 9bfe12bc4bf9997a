import type { ContainerStatus } from '../index.ts'
import type { Claim, ContainerRecord, Final } from './container-files.ts'

/** What kubelet says of a container whose end nobody saw. */
export const UNKNOWN_MESSAGE = 'The container could not be located when its state was looked up'

/** Everything that the files and the process table say of a container that is not final. */
export interface Evidence {
  readonly claim: Claim | undefined
  readonly exit: { readonly code: number; readonly atMs: number } | undefined
  readonly failure: string | undefined
  /** The driver had begun to kill it. */
  readonly killed: boolean
  /** The claimed process lives. */
  readonly alive: boolean
  /** The machine has not been rebooted since it was made. */
  readonly sameBoot: boolean
  readonly oomKilled: boolean
  readonly nowMs: number
}

/** What a container is, and how it ended if it has. */
export type Verdict =
  | { readonly state: 'created' }
  | { readonly state: 'running' }
  | { readonly state: 'ended'; readonly final: Final }

const SIGKILL = 9
const EXIT_KILLED = 128 + SIGKILL
const EXIT_START_ERROR = 128

/**
 * Decides what a container is. The recorded exit code counts first; a process that is gone without one
 * was killed, by us or by something that nobody saw.
 */
export function judge(evidence: Evidence): Verdict {
  const { claim, exit, failure, killed, alive, sameBoot, nowMs } = evidence
  if (failure !== undefined && !alive) return startError(failure, exit?.atMs ?? nowMs)
  if (exit !== undefined) return ended(evidence, exit.code, exit.atMs, undefined)
  if (claim === undefined) {
    return sameBoot ? { state: 'created' } : unknown(undefined, nowMs)
  }
  if (alive && sameBoot) return { state: 'running' }
  if (killed) return ended(evidence, EXIT_KILLED, nowMs, SIGKILL)
  return unknown(claim.atMs, nowMs)
}

/** The end of a container whose command could not be started. */
export function startError(message: string, atMs: number): { state: 'ended'; final: Final } {
  return {
    state: 'ended',
    final: { exitCode: EXIT_START_ERROR, reason: 'StartError', message, finishedAtMs: atMs },
  }
}

function ended(
  evidence: Evidence,
  code: number,
  atMs: number,
  signal: number | undefined,
): Verdict {
  const reason = evidence.oomKilled ? 'OOMKilled' : code === 0 ? 'Completed' : 'Error'
  const startedAtMs = evidence.claim?.atMs
  return {
    state: 'ended',
    final: { exitCode: code, signal, reason, startedAtMs, finishedAtMs: Math.round(atMs) },
  }
}

function unknown(startedAtMs: number | undefined, nowMs: number): Verdict {
  return {
    state: 'ended',
    final: {
      exitCode: EXIT_KILLED,
      reason: 'ContainerStatusUnknown',
      message: UNKNOWN_MESSAGE,
      startedAtMs,
      finishedAtMs: Math.round(nowMs),
    },
  }
}

/** A container in the words of the runtime interface. */
export function toStatus(
  record: ContainerRecord,
  state: 'created' | 'running' | 'exited',
  claim: Claim | undefined,
  final: Final | undefined,
): ContainerStatus {
  const startedAtMs = final?.startedAtMs ?? claim?.atMs
  return {
    id: record.id,
    sandboxId: record.sandboxId,
    podUid: record.podUid,
    name: record.name,
    attempt: record.attempt,
    image: record.image,
    state,
    createdAtMs: record.createdAtMs,
    startedAtMs: startedAtMs === undefined ? undefined : Math.round(startedAtMs),
    finishedAtMs: final?.finishedAtMs,
    exitCode: final?.exitCode,
    signal: final?.signal,
    reason: final?.reason,
    message: final?.message,
    logPath: record.logPath,
    labels: record.labels,
  }
}
