import { setTimeout as sleep } from 'node:timers/promises'
import type {
  OutputPiece,
  ProcessSession,
  SessionEnd,
  SessionSpec,
  TerminalSize,
} from '../../../core/interfaces/process-session.ts'
import type { SpdyConnection } from '../../spdy/connection.ts'
import type { SpdyStream } from '../../spdy/stream.ts'
import { RuntimeError } from '../index.ts'
import { OutputMerge } from '../output-merge.ts'
import { connectStreams, type StreamPlace } from './engine-streams.ts'
import { readText } from './read-text.ts'

/** The version with sizes of terminals and a status at the end. */
const PROTOCOL = 'v4.channel.k8s.io'
/** What a terminal takes for the end of its input. */
const END_OF_FILE = new Uint8Array([4])
const HELD_LOOK_MS = 50
/** An engine that tells what it starts does so within this. */
const BEGIN_MS = 10_000

/** What an {@link openSession} caller adds. */
export interface SessionHooks {
  /** Kills what the engine started for this session: it runs on when the connection ends. */
  readonly kill: () => void
  /** Resolves with the exit code when the process has ended, although others may hold its output. */
  readonly exited?: Promise<number>
  /** Resolves when the process has begun, where the engine tells. */
  readonly began?: Promise<void>
}

/**
 * Opens the streams of a session, in the order that engines expect.
 *
 * @throws RuntimeError `StartFailed` with the engine's words when the command cannot be started,
 * `Unavailable` when the engine cannot be had.
 */
export async function openSession(
  place: StreamPlace,
  spec: SessionSpec,
  hooks: SessionHooks,
): Promise<ProcessSession> {
  const connection = await connectStreams(place, PROTOCOL)
  try {
    const open = (type: string): Promise<SpdyStream> =>
      connection.open(new Map([['streamtype', type]]))
    const error = await open('error')
    const stdin = spec.stdin ? await open('stdin') : undefined
    const stdout = spec.stdout ? await open('stdout') : undefined
    const stderr = spec.stderr && !spec.tty ? await open('stderr') : undefined
    const sizes = spec.tty ? await open('resize') : undefined
    // Nothing is sent to the process on its way to say how it ended.
    error.end()
    const session = new EngineSession(
      connection,
      { error, stdin, stdout, stderr, sizes },
      spec,
      hooks,
    )
    await beginning(session, hooks)
    return session
  } catch (failure) {
    connection.abort()
    throw failure
  }
}

/** Waits until the process has begun, or a while where nobody tells. */
async function beginning(session: EngineSession, { began }: SessionHooks): Promise<void> {
  if (began === undefined) return
  const quiet = new AbortController()
  const late = sleep(BEGIN_MS, undefined, { signal: quiet.signal }).catch(() => undefined)
  const failure = await Promise.race([began, late, session.failure])
  quiet.abort()
  if (failure !== undefined) throw new RuntimeError('StartFailed', failure)
}

interface Streams {
  readonly error: SpdyStream
  readonly stdin: SpdyStream | undefined
  readonly stdout: SpdyStream | undefined
  readonly stderr: SpdyStream | undefined
  readonly sizes: SpdyStream | undefined
}

/** A process in a container, through the streams of its engine. */
class EngineSession implements ProcessSession {
  readonly ended: Promise<SessionEnd>
  /** Resolves with the engine's words when it ends with anything but an exit code; else never. */
  readonly failure: Promise<string>
  readonly #connection: SpdyConnection
  readonly #streams: Streams
  readonly #spec: SessionSpec
  readonly #hooks: SessionHooks
  readonly #merge = new OutputMerge()
  #isAborted = false
  #fail: (message: string) => void = () => undefined

  constructor(
    connection: SpdyConnection,
    streams: Streams,
    spec: SessionSpec,
    hooks: SessionHooks,
  ) {
    this.#connection = connection
    this.#streams = streams
    this.#spec = spec
    this.#hooks = hooks
    this.failure = new Promise((resolve) => {
      this.#fail = resolve
    })
    this.ended = this.#run()
  }

  get output(): AsyncIterable<OutputPiece> {
    return this.#merge
  }

  async writeInput(bytes: Uint8Array): Promise<void> {
    // What the process no longer reads is dropped.
    await this.#streams.stdin?.write(bytes).catch(() => undefined)
  }

  endInput(): void {
    if (this.#spec.tty) void this.writeInput(END_OF_FILE)
    else this.#streams.stdin?.end()
  }

  resize({ columns, rows }: TerminalSize): void {
    const text = `${JSON.stringify({ Width: columns, Height: rows })}\n`
    this.#streams.sizes?.write(Buffer.from(text)).catch(() => undefined)
  }

  abort(): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#hooks.kill()
    this.#connection.abort()
    this.#merge.drop()
  }

  async #run(): Promise<SessionEnd> {
    const { stdout, stderr, error } = this.#streams
    const told = Promise.all([
      readStatus(error),
      this.#copy(stdout, 'stdout'),
      this.#copy(stderr, 'stderr'),
    ]).then(([status]) => {
      if (status.type === 'failed') this.#fail(status.message)
      return status
    })
    const seen = this.#hooks.exited?.then((exitCode) => ({ type: 'exited', exitCode }) as const)
    const end = await Promise.race(seen === undefined ? [told] : [told, this.#unheld(seen)])
    this.#merge.end()
    await this.#merge.finished
    this.#connection.abort()
    if (this.#isAborted) return { type: 'failed', message: 'the session was ended' }
    return end
  }

  /** An end counts once nothing that was written before it waits for the reader. */
  async #unheld(seen: Promise<SessionEnd>): Promise<SessionEnd> {
    const end = await seen
    while (this.#merge.isHeld) await sleep(HELD_LOOK_MS)
    return end
  }

  async #copy(stream: SpdyStream | undefined, name: 'stdout' | 'stderr'): Promise<void> {
    if (stream === undefined) return
    try {
      for await (const bytes of stream) await this.#merge.put({ stream: name, bytes })
    } catch {
      // The connection is gone, which the status tells.
    }
  }
}

/** How it ended, as the engine says at the end: a Status with the reason. */
async function readStatus(stream: SpdyStream): Promise<SessionEnd> {
  try {
    return endOf(await readText(stream))
  } catch (error) {
    return { type: 'failed', message: String(error instanceof Error ? error.message : error) }
  }
}

/** What a Status says of the end of a process. */
export function endOf(text: string): SessionEnd {
  if (text.trim() === '') return { type: 'failed', message: 'the engine did not tell how it ended' }
  let status: {
    readonly status?: string
    readonly reason?: string
    readonly message?: string
    readonly details?: {
      readonly causes?: readonly { readonly reason?: string; readonly message?: string }[]
    }
  }
  try {
    status = JSON.parse(text) as typeof status
  } catch {
    return { type: 'failed', message: text }
  }
  if (status.status === 'Success') return { type: 'exited', exitCode: 0 }
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')
  const exitCode = Number(cause?.message ?? Number.NaN)
  if (status.reason === 'NonZeroExitCode' && Number.isInteger(exitCode)) {
    return { type: 'exited', exitCode }
  }
  return { type: 'failed', message: status.message ?? text }
}
