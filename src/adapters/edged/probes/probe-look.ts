import type { PodRuntime } from '../../runtime/index.ts'
import { expand } from '../environment/expansion.ts'
import type { ContainerView } from '../pod-view.ts'
import { execLook } from './probe-exec.ts'
import { grpcLook } from './probe-grpc.ts'
import { httpLook } from './probe-http.ts'
import { type ContainerAction, portNumber } from './probe-spec.ts'
import type { ProbeOutcome } from './probe-state.ts'
import { tcpLook } from './probe-tcp.ts'

/** What came of one look at a container. */
export interface LookResult {
  readonly outcome: ProbeOutcome
  /** What the container said, or what went wrong. */
  readonly output: string
  /** Success, with something to tell. */
  readonly isWarning?: boolean | undefined
}

/** Which run of which container to look at. */
export interface LookTarget {
  readonly container: ContainerView
  readonly containerId: string
  /** The address of its pod; undefined where pods have no network of their own. */
  readonly ip: string | undefined
}

const THIS_MACHINE = '127.0.0.1'

/** Where to reach a container over the network. */
export function hostFor(own: string | undefined, target: LookTarget): string {
  return own ?? target.ip ?? THIS_MACHINE
}

/** A command with the variables in it that the container's own definition gives a value. */
export function expandedCommand(
  command: readonly string[],
  container: ContainerView,
): readonly string[] {
  const variables: Record<string, string> = {}
  for (const { name, value } of container.env) {
    if (typeof name === 'string' && typeof value === 'string') variables[name] = value
  }
  return command.map((word) => expand(word, variables))
}

/** Looks at a container once, for no longer than `timeoutMs`. Never throws. */
export async function lookAt(
  runtime: Pick<PodRuntime, 'run'>,
  target: LookTarget,
  action: ContainerAction,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<LookResult> {
  try {
    if (action.type === 'sleep') return { outcome: 'error', output: 'a probe cannot sleep' }
    if (action.type === 'exec') {
      const command = expandedCommand(action.command, target.container)
      return await execLook(runtime, target.containerId, command, timeoutMs)
    }
    const port = portNumber(action.port, target.container)
    if (typeof port === 'string') return { outcome: 'error', output: port }
    if (action.type === 'grpc') {
      const host = hostFor(undefined, target)
      return await grpcLook(host, port, action.service, timeoutMs, signal)
    }
    const host = hostFor(action.host, target)
    if (action.type === 'tcp') return await tcpLook(host, port, timeoutMs, signal)
    return await httpLook(action, host, port, timeoutMs, signal)
  } catch (error) {
    return { outcome: 'error', output: error instanceof Error ? error.message : String(error) }
  }
}
