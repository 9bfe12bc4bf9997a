import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const SOURCES = fileURLToPath(new URL('..', import.meta.url))
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const CALL_MS_MAX = 900_000

/** What a program answers to one call. */
export interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** A program as a process of its own, that does what it is told and says what came of it. */
export interface Program {
  readonly pid: number
  /** @throws Error with what the program says went wrong, or when it ended or did not answer in time. */
  call<T>(command: string, args?: unknown, timeoutMs?: number): Promise<T>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
}

/**
 * The programs of the measurement, made plain JavaScript once at the start: so none of them pays for a
 * compiler while it starts, and a source that is edited meanwhile does not change what is measured.
 */
export class Programs {
  readonly #directory: string
  readonly #running = new Set<Program>()

  private constructor(directory: string) {
    this.#directory = directory
  }

  static async compile(): Promise<Programs> {
    const cache = join(ROOT, 'node_modules/.cache/tideway-bench')
    await mkdir(cache, { recursive: true })
    const directory = await mkdtemp(join(cache, 'programs-'))
    const found = await readdir(SOURCES, { recursive: true })
    await build({
      entryPoints: found.filter((path) => path.endsWith('-main.ts')).map((path) => SOURCES + path),
      entryNames: '[name]',
      outExtension: { '.js': '.mjs' },
      outdir: directory,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'linked',
      tsconfig: join(ROOT, 'tsconfig.json'),
      logLevel: 'error',
    })
    return new Programs(directory)
  }

  /** Starts the program that `<name>-main.ts` is the source of. */
  async start(name: string, nodeOptions: readonly string[] = []): Promise<Program> {
    const profile = process.env['TIDEWAY_BENCH_PROFILE']
    const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
    const child = fork(join(this.#directory, `${name}-main.mjs`), {
      execArgv: ['--enable-source-maps', '--expose-gc', ...profiling, ...nodeOptions],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const program = new RunningProgram(name, child, () => this.#running.delete(program))
    this.#running.add(program)
    await program.call('hello')
    return program
  }

  /** Ends what still runs and removes the files. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((program) => program.kill()))
    if (basename(this.#directory).startsWith('programs-')) {
      await rm(this.#directory, { recursive: true, force: true })
    }
  }
}

class RunningProgram implements Program {
  readonly pid: number
  readonly #name: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  readonly #exited: Promise<unknown>
  #calls = 0

  constructor(name: string, child: ChildProcess, onExit: () => void) {
    if (child.pid === undefined) throw new Error(`the program ${name} did not start`)
    this.pid = child.pid
    this.#name = name
    this.#child = child
    this.#exited = once(child, 'exit').then(() => {
      onExit()
      for (const [id, settle] of this.#waiting) settle({ id, error: 'the program ended' })
    })
    child.on('message', (message) => {
      const answer = message as Answer
      this.#waiting.get(answer.id)?.(answer)
    })
  }

  call<T>(command: string, args: unknown = {}, timeoutMs = CALL_MS_MAX): Promise<T> {
    this.#calls += 1
    const id = this.#calls
    const answer = new Promise<T>((resolve, reject) => {
      const timer = setTimeout(
        () => settle({ id, error: `no answer within ${timeoutMs} ms` }),
        timeoutMs,
      )
      const settle = (answer: Answer): void => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        if (answer.error === undefined) resolve(answer.result as T)
        else reject(new Error(`${this.#name} ${command}: ${answer.error}`))
      }
      this.#waiting.set(id, settle)
      this.#child.send({ id, command, args }, (error) => {
        if (error !== null) settle({ id, error: error.message })
      })
    })
    // A row may give up before it awaits this: who does await it is still told.
    answer.catch(() => undefined)
    return answer
  }

  async kill(): Promise<void> {
    // A program that is being profiled writes its profile when it ends by itself.
    if (process.env['TIDEWAY_BENCH_PROFILE'] === undefined) this.#child.kill('SIGKILL')
    else if (this.#child.connected) this.#child.disconnect()
    await this.#exited
  }
}
