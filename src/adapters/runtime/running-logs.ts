import { rename } from 'node:fs/promises'
import type { Cancel, Clock } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { ContainerStatus } from './index.ts'
import { type LogLimits, rotateLog, sizeOf } from './log-rotation.ts'

/** What {@link RunningLogs} works with. */
export interface RunningLogsOptions extends LogLimits {
  readonly clock: Clock
  readonly logger: Logger
  /** What `running` would tell, as it was seen last: asking for it costs nothing. Default: nothing is known. */
  readonly seen?: (() => readonly ContainerStatus[]) | undefined
  /** The containers whose logs may grow. */
  readonly running: () => Promise<readonly ContainerStatus[]>
  /** Tells the engine to begin the file anew. */
  readonly reopen: (containerId: string) => Promise<void>
}

/** Kubelet's default (`containerLogMonitorInterval`). */
const LOOK_MS = 10_000

/** Keeps the logs of running containers from growing for ever: engines write them and leave this to us. */
export class RunningLogs {
  readonly #options: RunningLogsOptions
  #cancel: Cancel | undefined
  #isClosed = false

  constructor(options: RunningLogsOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#isClosed) return
    const look = async (): Promise<void> => {
      await this.lookNow()
      this.start()
    }
    this.#cancel = this.#options.clock.schedule(LOOK_MS, () => void look())
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  /** Looks at every log once. Failures are logged and tried again at the next look. */
  async lookNow(): Promise<void> {
    try {
      if (!(await this.#mayOneBeLarge())) return
      // One that cannot be rotated keeps no other from it.
      for (const container of await this.#options.running())
        await this.#look(container).catch((error: unknown) => this.#failed(error))
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return
    this.#options.logger.warn('logs of containers could not be rotated', { error })
  }

  async #look({ id, logPath }: ContainerStatus): Promise<void> {
    const { clock, filesMax, reopen } = this.#options
    if (!(await this.#isLarge(logPath))) return
    const aside = await rotateLog(logPath, clock.wallMs(), filesMax)
    try {
      // Until then the engine goes on writing into the file that was moved: nothing is lost.
      await reopen(id)
    } catch (error) {
      // Else nobody would find the log of the container, nor that it is too large.
      if ((await sizeOf(logPath)) === undefined) await rename(aside, logPath)
      throw error
    }
  }

  async #mayOneBeLarge(): Promise<boolean> {
    const seen = this.#options.seen?.()
    if (seen === undefined) return true
    for (const { logPath } of seen) {
      if (await this.#isLarge(logPath)) return true
    }
    return false
  }

  async #isLarge(logPath: string): Promise<boolean> {
    return ((await sizeOf(logPath)) ?? 0) >= this.#options.fileBytesMax
  }
}
