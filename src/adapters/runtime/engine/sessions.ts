import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type {
  ProcessSession,
  SessionEnd,
  SessionSpec,
  TerminalSize,
} from '../../../core/interfaces/process-session.ts'
import { delay } from '../delay.ts'
import { RuntimeError } from '../index.ts'
import { OpenSessions, SESSION_LIMITS } from '../open-sessions.ts'
import { runCommand } from '../run-command.ts'
import type { CommandResult, CommandSpec, ExecSpec, RuntimeSessions } from '../sessions.ts'
import { connectPort } from '../socket-stream.ts'
import type { EngineClient } from './client.ts'
import { NetworkDoor } from './door.ts'
import { EngineSession } from './engine-session.ts'
import { isNotRunning, toRuntimeError } from './errors.ts'
import { ExecWatch } from './exec-watch.ts'
import type { ContainerDetails } from './messages.ts'

/** What {@link EngineSessions} works with. */
export interface SessionsOptions {
  readonly client: EngineClient
  readonly clock: Clock
  /** A container or a sandbox as it is now; undefined when it does not exist. */
  readonly details: (id: string) => Promise<ContainerDetails | undefined>
}

const LOOK_MS = 1_000

/** Sessions with containers, through the connections of their engine. */
export class EngineSessions implements RuntimeSessions {
  readonly #options: SessionsOptions
  readonly #open = new OpenSessions(SESSION_LIMITS)
  readonly #doors = new Map<string, NetworkDoor>()
  /** Who waits for something to happen to a container, or in it. */
  readonly #watchers = new Map<string, Set<() => void>>()
  #isClosed = false

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** Something has happened to a container, or in it. */
  notice(containerId: string): void {
    for (const wake of this.#watchers.get(containerId) ?? []) wake()
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ProcessSession> {
    this.#open.checkSessions()
    const { client, clock } = this.#options
    const { stdin, stdout, stderr, tty, command } = spec
    await this.#running(containerId)
    const body = {
      AttachStdin: stdin,
      AttachStdout: stdout || tty,
      AttachStderr: stderr && !tty,
      Tty: tty,
      Cmd: command,
    }
    const id = await this.#created(containerId, body)
    const stream = await this.#refused(() =>
      client.upgrade({ path: `/exec/${id}/start`, body: { Detach: false, Tty: tty } }),
    )
    const watch = new ExecWatch(client, clock, id)
    const wake = (): void => watch.look()
    const forget = this.#watch(containerId, wake)
    void watch.ended.then(forget)
    const session = new EngineSession(
      stream,
      { ...spec, stderr: stderr && !tty },
      {
        clock,
        ended: watch.ended,
        look: () => watch.look(),
        resize: (size) => void this.#resize(`/exec/${id}/resize`, size),
        kill: () => watch.kill(),
      },
    )
    // Without input it reads the end of its stdin: nothing else is connected to it.
    const why = await watch.failure(() => session.firstWords)
    if (why === undefined) return this.#open.keepSession(session)
    session.abort()
    throw new RuntimeError('StartFailed', why)
  }

  async run(containerId: string, spec: CommandSpec): Promise<CommandResult> {
    return await runCommand(
      (id, exec) => this.exec(id, exec),
      containerId,
      spec,
      this.#options.clock,
    )
  }

  async attach(containerId: string, spec: SessionSpec): Promise<ProcessSession> {
    this.#open.checkSessions()
    const { client, clock } = this.#options
    const { Config } = await this.#running(containerId)
    const { stdin, stdout, stderr } = spec
    const query = { stream: true, stdin, stdout, stderr }
    const stream = await this.#refused(() =>
      client.upgrade({ path: `/containers/${containerId}/attach`, query }),
    )
    const { ended, look, leave } = this.#endOf(containerId)
    const session = new EngineSession(
      stream,
      { ...spec, tty: Config.Tty === true },
      {
        clock,
        ended,
        look,
        resize: (size) => void this.#resize(`/containers/${containerId}/resize`, size),
        kill: async () => leave(),
      },
    )
    return this.#open.keepSession(session)
  }

