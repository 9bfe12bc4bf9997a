import type { ByteStream } from '../../core/interfaces/byte-stream.ts'
import type { ProcessSession, SessionSpec } from '../../core/interfaces/process-session.ts'

/** What to run in a container that runs already. */
export interface ExecSpec extends SessionSpec {
  readonly command: readonly string[]
}

/** A command whose end and output are all that is wanted of it: a probe, or a hook. */
export interface CommandSpec {
  readonly command: readonly string[]
  /** After this it is killed, in milliseconds. */
  readonly timeoutMs: number
  /** What it writes beyond this, stdout and stderr together, is dropped. */
  readonly outputBytesMax: number
}

/** How a command ended. Some runtimes do not tell the output of one that was killed. */
export type CommandResult =
  | { readonly type: 'exited'; readonly exitCode: number; readonly output: string }
  | { readonly type: 'timedOut'; readonly output: string }

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
   * Runs a command like {@link exec} and waits for its end. Costs less than a session where the
   * runtime has a call for it.
   *
   * @throws RuntimeError as {@link exec} does.
   */
  run(containerId: string, spec: CommandSpec): Promise<CommandResult>
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
