import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { ProcessSession, SessionSpec } from '../../../core/interfaces/process-session.ts'

/** Which pod somebody wants to get into. */
export interface PodTarget {
  readonly namespace: string
  readonly pod: string
}

/** What `pods/NAME/attach` asks for, with the container decided. */
export interface AttachRequest extends PodTarget, SessionSpec {
  readonly container: string
}

/** What `pods/NAME/exec` asks for, with the container decided. */
export interface ExecRequest extends AttachRequest {
  readonly command: readonly string[]
}

/** What one connection of `pods/NAME/portforward` asks for. */
export interface PortForwardRequest extends PodTarget {
  readonly port: number
}

/**
 * The way into the containers of pods: the runtime here, or streams to the nodes that run them.
 *
 * All three throw ObjectError: NotFound (no such pod), BadRequest, ServiceUnavailable (the node is
 * not connected), InternalError (what the node says, in kubelet's words).
 */
export interface PodStreams {
  /** Runs a command in a container that runs. */
  exec(request: ExecRequest): Promise<ProcessSession>
  /** Joins the process of a container that runs. */
  attach(request: AttachRequest): Promise<ProcessSession>
  /** Connects to a port of a pod. */
  portForward(request: PortForwardRequest): Promise<ByteStream>
}
