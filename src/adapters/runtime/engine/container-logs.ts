import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { ContainerStatus } from '../index.ts'
import type { LogLimits } from '../log-rotation.ts'
import type { Dialect } from './dialect.ts'
import { LogCopy } from './log-copy.ts'
import type { LogConfig } from './messages.ts'

/** What {@link ContainerLogs} works with. */
export interface ContainerLogsOptions {
  readonly dialect: Dialect
  readonly limits: LogLimits
  readonly clock: Clock
  readonly logger: Logger
}

/** Docker's own log is only what was not copied yet: one file is written, and these are older. */
const SOURCE_FILES_MAX = 3
/** What conmon does when it reads this: it begins the log anew. */
const REOPEN = '2 0 0\n'

/** The logs of containers, which are in CRI format where edged reads them. */
export class ContainerLogs {
  readonly #options: ContainerLogsOptions
  readonly #copies = new Map<string, LogCopy>()
  /** Ended, with a log that is complete. */
  readonly #complete = new Set<string>()
  #isClosed = false

  constructor(options: ContainerLogsOptions) {
    this.#options = options
  }

  /** Where the engine writes what a container says. */
  configOf(logPath: string): LogConfig {
    const { dialect, limits } = this.#options
    if (dialect.writesLogs) return { Type: 'k8s-file', Config: { path: logPath } }
    const bytes = String(limits.fileBytesMax)
    return { Type: 'json-file', Config: { 'max-size': bytes, 'max-file': `${SOURCE_FILES_MAX}` } }
  }

  /** A container was seen. Resolves when the log of one that has ended is complete. Never rejects. */
  async seen({ id, state, logPath }: ContainerStatus, sourcePath: string): Promise<void> {
    if (this.#options.dialect.writesLogs || sourcePath === '' || logPath === '') return
    if (this.#isClosed || this.#complete.has(id)) return
    let copy = this.#copies.get(id)
    if (copy === undefined) {
      const { limits, clock, logger } = this.#options
      copy = new LogCopy({ sourcePath, logPath, limits, clock, logger })
      this.#copies.set(id, copy)
      if (state !== 'exited') copy.start()
    }
    if (state !== 'exited') return
    await copy.finish()
    this.#copies.delete(id)
    this.#complete.add(id)
  }

  /** The container is removed next. */
  async forget(id: string): Promise<void> {
    await this.#copies.get(id)?.finish()
    this.#copies.delete(id)
    this.#complete.delete(id)
  }

  /** Stops copying; what the engine has written by then is copied by the next who does. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#copies.values()].map((copy) => copy.close()))
    this.#copies.clear()
  }
}

/**
 * Makes podman begin a log anew, by telling the process that keeps the container.
 *
 * @param directory where podman keeps what belongs to the container.
 */
export async function reopenLog(directory: string): Promise<void> {
  // Not to wait where nobody reads: then the container has just ended.
  const flags = constants.O_WRONLY | constants.O_NONBLOCK
  const control = await open(join(directory, 'ctl'), flags)
  try {
    await control.write(REOPEN)
  } finally {
    await control.close()
  }
}
