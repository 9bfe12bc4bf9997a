import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { ProcessSession, SessionSpec } from '../../../core/interfaces/process-session.ts'
import { RuntimeError } from '../index.ts'
import { OpenSessions } from '../open-sessions.ts'
import { runCommand } from '../run-command.ts'
import type { CommandResult, CommandSpec, ExecSpec, RuntimeSessions } from '../sessions.ts'
import { connectPort } from '../socket-stream.ts'
import { startAttach } from './attach-session.ts'
import type { Cgroups } from './cgroup-files.ts'
import { commandProblem } from './command-lookup.ts'
import type { Container } from './container.ts'
import { splitByName } from './environment.ts'
import { startExec } from './exec-session.ts'
import { LIMITS } from './limits.ts'
import { ownerOf, type Privileges, privilegeWords } from './privileges.ts'
import { hasTerminals, onTerminal } from './terminal.ts'

/** What the sessions of one runtime work with. */
export interface SessionContext {
  readonly clock: Clock
  readonly cgroups: Cgroups | undefined
  readonly execScript: string
  readonly privileges: Privileges | undefined
  /** The variables for a container whose own ones cannot be read. */
  readonly environment: Readonly<Record<string, string>>
  /** Whether containers see their volumes at their paths. */
  readonly mounts: boolean
  readonly container: (id: string) => Container | undefined
  readonly hasSandbox: (id: string) => boolean
}

/** The sessions with the containers of one process runtime. */
export class PodSessions implements RuntimeSessions {
  readonly #context: SessionContext
  readonly #open = new OpenSessions(LIMITS)
  #names = 0

  constructor(context: SessionContext) {
    this.#context = context
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ProcessSession> {
    const container = await this.#running(containerId)
    if (spec.tty && !hasTerminals())
      throw new RuntimeError('Unavailable', 'this machine has no script(1) to make a terminal with')
    const { clock, execScript, cgroups, mounts, privileges } = this.#context
    const { record, files } = container
    const env = await this.#environmentOf(container)
    const workingDir = record.workingDir ?? '/'
    const [command = ''] = spec.command
    const problem = await commandProblem({
      command,
      workingDir,
      path: env['PATH'] ?? '',
      mounts: mounts ? record.mounts : [],
    })
    if (problem !== undefined) throw new RuntimeError('StartFailed', problem)
    const { plain, odd } = splitByName(env)
    const groups = (cgroups?.files(containerId) ?? []).join(' ')
    const inside = await files.inside()
    const prefix = odd.length > 0 ? ['/usr/bin/env', ...odd] : []
    const score = String(record.limits.oomScoreAdjust ?? '')
    const whose = inside?.isIsolated === true ? 'own' : ''
    const place = [String(inside?.pid ?? ''), whose, workingDir]
    const script = ['/bin/sh', execScript, groups, ...place, score]
    const owner = ownerOf(record.security)
    const words = [
      ...script,
      ...privilegeWords(privileges, record.security),
      ...[...prefix, ...spec.command],
    ]
    this.#names += 1
    const terminalFile = spec.tty ? join(files.directory, `tty-${this.#names}`) : undefined
    const started =
      terminalFile === undefined
        ? { words, env: plain }
        : onTerminal(words, plain, terminalFile, owner)
    const { stdin } = spec
    const { directory } = files
    const session = await startExec({ ...started, directory, terminalFile, stdin, clock, owner })
    return this.#open.keepSession(session)
  }

  async run(containerId: string, spec: CommandSpec): Promise<CommandResult> {
    const exec: RuntimeSessions['exec'] = (id, streams) => this.exec(id, streams)
    return await runCommand(exec, containerId, spec, this.#context.clock)
  }

  async attach(containerId: string, spec: SessionSpec): Promise<ProcessSession> {
    const container = await this.#running(containerId)
    const { clock } = this.#context
    const { directory } = container.files
    const isOver = async (): Promise<boolean> => (await container.status()).state === 'exited'
    return this.#open.keepSession(await startAttach({ directory, spec, clock, isOver }))
  }

  async portForward(sandboxId: string, port: number): Promise<ByteStream> {
    if (!this.#context.hasSandbox(sandboxId))
      throw new RuntimeError('NotFound', `no sandbox "${sandboxId}"`)
    this.#open.checkConnections()
    return this.#open.keepConnection(await connectPort(port))
  }

  /** Ends every session. */
  async close(): Promise<void> {
    await this.#open.close()
  }

  async #running(id: string): Promise<Container> {
    const container = this.#context.container(id)
    const status = await container?.status()
    if (container === undefined || status?.state !== 'running')
      throw new RuntimeError('NotFound', `container "${id}" is not running`)
    this.#open.checkSessions()
    return container
  }

  /** As its process was started with. They are not kept on disk: they may hold secrets. */
  async #environmentOf(container: Container): Promise<Record<string, string>> {
    const { environment } = this.#context
    const claim = await container.files.claim()
    const text = await readFile(`/proc/${claim?.pid ?? 0}/environ`, 'utf8').catch(() => undefined)
    const own = { TIDEWAY_CONTAINER_DIR: container.files.directory }
    if (text === undefined) return { ...environment, ...own }
    const pairs = text.split('\0').filter((pair) => pair.includes('='))
    return Object.fromEntries(pairs.map((pair) => splitPair(pair)))
  }
}

function splitPair(pair: string): readonly [string, string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}