  async portForward(sandboxId: string, port: number): Promise<ByteStream> {
    this.#open.checkConnections()
    const sandbox = await this.#refused(() => this.#options.details(sandboxId))
    if (sandbox === undefined || !sandbox.State.Running)
      throw new RuntimeError('NotFound', `no sandbox "${sandboxId}"`)
    const isOnHost = sandbox.HostConfig.NetworkMode === 'host'
    const stream = isOnHost
      ? await connectPort(port)
      : await this.#door(sandboxId, sandbox.State.Pid).connect(port)
    return this.#open.keepConnection(stream)
  }

  /** Ends every session, and what was started for it. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#open.close()
    await Promise.all([...this.#doors.values()].map((door) => door.close()))
  }

  #door(sandboxId: string, pid: number): NetworkDoor {
    if (this.#isClosed) throw new RuntimeError('Unavailable', 'the runtime is closed')
    const open = this.#doors.get(sandboxId)
    if (open !== undefined) return open
    const door = new NetworkDoor(pid, this.#options.clock, () => this.#doors.delete(sandboxId))
    this.#doors.set(sandboxId, door)
    return door
  }

  async #created(containerId: string, body: object): Promise<string> {
    try {
      const path = `/containers/${containerId}/exec`
      const made = await this.#options.client.call<{ readonly Id: string }>({
        method: 'POST',
        path,
        body,
      })
      return made.Id
    } catch (error) {
      if (!isNotRunning(error)) throw toRuntimeError(error, 'StartFailed')
      const message = `container "${containerId}" is not running`
      throw new RuntimeError('NotFound', message, { cause: error })
    }
  }

  /** How a container ends, for those who are attached to it. */
  #endOf(containerId: string): {
    readonly ended: Promise<SessionEnd>
    readonly look: () => void
    readonly leave: () => void
  } {
    const { clock } = this.#options
    const left = new AbortController()
    let woken = new AbortController()
    const look = (): void => woken.abort()
    const forget = this.#watch(containerId, look)
    const wait = async (): Promise<SessionEnd> => {
      while (!left.signal.aborted) {
        woken = new AbortController()
        const end = await this.#seenEnd(containerId)
        if (end !== undefined) return end
        await delay(clock, LOOK_MS, AbortSignal.any([left.signal, woken.signal]))
      }
      return { type: 'failed', message: 'the session was ended' }
    }
    return { ended: wait().finally(forget), look, leave: () => left.abort() }
  }

  async #seenEnd(containerId: string): Promise<SessionEnd | undefined> {
    try {
      const found = await this.#options.details(containerId)
      if (found === undefined) return { type: 'failed', message: 'the container is gone' }
      if (found.State.Running) return undefined
      return { type: 'exited', exitCode: found.State.ExitCode }
    } catch {
      // The engine is away: what it holds goes on, and the connection has ended with it.
      return { type: 'failed', message: 'the engine is not there' }
    }
  }

  async #running(containerId: string): Promise<ContainerDetails> {
    const found = await this.#refused(() => this.#options.details(containerId))
    if (found?.State.Running === true) return found
    throw new RuntimeError('NotFound', `container "${containerId}" is not running`)
  }

  async #resize(path: string, { columns, rows }: TerminalSize): Promise<void> {
    const query = { w: columns, h: rows }
    // It may have ended, or not have begun: then it has no size.
    await this.#options.client.tell({ path, query }).catch(() => undefined)
  }

  #watch(containerId: string, wake: () => void): () => void {
    const watchers = this.#watchers.get(containerId) ?? new Set()
    watchers.add(wake)
    this.#watchers.set(containerId, watchers)
    return () => {
      watchers.delete(wake)
      if (watchers.size === 0) this.#watchers.delete(containerId)
    }
  }

  async #refused<Result>(call: () => Promise<Result>): Promise<Result> {
    try {
      return await call()
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }
}
