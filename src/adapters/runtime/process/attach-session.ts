import { constants, existsSync, type FSWatcher, openSync, watch } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type {
  OutputPiece,
  ProcessSession,
  SessionEnd,
  SessionSpec,
  TerminalSize,
} from '../../../core/interfaces/process-session.ts'
import { delay } from '../delay.ts'
import { sizeOf } from '../log-rotation.ts'
import { OutputMerge } from '../output-merge.ts'
import { writeGently } from '../write-gently.ts'
import { LIMITS } from './limits.ts'
import { readAt } from './log-pump.ts'
import { TerminalResizer } from './terminal.ts'

const INPUT_TRIES_MAX = 50
const INPUT_RETRY_MS = 40

/** What is needed to join a container. */
export interface AttachStart {
  /** The container's directory. */
  readonly directory: string
  readonly spec: SessionSpec
  readonly clock: Clock
  /** Whether the container has ended and has written all that it will write. */
  readonly isOver: () => Promise<boolean>
}

/**
 * Joins a container: what it writes into its raw output files from now on, and its stdin.
 *
 * A reader that is slower than the container by more than the raw files hold misses the rest.
 */
export async function startAttach(start: AttachStart): Promise<ProcessSession> {
  const session = new AttachSession(start)
  await session.open()
  return session
}

class AttachSession implements ProcessSession {
  readonly output: AsyncIterable<OutputPiece>
  readonly #start: AttachStart
  readonly #merge = new OutputMerge()
  readonly #resizer: TerminalResizer
  #ended: Promise<SessionEnd> = Promise.resolve({ type: 'exited', exitCode: 0 })
  #stdin: Promise<Socket | undefined> = Promise.resolve(undefined)
  #watcher: FSWatcher | undefined
  #isAborted = false
  readonly #sleepers = new Set<() => void>()

  constructor(start: AttachStart) {
    this.#start = start
    this.output = this.#merge
    this.#resizer = new TerminalResizer(join(start.directory, 'tty'), start.clock)
  }

  get ended(): Promise<SessionEnd> {
    return this.#ended
  }

  async open(): Promise<void> {
    const { directory, spec } = this.#start
    this.#watch()
    const streams = (['stdout', 'stderr'] as const).filter((stream) => spec[stream])
    const positions = streams.map((stream) => sizeOf(join(directory, stream)))
    const from = await Promise.all(positions)
    if (spec.stdin) this.#stdin = this.#openInput(join(directory, 'stdin'))
    const tails = streams.map((stream, index) => this.#tail(stream, from[index] ?? 0))
    // Somebody who only types stays until the container ends, too.
    if (streams.length === 0) tails.push(this.#waitForEnd())
    this.#ended = this.#end(Promise.all(tails))
  }

  async writeInput(bytes: Uint8Array): Promise<void> {
    const stdin = await this.#stdin
    if (stdin !== undefined) await writeGently(stdin, bytes)
  }

  endInput(): void {
    void this.#stdin.then((stdin) => stdin?.end())
  }

  resize(size: TerminalSize): void {
    this.#resizer.resize(size)
  }

  abort(): void {
    this.#isAborted = true
    this.#merge.drop()
    this.#closeInput()
    this.#wake()
  }

  async #tail(stream: OutputPiece['stream'], from: number): Promise<void> {
    const path = join(this.#start.directory, stream)
    let position = from
    while (!this.#isAborted) {
      // Asked before the look at the file: what was written until the end is then seen.
      const isOver = await this.#start.isOver()
      const size = (await sizeOf(path)) ?? 0
      // The driver has emptied the file.
      if (size < position) position = 0
      if (size > position) {
        const bytes = await readAt(path, position, LIMITS.logReadBytes)
        position += bytes.length
        await this.#merge.put({ stream, bytes })
      } else if (isOver) return
      else await this.#change()
    }
  }

  async #waitForEnd(): Promise<void> {
    while (!this.#isAborted && !(await this.#start.isOver())) await this.#change()
  }

  async #end(tails: Promise<unknown>): Promise<SessionEnd> {
    let end: SessionEnd = { type: 'exited', exitCode: 0 }
    try {
      await tails
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      end = { type: 'failed', message }
    }
    this.#watcher?.close()
    this.#isAborted = true
    this.#closeInput()
    this.#merge.end()
    await this.#merge.finished
    return end
  }

  /** Resolves when there may be more, soon at the latest. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      let cancel: Cancel = () => undefined
      const wake = (): void => {
        cancel()
        this.#sleepers.delete(wake)
        resolve()
      }
      this.#sleepers.add(wake)
      cancel = this.#start.clock.schedule(LIMITS.attachPollMs, wake)
    })
  }

  /**
   * The container's stdin; undefined when it has none, or its only input was given already. Right
   * after the start of a container it is not there yet.
   */
  async #openInput(path: string): Promise<Socket | undefined> {
    if (!existsSync(path)) return undefined
    for (let tries = 0; tries < INPUT_TRIES_MAX && !this.#isAborted; tries += 1) {
      const socket = tryInput(path)
      if (socket !== undefined) return socket
      await delay(this.#start.clock, INPUT_RETRY_MS)
    }
    return undefined
  }

  #closeInput(): void {
    void this.#stdin.then((stdin) => stdin?.destroy())
  }

  #wake(): void {
    for (const wake of [...this.#sleepers]) wake()
  }

  #watch(): void {
    try {
      const watcher = watch(this.#start.directory, { persistent: false }, () => this.#wake())
      // Looking again after a while does the same, later.
      watcher.on('error', () => watcher.close())
      this.#watcher = watcher
    } catch {
      // No inotify left on this machine: see above.
    }
  }
}

/** A pipe that somebody reads; undefined when nobody does. */
function tryInput(path: string): Socket | undefined {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    const socket = new Socket({ fd, readable: false, writable: true })
    socket.on('error', () => socket.destroy())
    return socket
  } catch {
    return undefined
  }
}
