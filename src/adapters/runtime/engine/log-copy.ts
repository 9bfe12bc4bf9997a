import { type FSWatcher, watch } from 'node:fs'
import { mkdir, open, readFile, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { delay } from '../delay.ts'
import { type LogLimits, rotatedLogs, rotateLog, sizeOf } from '../log-rotation.ts'
import { criLine, isMarked, type LogEntry, type LogMark, markOf, parseJsonLog } from './json-log.ts'
import { LogSource } from './log-source.ts'

/** What a copy needs. */
export interface LogCopyOptions {
  /** The file that the engine writes. */
  readonly sourcePath: string
  /** The log file to write, in CRI format. */
  readonly logPath: string
  readonly limits: LogLimits
  readonly clock: Clock
  readonly logger: Logger
}

/** What is written within this is copied together. */
const GATHER_MS = 50
const AGAIN_MS = 1_000
/** The longest end of a log in which its last line is looked for. */
const TAIL_BYTES = 1024 * 1024

/**
 * Copies the log of one container from the format of its engine into the CRI format.
 *
 * Every line gets there once, also over crashes: the last line that was copied tells where to go on.
 * What the engine has thrown away before it was copied is lost.
 */
export class LogCopy {
  readonly #options: LogCopyOptions
  readonly #source: LogSource
  readonly #ended = new AbortController()
  #watcher: FSWatcher | undefined
  #running: Promise<void> | undefined
  #again = false
  /** Where to go on; undefined once that was found. */
  #mark: LogMark | 'unknown' | undefined = 'unknown'

  constructor(options: LogCopyOptions) {
    this.#options = options
    this.#source = new LogSource(options.sourcePath)
  }

  /** Copies what is there, and what comes. */
  start(): void {
    try {
      this.#watcher = watch(dirname(this.#options.sourcePath), () => this.#wake())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // It is gone already, with its container.
    }
    this.#wake()
  }

  /** Resolves when all is copied that is there. Nothing more is, then. Never rejects. */
  async finish(): Promise<void> {
    this.#watcher?.close()
    this.#ended.abort()
    while (this.#running !== undefined) await this.#running
    await this.#copyOrWarn()
    await this.#source.close().catch(() => undefined)
  }

  /** Stops where it is. Never rejects. */
  async close(): Promise<void> {
    this.#watcher?.close()
    this.#ended.abort()
    while (this.#running !== undefined) await this.#running
    await this.#source.close().catch(() => undefined)
  }

  #wake(): void {
    if (this.#ended.signal.aborted) return
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      // Woken after the last look and before this.
      if (this.#again) this.#wake()
    })
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    while (this.#again && !this.#ended.signal.aborted) {
      this.#again = false
      const isDone = await this.#copyOrWarn()
      if (!isDone) this.#again = true
      await delay(clock, isDone ? GATHER_MS : AGAIN_MS, this.#ended.signal)
    }
  }

  async #copyOrWarn(): Promise<boolean> {
    try {
      await this.#copy()
      return true
    } catch (error) {
      // Where it was is found again in what was written.
      this.#mark = 'unknown'
      const { logger, logPath } = this.#options
      logger.warn('cannot write the log of a container', { logPath, error })
      return false
    }
  }

  async #copy(): Promise<void> {
    if (this.#mark === 'unknown') await this.#findPlace()
    for (let lines = await this.#source.next(); lines.length > 0; lines = await this.#source.next())
      await this.#append(lines.map(parseJsonLog).filter((entry) => entry !== undefined))
  }

  async #append(entries: readonly LogEntry[]): Promise<void> {
    const { logPath, limits, clock } = this.#options
    if (entries.length === 0) return
    const file = await open(logPath, 'a', 0o640)
    try {
      await file.writeFile(entries.map(criLine).join(''))
    } finally {
      await file.close()
    }
    if (((await sizeOf(logPath)) ?? 0) < limits.fileBytesMax) return
    await rotateLog(logPath, clock.wallMs(), limits.filesMax)
  }

  /** Brings the source to what follows the last line that was copied. */
  async #findPlace(): Promise<void> {
    const { logPath } = this.#options
    await mkdir(dirname(logPath), { recursive: true })
    await cutTorn(logPath)
    const last = (await lastLine(logPath)) ?? (await lastLine((await rotatedLogs(logPath)).at(-1)))
    const mark = last === undefined ? undefined : markOf(last)
    await this.#source.rewind()
    if (mark !== undefined && !(await this.#skipTo(mark))) {
      // It is no longer there: what is newer is not copied yet.
      await this.#source.rewind()
      await this.#skipOlder(mark)
    }
    this.#mark = undefined
  }

  async #skipTo(mark: LogMark): Promise<boolean> {
    for (
      let lines = await this.#source.next();
      lines.length > 0;
      lines = await this.#source.next()
    ) {
      const entries = lines.map(parseJsonLog)
      const at = entries.findLastIndex((entry) => entry !== undefined && isMarked(entry, mark))
      if (at < 0) continue
      await this.#append(entries.slice(at + 1).filter((entry) => entry !== undefined))
      return true
    }
    return false
  }

  async #skipOlder({ time }: LogMark): Promise<void> {
    for (
      let lines = await this.#source.next();
      lines.length > 0;
      lines = await this.#source.next()
    ) {
      const entries = lines.map(parseJsonLog).filter((entry) => entry !== undefined)
      const newer = entries.filter((entry) => isLater(entry.time, time))
      await this.#append(newer)
    }
  }
}

/** Whether a time is after another one, both as Go writes them: with as many digits as are needed. */
function isLater(a: string, b: string): boolean {
  const [seconds, others] = [a.slice(0, 19), b.slice(0, 19)]
  return seconds === others ? digits(a) > digits(b) : seconds > others
}

function digits(time: string): string {
  return (/\.(\d+)/.exec(time)?.[1] ?? '').padEnd(9, '0')
}

/** Cuts off a line that was not written to its end. */
async function cutTorn(path: string): Promise<void> {
  const size = await sizeOf(path)
  if (size === undefined || size === 0) return
  const tail = await tailOf(path, size)
  const end = tail.lastIndexOf(0x0a)
  if (end < tail.length - 1) await truncate(path, size - (tail.length - 1 - end))
}

async function lastLine(path: string | undefined): Promise<string | undefined> {
  const size = path === undefined ? undefined : await sizeOf(path)
  if (path === undefined || size === undefined || size === 0) return undefined
  return (await tailOf(path, size)).toString('utf8').split('\n').at(-2)
}

async function tailOf(path: string, size: number): Promise<Buffer> {
  if (size <= TAIL_BYTES) return await readFile(path)
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(TAIL_BYTES)
    const { bytesRead } = await file.read(buffer, 0, TAIL_BYTES, size - TAIL_BYTES)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
