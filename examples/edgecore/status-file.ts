import { join } from 'node:path'
import { isTidewayError, type Logger, systemClock, type UplinkStatus } from 'tideway'
import { writeSecretFile } from 'tideway/adapters/kubernetes/server'
import { readJsonFile } from '../shared/private-files.ts'

/** What a running edgecore says about itself, in `status.json` of its data directory. */
export interface EdgeStatus {
  readonly node: string
  readonly fleet: string
  readonly pid: number
  /** Such as `https://127.0.0.1:6444`. */
  readonly api: string
  readonly connection: 'connecting' | 'connected' | 'waiting' | 'stopped'
  /** Why the last connection ended; empty while connected. */
  readonly error: string
  /** When both sides last knew the same, RFC 3339; empty before the first time. */
  readonly lastSyncAt: string
}

function pathIn(directory: string): string {
  return join(directory, 'status.json')
}

/** Reads the status of the last edgecore on a directory; undefined when there was none. */
export async function readStatus(directory: string): Promise<EdgeStatus | undefined> {
  const value = await readJsonFile(pathIn(directory))
  return typeof value?.['node'] === 'string' ? (value as unknown as EdgeStatus) : undefined
}

/** Whether the process that wrote a status is still there. */
export function isAlive({ pid }: EdgeStatus): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** How often the file is written while nothing happens: each time is a write to a disk that may be flash. */
const REFRESH_MS = 60_000

/** Keeps the status file as things are. */
export class StatusWriter {
  readonly #directory: string
  readonly #logger: Logger
  #status: EdgeStatus
  #writing: Promise<void> = Promise.resolve()
  #isTold = false
  #timer: (() => void) | undefined

  constructor(
    directory: string,
    first: Pick<EdgeStatus, 'node' | 'fleet'>,
    lastSyncAt: string,
    logger: Logger,
  ) {
    this.#directory = directory
    this.#logger = logger
    this.#status = {
      ...first,
      pid: process.pid,
      api: '',
      connection: 'connecting',
      error: '',
      lastSyncAt,
    }
    this.#schedule()
  }

  get connection(): EdgeStatus['connection'] {
    return this.#status.connection
  }

  set api(url: string) {
    this.#set({ api: url })
  }

  handleUplink(status: UplinkStatus): void {
    const wasConnected = this.connection === 'connected'
    const lastSyncAt = wasConnected || status.type === 'connected' ? now() : this.#status.lastSyncAt
    const error = 'error' in status && status.error !== undefined ? errorText(status.error) : ''
    const kept = status.type === 'connecting' ? this.#status.error : error
    this.#set({ connection: status.type, error: kept, lastSyncAt })
  }

  async close(): Promise<void> {
    this.#timer?.()
    this.#set({ connection: 'stopped' })
    await this.#writing
  }

  #schedule(): void {
    this.#timer = systemClock.schedule(REFRESH_MS, () => {
      this.#set(this.connection === 'connected' ? { lastSyncAt: now() } : {})
      this.#schedule()
    })
  }

  #set(change: Partial<EdgeStatus>): void {
    this.#status = { ...this.#status, ...change }
    const text = `${JSON.stringify(this.#status, undefined, 2)}\n`
    this.#writing = this.#writing
      .then(() => writeSecretFile(pathIn(this.#directory), text))
      .then(() => {
        this.#isTold = false
      })
      .catch((error: unknown) => {
        // Once, until it can be written again.
        if (!this.#isTold) this.#logger.warn('the status could not be written', { error })
        this.#isTold = true
      })
  }
}

function errorText(error: Error): string {
  const reason = isTidewayError(error) ? error.fields['reason'] : undefined
  return typeof reason === 'string' ? `${error.message} (${reason})` : error.message
}

function now(): string {
  return new Date(systemClock.wallMs()).toISOString()
}
