import { mkdir, open, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { readIfThere, writeAtomic } from '../atomic-file.ts'
import { type LogLimits, rotateLog, sizeOf } from '../log-rotation.ts'
import { LIMITS } from './limits.ts'
import { encodeLog, type LogStream } from './log-format.ts'

/** The bounds of one container's log, and of the raw output that it is copied from. */
export interface PumpLimits extends LogLimits {
  readonly rawBytesMax: number
}

/** What a pump needs. */
export interface LogPumpOptions {
  /** The container's directory, where the raw files `stdout` and `stderr` are. */
  readonly directory: string
  /** The log file to write, in CRI format. */
  readonly logPath: string
  readonly limits: PumpLimits
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Brings every process of the container to rest.
   *
   * @returns how to let them go on, or undefined when they did not come to rest.
   */
  readonly rest: () => Promise<(() => Promise<void>) | undefined>
}

/**
 * How far everything has been copied. The log may be longer than `logBytes` when the driver died
 * between writing the log and this: then the surplus is cut off and copied again.
 */
interface Progress {
  stdout: number
  stderr: number
  logBytes: number
}

const STREAMS: readonly LogStream[] = ['stdout', 'stderr']

/**
 * Copies the raw output of one container into its log.
 *
 * The container writes into plain files, so it never waits for the driver and loses nothing while
 * the driver is away. Every byte gets into the log once: progress is stored after each piece, and a
 * piece that was written but not counted is cut off on the next start.
 */
export class LogPump {
  readonly #options: LogPumpOptions
  #progress: Progress | undefined
  #running: Promise<void> | undefined
  #again = false
  /** What is wrong has been told: it is tried at each word of the container. */
  #isTold = false

  constructor(options: LogPumpOptions) {
    this.#options = options
  }

  /** Copies what is new, soon. Calls while it runs lead to one more run. */
  wake(): void {
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) {
        this.#again = false
        this.wake()
      }
    })
  }

  /** Copies everything that is there, the unfinished line included. Only once the writers are gone. */
  async finish(): Promise<void> {
    await this.settled()
    await this.#copy('end')
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.#copy('keep')
      await this.#emptyRawFiles()
      this.#isTold = false
    } catch (error) {
      // The next wake tries again: nothing was counted that was not written.
      this.#progress = undefined
      if (this.#isTold) return
      this.#isTold = true
      this.#options.logger.warn('cannot write the log of a container', {
        logPath: this.#options.logPath,
        error,
      })
    }
  }

  /** Copies until nothing is left but, with `keep`, unfinished lines. */
  async #copy(tail: 'keep' | 'part' | 'end'): Promise<void> {
    const progress = await this.#load()
    for (let moved = true; moved; ) {
      moved = false
      for (const stream of STREAMS) {
        if (await this.#copyPiece(stream, progress, tail)) moved = true
      }
    }
  }

  async #copyPiece(
    stream: LogStream,
    progress: Progress,
    tail: 'keep' | 'part' | 'end',
  ): Promise<boolean> {
    const { clock, logPath, limits } = this.#options
    const path = join(this.#options.directory, stream)
    const size = await sizeOf(path)
    if (size === undefined) return false
    // Emptied by us before a crash, or by the container itself (`echo > /dev/stdout` does that).
    if (size < progress[stream]) progress[stream] = 0
    if (size === progress[stream]) return false
    const raw = await readAt(path, progress[stream], LIMITS.logReadBytes)
    const pieceTail = raw.length < LIMITS.logReadBytes ? tail : 'keep'
    const { text, consumed } = encodeLog(
      raw,
      stream,
      clock.wallMs(),
      LIMITS.logLineBytesMax,
      pieceTail,
    )
    if (consumed === 0) return false
    const log = await open(logPath, 'a', 0o640)
    try {
      await log.writeFile(text)
    } finally {
      await log.close()
    }
    progress[stream] += consumed
    progress.logBytes += text.length
    await this.#store(progress)
    if (progress.logBytes >= limits.fileBytesMax) {
      await rotateLog(logPath, clock.wallMs(), limits.filesMax)
      progress.logBytes = 0
      await this.#store(progress)
    }
    return true
  }

  /** Frees the space of raw files that have been copied, while their writers are at rest. */
  async #emptyRawFiles(): Promise<void> {
    const progress = await this.#load()
    const { directory, limits, logger, rest } = this.#options
    if (!STREAMS.some((stream) => progress[stream] >= limits.rawBytesMax)) return
    const goOn = await rest()
    if (goOn === undefined) {
      logger.warn('a container did not come to rest: its raw output stays', { directory })
      return
    }
    try {
      await this.#copy('part')
      for (const stream of STREAMS) {
        if (progress[stream] === 0) continue
        // A crash right after this leaves a file shorter than the progress: known as emptied.
        await truncate(join(directory, stream), 0)
        progress[stream] = 0
      }
      await this.#store(progress)
    } finally {
      await goOn()
    }
  }

  async #load(): Promise<Progress> {
    if (this.#progress !== undefined) return this.#progress
    const { directory, logPath } = this.#options
    const progress = parseProgress(await readIfThere(join(directory, 'log.json')))
    await mkdir(dirname(logPath), { recursive: true })
    const size = await sizeOf(logPath)
    if (size !== undefined && size > progress.logBytes) await truncate(logPath, progress.logBytes)
    // Shorter: it was rotated, or removed by somebody. A new file begins.
    if ((size ?? 0) < progress.logBytes) progress.logBytes = size ?? 0
    this.#progress = progress
    return progress
  }

  #store(progress: Progress): Promise<void> {
    return writeAtomic(join(this.#options.directory, 'log.json'), JSON.stringify(progress))
  }
}

function parseProgress(text: string | undefined): Progress {
  const progress: Progress = { stdout: 0, stderr: 0, logBytes: 0 }
  if (text === undefined) return progress
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  if (typeof parsed !== 'object' || parsed === null) return progress
  const fields = new Map<string, unknown>(Object.entries(parsed))
  for (const name of ['stdout', 'stderr', 'logBytes'] as const) {
    const value = fields.get(name)
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0)
      progress[name] = value
  }
  return progress
}

/** At most `bytesMax` bytes of a file from a position. */
export async function readAt(
  path: string,
  position: number,
  bytesMax: number,
): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(bytesMax)
    const { bytesRead } = await file.read(buffer, 0, bytesMax, position)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
