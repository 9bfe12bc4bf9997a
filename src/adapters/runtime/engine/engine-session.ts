import type { Clock } from '../../../core/interfaces/clock.ts'
import type {
  OutputPiece,
  ProcessSession,
  SessionEnd,
  SessionSpec,
  TerminalSize,
} from '../../../core/interfaces/process-session.ts'
import { delay } from '../delay.ts'
import { OutputMerge } from '../output-merge.ts'
import { writeGently } from '../write-gently.ts'
import type { EngineStream } from './client.ts'
import { FrameReader } from './frames.ts'

/** What a terminal takes for the end of its input. */
const END_OF_FILE = new Uint8Array([4])
/** When nothing has come for this long after a process has ended, nothing more is waited for. */
const QUIET_MS = 250
/** How much of what came first is kept, for the words of an engine that could not start a command. */
const FIRST_BYTES_MAX = 4_096

/** What a session is about. */
export interface SessionHooks {
  readonly clock: Clock
  /** How the process ended; resolves when it has. Never rejects. */
  readonly ended: Promise<SessionEnd>
  /** The output has ended: this is asked at once whether the process has, too. */
  readonly look: () => void
  /** Tells the terminal its size. */
  readonly resize: (size: TerminalSize) => void
  /** Ends what was started for this session. Resolves when it has. Never rejects. */
  readonly kill: () => Promise<void>
}

/** A process in a container, through the connection that its engine has made of a call. */
export class EngineSession implements ProcessSession {
  readonly ended: Promise<SessionEnd>
  readonly #stream: EngineStream
  readonly #spec: SessionSpec
  readonly #hooks: SessionHooks
  readonly #merge = new OutputMerge()
  #first = ''
  #moved = 0
  #isAborted = false
  #killed: Promise<void> = Promise.resolve()

  constructor(stream: EngineStream, spec: SessionSpec, hooks: SessionHooks) {
    this.#stream = stream
    this.#spec = spec
    this.#hooks = hooks
    // Who reads is told by the end; the event itself must not end the process.
    stream.socket.on('error', () => undefined)
    this.ended = this.#run()
  }

  get output(): AsyncIterable<OutputPiece> {
    return this.#merge
  }

  /** What came first, as text. */
  get firstWords(): string {
    return this.#first
  }

  async writeInput(bytes: Uint8Array): Promise<void> {
    if (this.#spec.stdin) await writeGently(this.#stream.socket, bytes)
  }

  endInput(): void {
    if (!this.#spec.stdin) return
    if (this.#spec.tty) void this.writeInput(END_OF_FILE)
    else this.#stream.socket.end()
  }

  resize(size: TerminalSize): void {
    if (this.#spec.tty) this.#hooks.resize(size)
  }

  abort(): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#killed = this.#hooks.kill()
    this.#stream.socket.destroy()
    this.#merge.drop()
  }

  async #run(): Promise<SessionEnd> {
    const copied = this.#copy().then(() => this.#hooks.look())
    const end = await this.#hooks.ended
    await Promise.race([copied, this.#quiet()])
    this.#merge.end()
    await this.#merge.finished
    this.#stream.socket.destroy()
    await this.#killed
    if (this.#isAborted) return { type: 'failed', message: 'the session was ended' }
    return end
  }

  async #copy(): Promise<void> {
    const { socket, head } = this.#stream
    const frames = this.#spec.tty ? undefined : new FrameReader()
    const take = async (bytes: Buffer): Promise<void> => {
      const pieces = frames?.read(bytes) ?? [{ stream: 'stdout' as const, bytes }]
      for (const piece of pieces) {
        this.#moved += 1
        if (this.#first.length < FIRST_BYTES_MAX) this.#first += piece.bytes.toString('utf8')
        if (this.#spec[piece.stream]) await this.#merge.put(piece)
      }
    }
    try {
      if (head.length > 0) await take(head)
      const read = socket.iterator({ destroyOnReturn: false })
      for await (const bytes of read as AsyncIterable<Buffer>) await take(bytes)
    } catch {
      // The connection is gone, which its end tells.
    }
  }

  /** Something that the process left running may hold its output: what has come by then is all. */
  async #quiet(): Promise<void> {
    for (let before = -1; before !== this.#moved || this.#merge.isHeld; ) {
      before = this.#moved
      await delay(this.#hooks.clock, QUIET_MS)
    }
  }
}
