import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { ProcessSession, SessionSpec } from '../../../core/interfaces/process-session.ts'
import { GRPC } from '../../grpc/wire.ts'
import { RuntimeError } from '../index.ts'
import { OpenSessions, SESSION_LIMITS } from '../open-sessions.ts'
import type { CommandResult, CommandSpec, ExecSpec, RuntimeSessions } from '../sessions.ts'
import { Turns } from '../turns.ts'
import type { CriClient } from './client.ts'
import { openSession } from './engine-session.ts'
import { toRuntimeError } from './errors.ts'
import type { ProcessEvent } from './events.ts'
import { ExecProcess } from './exec-process.ts'
import { GrpcError } from './grpc.ts'
import type { CriCalls } from './messages.ts'
import { EnginePort } from './port-connection.ts'

/** The engine counts its time from when the command runs, and says itself when it is over. */
const COMMAND_SLACK_MS = 30_000

/** Sessions with containers, through the streams of their engine. */
export class EngineSessions implements RuntimeSessions {
  readonly #client: CriClient
  readonly #tellsProcesses: () => boolean
  readonly #open = new OpenSessions(SESSION_LIMITS)
  readonly #turns = new Turns()
  readonly #started = new Set<ExecProcess>()
  #requests = 0

  /** @param tellsProcesses whether the engine tells what it starts in containers. */
  constructor(client: CriClient, tellsProcesses: () => boolean) {
    this.#client = client
    this.#tellsProcesses = tellsProcesses
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ProcessSession> {
    this.#open.checkSessions()
    const { stdin, stdout, stderr, tty, command } = spec
    await this.#checkRunning(containerId)
    const streams = { stdin, stdout, stderr: stderr && !tty, tty }
    return await this.#beginning(containerId, async (started) => {
      const url = await this.#ask('Exec', { containerId, cmd: command, ...streams })
      const session = await openSession({ url }, spec, {
        kill: () => void started.kill(),
        exited: started.exited,
        ...(this.#tellsProcesses() ? { began: started.began } : {}),
      })
      return { result: this.#open.keepSession(session), ended: session.ended }
    })
  }

  /** The engine has told something of a process. */
  notice(event: ProcessEvent): void {
    for (const started of this.#started) started.notice(event)
  }

  async run(containerId: string, spec: CommandSpec): Promise<CommandResult> {
    const { command, timeoutMs, outputBytesMax } = spec
    const seconds = Math.max(1, Math.ceil(timeoutMs / 1000))
    const request = { containerId, cmd: command, timeout: seconds }
    const { answer } = await this.#beginning(containerId, async (started) => {
      const answer = this.#client.call('ExecSync', request, seconds * 1000 + COMMAND_SLACK_MS)
      const settled = answer.then(
        () => undefined,
        () => undefined,
      )
      if (this.#tellsProcesses()) await Promise.race([started.began, settled])
      // Wrapped, or the next one would wait for its end.
      return { result: { answer }, ended: settled }
    })
    try {
      const { stdout, stderr, exitCode } = await answer
      const bytes = Buffer.concat([stdout, stderr]).subarray(0, outputBytesMax)
      return { type: 'exited', exitCode, output: bytes.toString('utf8') }
    } catch (error) {
      if (error instanceof GrpcError && error.code === GRPC.deadlineExceeded)
        return { type: 'timedOut', output: '' }
      throw toRuntimeError(error, 'StartFailed')
    }
  }

  async attach(containerId: string, spec: SessionSpec): Promise<ProcessSession> {
    this.#open.checkSessions()
    await this.#checkRunning(containerId)
    const { stdin, stdout, stderr, tty } = spec
    const streams = { stdin, stdout, stderr: stderr && !tty, tty }
    const url = await this.#ask('Attach', { containerId, ...streams })
    return this.#open.keepSession(await openSession({ url }, spec, { kill: () => undefined }))
  }

  async portForward(sandboxId: string, port: number): Promise<ByteStream> {
    this.#open.checkConnections()
    const url = await this.#ask('PortForward', { podSandboxId: sandboxId, port: [port] })
    this.#requests += 1
    return this.#open.keepConnection(await EnginePort.open({ url }, port, this.#requests))
  }

  /** Ends every session, and what was started for it. */
  async close(): Promise<void> {
    await this.#open.close()
  }

  /**
   * Begins something in a container, one after the other: which process is whose is known by nothing
   * else.
   */
  async #beginning<Result>(
    containerId: string,
    begin: (started: ExecProcess) => Promise<{ result: Result; ended: Promise<unknown> }>,
  ): Promise<Result> {
    return await this.#turns.run(containerId, async () => {
      const started = new ExecProcess(containerId)
      this.#started.add(started)
      const end = (): boolean => this.#started.delete(started)
      try {
        const { result, ended } = await begin(started)
        void ended.then(end)
        return result
      } catch (error) {
        end()
        throw error
      }
    })
  }

  /** @returns where the engine serves the streams of one session, once. */
  async #ask<Name extends 'Exec' | 'Attach' | 'PortForward'>(
    name: Name,
    request: CriCalls[Name]['request'],
  ): Promise<string> {
    try {
      const { url } = await this.#client.call(name, request)
      return url
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async #checkRunning(containerId: string): Promise<void> {
    try {
      const { status } = await this.#client.call('ContainerStatus', { containerId, verbose: false })
      if (status.state === 'CONTAINER_RUNNING') return
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
    throw new RuntimeError('NotFound', `container "${containerId}" is not running`)
  }
}
