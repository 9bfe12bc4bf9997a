import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { type Logger, systemClock } from 'tideway'
import { EXIT, ProgramError } from '../shared/program-error.ts'

/** Waits before a kubelet that has ended is started again: doubled each time, up to the second. */
const RESTART_MS = 1_000
const RESTART_MS_MAX = 60_000
/** One that ran for this long has not failed at its start. */
const SETTLED_MS = 300_000
/** How long it gets to stop in good order. */
const STOP_MS = 10_000
const VERSION_MS = 10_000

/**
 * The version of a kubelet, such as `v1.34.4`.
 *
 * @throws ProgramError `KUBELET_UNUSABLE` when there is none, or it does not run on this machine.
 */
export async function kubeletVersionOf(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: VERSION_MS })
    return stdout.trim().replace(/^Kubernetes /, '')
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    const message = `the kubelet ${path} does not run: ${why}; install one, or say where it is with --kubelet-path`
    throw new ProgramError('KUBELET_UNUSABLE', EXIT.unreachable, message, { fields: { path } })
  }
}

/** A kubelet that is started again whenever it ends, until it is closed. Its pods outlive it. */
export class KubeletProcess {
  readonly #path: string
  readonly #args: readonly string[]
  readonly #logger: Logger
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #cancel: (() => void) | undefined
  #waitMs = RESTART_MS
  #isClosed = false

  /** Starts it. What it says goes where this process says things. */
  constructor(path: string, args: readonly string[], logger: Logger) {
    this.#path = path
    this.#args = args
    this.#logger = logger
    this.#start()
  }

  /** Asks it to stop, and after a while does not ask. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    this.#child?.kill('SIGTERM')
    const force = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_MS)
    await this.#ended
    clearTimeout(force)
  }

  #start(): void {
    const beganAtMs = systemClock.monotonicMs()
    const child = spawn(this.#path, this.#args, { stdio: ['ignore', 2, 2] })
    this.#child = child
    this.#logger.info('the kubelet is started', { path: this.#path, pid: child.pid })
    this.#ended = new Promise((resolve) => {
      let isOver = false
      const end = (how: Readonly<Record<string, unknown>>): void => {
        if (isOver) return
        isOver = true
        this.#child = undefined
        if (!this.#isClosed) this.#again(how, systemClock.monotonicMs() - beganAtMs)
        resolve()
      }
      child.once('error', (error) => end({ error }))
      child.once('exit', (code, signal) => end({ code, signal }))
    })
  }

  #again(how: Readonly<Record<string, unknown>>, ranMs: number): void {
    if (ranMs >= SETTLED_MS) this.#waitMs = RESTART_MS
    const retryMs = this.#waitMs
    this.#waitMs = Math.min(retryMs * 2, RESTART_MS_MAX)
    this.#logger.error('the kubelet has ended; its pods run on', { ...how, retryMs })
    this.#cancel = systemClock.schedule(retryMs, () => this.#start())
  }
}
