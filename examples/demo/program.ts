import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const READY_MS = 30_000
const STOP_MS = 25_000
const POLL_MS = 50

/** The directory of this package, from the address of one of its modules. */
export function packageRoot(moduleUrl: string): string {
  let directory = dirname(fileURLToPath(moduleUrl))
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory)
  return directory
}

/** A line of a program's JSON log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** How a program ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** What {@link startProgram} starts. */
export interface ProgramOptions {
  readonly root: string
  readonly name: 'cloudcore' | 'edgecore'
  readonly args: readonly string[]
  /** Its log goes there, so that it needs nobody who reads. */
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** A cloudcore or edgecore that runs as a process of its own. */
export class RunningProgram {
  readonly #child: ChildProcess
  readonly #options: ProgramOptions
  readonly exited: Promise<Exit>
  #exit: Exit | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
    const { root, name, args, logFile, env } = options
    const log = openSync(logFile, 'w', 0o600)
    this.#child = spawn(
      process.execPath,
      [programPath(root, name), ...args, '--log-format', 'json'],
      {
        // A terminal's Ctrl-C is for the demo, which stops its programs in order.
        detached: true,
        stdio: ['ignore', 'ignore', log],
        env: { ...process.env, ...env },
      },
    )
    closeSync(log)
    this.exited = new Promise((resolve) => {
      this.#child.once('error', () => resolve({ code: -1, signal: null }))
      this.#child.once('exit', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Everything that it has logged so far. */
  lines(): readonly LogLine[] {
    const lines = readFileSync(this.#options.logFile, 'utf8').split('\n')
    return lines
      .slice(0, -1)
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))
  }

  /** Waits for a line of its log. @throws Error with its log when it ends or does not say it in time. */
  async line(message: string, timeoutMs: number = READY_MS): Promise<LogLine> {
    const deadline = performance.now() + timeoutMs
    while (true) {
      const found = this.lines().find((line) => line.msg === message)
      if (found !== undefined) return found
      const why = this.#exit === undefined ? undefined : `ended with ${JSON.stringify(this.#exit)}`
      if (why !== undefined || performance.now() > deadline) {
        const log = readFileSync(this.#options.logFile, 'utf8').slice(-4_000)
        throw new Error(
          `${this.#options.name} ${why ?? 'was not in time'} before "${message}":\n${log}`,
        )
      }
      await sleep(POLL_MS)
    }
  }

  /** Asks it to stop in good order and waits until it has. */
  async stop(): Promise<Exit> {
    if (this.#exit === undefined) this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    const exit = await this.exited
    clearTimeout(late)
    return exit
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  /** Lets it run on when this process ends. */
  release(): void {
    this.#child.unref()
  }
}

/** Starts a program and waits until it is ready. */
export async function startProgram(options: ProgramOptions): Promise<RunningProgram> {
  const program = new RunningProgram(options)
  try {
    await program.line('ready')
  } catch (error) {
    await program.kill()
    throw error
  }
  return program
}

/** Runs a short command of a program and gives what it printed. */
export async function runCommand(
  root: string,
  name: 'cloudcore' | 'edgecore',
  args: readonly string[],
): Promise<string> {
  const { stdout } = await run(process.execPath, [programPath(root, name), ...args])
  return stdout.trim()
}

/** Where a built program is. */
export function programPath(root: string, name: string): string {
  return join(root, 'dist', 'examples', name, 'main.js')
}
