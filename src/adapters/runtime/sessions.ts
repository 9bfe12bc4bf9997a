import type { ByteStream } from '../../core/interfaces/byte-stream.ts'
import type { ProcessSession, SessionSpec } from '../../core/interfaces/process-session.ts'

/** What to run in a container that runs already. */
export interface ExecSpec extends SessionSpec {
  readonly command: readonly string[]
}

/** The part of a runtime that lets people into running pods. */
export interface RuntimeSessions {
  /**
   * Runs a command beside the process of a running container, with its variables, in its working
   * directory, under its limits and in its namespaces.
   *
   * @throws RuntimeError `NotFound` when the container does not run, `StartFailed` when the command
   * cannot be started, `Unavailable` when too many sessions are open.
   */
  exec(containerId: string, spec: ExecSpec): Promise<ProcessSession>
  /**
   * Joins the process of a running container: what it writes from now on, and its stdin where it was
   * started with one.
   *
   * @throws RuntimeError `NotFound` when the container does not run, `Unavailable`.
   */
  attach(containerId: string, spec: SessionSpec): Promise<ProcessSession>
  /**
   * A connection to a port on which something in the sandbox listens.
   *
   * @throws RuntimeError `NotFound` when the sandbox does not exist, `Unavailable` when nobody
   * listens there or too many are open.
   */
  portForward(sandboxId: string, port: number): Promise<ByteStream>
}
