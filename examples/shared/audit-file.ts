import {
  createWriteStream,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  type WriteStream,
} from 'node:fs'
import { readdir, unlink } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Logger } from 'tideway'

/** What waits for a slow disk. Past it, lines are dropped and counted. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

const DAY_MS = 86_400_000

/** How large a file of lines gets, and what is kept of those before it. */
export interface AuditFileLimits {
  /** The size at which it is put aside, and a new one begun. */
  readonly bytesMax: number
  /** How many that were put aside are kept; 0 for all. */
  readonly backupsMax: number
  /** For how many days; 0 for ever. */
  readonly daysMax: number
}

/**
 * A file that its user alone may read, to whose end lines are written. When it is full it is put aside,
 * with the time in its name, as in `audit-2026-01-31T12-00-00.000.log`.
 */
export class AuditFile {
  readonly #path: string
  readonly #limits: AuditFileLimits
  readonly #logger: Logger
  #stream: WriteStream | undefined
  #bytes = 0
  #dropped = 0
  /** Files that were put aside and are not written whole yet. */
  #closing = 0
  #pruning: Promise<void> = Promise.resolve()

  constructor(path: string, limits: AuditFileLimits, logger: Logger) {
    this.#path = path
    this.#limits = limits
    this.#logger = logger
    this.#open()
    this.#prune()
  }

  /** Writes a line as soon as the disk takes it, or drops it when too much waits already. */
  write(line: string): void {
    if (this.#stream === undefined) return
    if (this.#stream.writableLength > WAITING_BYTES_MAX) {
      this.#dropped += 1
      return
    }
    const bytes = Buffer.from(`${line}\n`)
    const isFull = this.#bytes > 0 && this.#bytes + bytes.length > this.#limits.bytesMax
    // One that is still being written keeps the next from being put aside, so that little waits in all.
    if (isFull && this.#closing === 0) this.#rotate()
    this.#bytes += bytes.length
    this.#stream?.write(bytes)
  }

  /** Begins the file anew at its path: it has been moved away, or its disk was full. */
  reopen(): void {
    void this.#end()
    this.#open()
    this.#logger.info('the audit log was reopened', { path: this.#path })
  }

  /** Resolves when all lines are written. */
  async close(): Promise<void> {
    await this.#end()
    await this.#pruning
  }

  #open(): void {
    try {
      const fd = openSync(this.#path, 'a', 0o600)
      this.#bytes = fstatSync(fd).size
      const stream = createWriteStream(this.#path, { fd })
      stream.on('error', (error) => {
        if (this.#stream === stream) this.#stream = undefined
        this.#failed(error)
      })
      stream.on('drain', () => this.#tellDropped())
      this.#stream = stream
    } catch (error) {
      this.#failed(error)
    }
  }

  #rotate(): void {
    try {
      renameSync(this.#path, this.#backupPath())
    } catch (error) {
      // It goes on as it is: better a long log than none.
      this.#bytes = 0
      this.#failed(error)
      return
    }
    // What waits still goes to the file that it was meant for, whatever its name is.
    void this.#end()
    this.#open()
    this.#prune()
  }

  #end(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined) return Promise.resolve()
    this.#closing += 1
    return new Promise((resolve) => {
      stream.once('close', () => {
        this.#closing -= 1
        resolve()
      })
      stream.end()
    })
  }

  #backupPath(): string {
    for (let wallMs = Date.now(); ; wallMs += 1) {
      const [stem, extension] = this.#names()
      const time = new Date(wallMs).toISOString().slice(0, 23).replaceAll(':', '-')
      const path = join(dirname(this.#path), `${stem}-${time}${extension}`)
      if (!existsSync(path)) return path
    }
  }

  #names(): readonly [string, string] {
    const extension = extname(this.#path)
    return [basename(this.#path, extension), extension]
  }

  #prune(): void {
    this.#pruning = this.#pruning
      .then(() => this.#removeOld())
      .catch((error: unknown) => {
        this.#logger.warn('old audit logs could not be removed', { path: this.#path, error })
      })
  }

  async #removeOld(): Promise<void> {
    const { backupsMax, daysMax } = this.#limits
    const [stem, extension] = this.#names()
    const directory = dirname(this.#path)
    const timeOf = (name: string): number => {
      if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return Number.NaN
      const text = name.slice(stem.length + 1, name.length - extension.length)
      const [, day, hours, rest] = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d-\d\d\.\d{3})$/.exec(text) ?? []
      return Date.parse(`${day}T${hours}:${rest?.replace('-', ':')}Z`)
    }
    const backups = (await readdir(directory))
      .map((name) => ({ name, wallMs: timeOf(name) }))
      .filter(({ wallMs }) => !Number.isNaN(wallMs))
      .sort((a, b) => b.wallMs - a.wallMs)
    const oldestMs = daysMax === 0 ? 0 : Date.now() - daysMax * DAY_MS
    const old = backups.filter(
      ({ wallMs }, index) => wallMs < oldestMs || (backupsMax > 0 && index >= backupsMax),
    )
    for (const { name } of old) await unlink(join(directory, name))
  }

  #tellDropped(): void {
    if (this.#dropped > 0)
      this.#logger.warn('events of the audit log were dropped', {
        path: this.#path,
        count: this.#dropped,
      })
    this.#dropped = 0
  }

  #failed(error: unknown): void {
    this.#logger.error('the audit log cannot be written', { path: this.#path, error })
  }
}
