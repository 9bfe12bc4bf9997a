import { type ChildProcess, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type {
  OutputPiece,
  ProcessSession,
  SessionEnd,
  TerminalSize,
} from '../../../core/interfaces/process-session.ts'
import { delay } from '../delay.ts'
import { RuntimeError } from '../index.ts'
import { killFamily } from '../kill-family.ts'
import { OutputMerge } from '../output-merge.ts'
import { writeGently } from '../write-gently.ts'
import { openPipes, type Pipes } from './fifo.ts'
import { LIMITS } from './limits.ts'
import type { Owner } from './privileges.ts'
import { TerminalResizer } from './terminal.ts'

/** What is needed to start one command of a session. */
export interface ExecStart {
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where the pipes are made; they vanish from there at once. */
  readonly directory: string
  /** Where the name of its terminal will be; undefined without one. */
  readonly terminalFile: string | undefined
  /** Without input the command reads the end of its stdin at once. */
  readonly stdin: boolean
  readonly clock: Clock
  /** Who may open the pipes by name; undefined is whoever this process is. */
  readonly owner: Owner | undefined
}

/** Starts a command with pipes to talk to it. @throws RuntimeError `StartFailed`. */
export async function startExec(start: ExecStart): Promise<ProcessSession> {
  const pipes = await openPipes(start.directory, start.owner)
  const [file = '', ...args] = start.words
  let child: ChildProcess
  try {
    child = spawn(file, args, {
      cwd: '/',
      env: start.env,
      // A session of its own: that is how its processes are found.
      detached: true,
      stdio: [...pipes.theirs],
    })
  } finally {
    pipes.passedOn()
  }
  const exited = exitOf(child)
  const { pid } = child
  if (pid === undefined) {
    pipes.close()
    await exited
    throw new RuntimeError('StartFailed', `cannot start ${file}`)
  }
  return new ExecSession(pid, exited, pipes, start)
}

/** The exit code of a child, or why it could not be started. Never rejects. */
function exitOf(child: ChildProcess): Promise<SessionEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ type: 'failed', message: error.message }))
    child.once('exit', (code, signal) => {
      resolve({ type: 'exited', exitCode: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0) })
    })
  })
}

/** The signals that end processes, as shells count them. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
}

class ExecSession implements ProcessSession {
  readonly output: AsyncIterable<OutputPiece>
  readonly ended: Promise<SessionEnd>
  readonly #pid: number
  readonly #pipes: Pipes
  readonly #clock: Clock
  readonly #merge = new OutputMerge()
  readonly #resizer: TerminalResizer | undefined
  readonly #terminalFile: string | undefined
  #moved = 0
  #isExited = false
  #isClosed = false

  constructor(pid: number, exited: Promise<SessionEnd>, pipes: Pipes, start: ExecStart) {
    this.#pid = pid
    this.#pipes = pipes
    this.#clock = start.clock
    this.#terminalFile = start.terminalFile
    this.output = this.#merge
    this.#resizer =
      start.terminalFile === undefined
        ? undefined
        : new TerminalResizer(start.terminalFile, start.clock)
    // A process that does not read its input is not a failure of the session.
    pipes.stdin.on('error', () => pipes.stdin.destroy())
    // On a terminal the end of stdin would be typed into it.
    if (!start.stdin && this.#resizer === undefined) this.endInput()
    const stderr = this.#resizer === undefined ? 'stderr' : 'stdout'
    const pumps = [this.#pump('stdout', pipes.stdout), this.#pump(stderr, pipes.stderr)]
    this.ended = this.#end(exited, Promise.all(pumps))
  }

  async writeInput(bytes: Uint8Array): Promise<void> {
    await writeGently(this.#pipes.stdin, bytes)
  }

  endInput(): void {
    const { stdin } = this.#pipes
    if (stdin.writableEnded || stdin.destroyed) return
    stdin.end(() => void this.#wakeInput())
  }

  resize(size: TerminalSize): void {
    this.#resizer?.resize(size)
  }

  abort(): void {
    this.#merge.drop()
    this.#closePipes()
    // What it left running on purpose belongs to the container, as with any container engine.
    if (!this.#isExited) void killFamily(this.#pid)
  }

  async #pump(stream: OutputPiece['stream'], socket: Socket): Promise<void> {
    try {
      for await (const bytes of socket as AsyncIterable<Buffer>) {
        this.#moved += 1
        await this.#merge.put({ stream, bytes })
      }
    } catch {
      // Destroyed because the session is over.
    }
  }

  async #end(exited: Promise<SessionEnd>, drained: Promise<unknown>): Promise<SessionEnd> {
    const end = await exited
    this.#isExited = true
    if (this.#terminalFile !== undefined)
      await rm(this.#terminalFile, { force: true }).catch(() => undefined)
    await Promise.race([drained, this.#quiet()])
    this.#closePipes()
    this.#merge.end()
    await this.#merge.finished
    return end
  }

  /** Something that the command left running may hold its pipes open: what has come by then is all. */
  async #quiet(): Promise<void> {
    for (let before = -1; before !== this.#moved || this.#merge.isHeld; ) {
      before = this.#moved
      await delay(this.#clock, LIMITS.quietMs)
    }
  }

  /** While the command runs, it may open its stdin at any time; most do soon. */
  async #wakeInput(): Promise<void> {
    for (let pauseMs = LIMITS.wakeMsMin; !this.#isExited && !this.#isClosed; ) {
      this.#pipes.wakeInput()
      await delay(this.#clock, pauseMs)
      pauseMs = Math.min(pauseMs * 2, LIMITS.wakeMsMax)
    }
  }

  #closePipes(): void {
    this.#isClosed = true
    this.#pipes.close()
  }
}
