import type { Clock } from '../../../core/interfaces/clock.ts'
import { delay } from '../delay.ts'
import { RuntimeError } from '../index.ts'
import type { EngineClient } from './client.ts'
import { isMissing, isNotRunning } from './errors.ts'
import type { ContainerDetails } from './messages.ts'

/** What {@link Stops} works with. */
export interface StopsOptions {
  readonly client: EngineClient
  readonly clock: Clock
  /** A container as it is now; undefined when it does not exist. */
  readonly details: (id: string) => Promise<ContainerDetails | undefined>
}

/** How long a container may take to be gone after it was killed. */
const KILL_MS = 2 * 60_000
/** How often it is looked at without any sign of a change: events may be left out. */
const LOOK_MS = 1_000

/**
 * Stops containers: asks, waits, kills. Engines have a call for that, which one of them does not let
 * anybody shorten.
 */
export class Stops {
  readonly #options: StopsOptions
  readonly #running = new Map<string, Stop>()

  constructor(options: StopsOptions) {
    this.#options = options
  }

  /** Something has happened to a container. */
  notice(id: string): void {
    this.#running.get(id)?.wake()
  }

  /**
   * Resolves when the container has ended, or never was. A second call with less time shortens the
   * wait of the first.
   *
   * @throws EngineError; RuntimeError `Unavailable` when it cannot be killed.
   */
  async stop(id: string, graceMs: number): Promise<void> {
    const untilMs = this.#options.clock.monotonicMs() + graceMs
    const before = this.#running.get(id)
    if (before !== undefined) {
      before.untilMs = Math.min(before.untilMs, untilMs)
      before.wake()
      return await before.done
    }
    const stop: Stop = { untilMs, wake: () => undefined, done: Promise.resolve() }
    this.#running.set(id, stop)
    stop.done = this.#stop(id, stop).finally(() => this.#running.delete(id))
    await stop.done
  }

  async #stop(id: string, stop: Stop): Promise<void> {
    const { clock, details } = this.#options
    const found = await details(id)
    if (found === undefined || !found.State.Running) return
    const ended = new AbortController()
    const { signal } = ended
    if (stop.untilMs > clock.monotonicMs())
      await this.#send(id, String(found.Config.StopSignal ?? 'SIGTERM'), signal)
    let killedMs: number | undefined
    let failure: unknown
    try {
      while (true) {
        const nowMs = clock.monotonicMs()
        if (nowMs >= stop.untilMs && killedMs === undefined) {
          killedMs = nowMs
          // Podman answers long after the container has ended.
          void this.#send(id, 'SIGKILL', signal).catch((error) => {
            failure = error
            stop.wake()
          })
        }
        if (killedMs !== undefined && nowMs > killedMs + KILL_MS) throw stubborn(id)
        const leftMs = killedMs === undefined ? stop.untilMs - nowMs : LOOK_MS
        const woken = new AbortController()
        stop.wake = () => woken.abort()
        if (!(await details(id))?.State.Running) return
        if (failure !== undefined) throw failure
        await delay(clock, Math.max(0, Math.min(leftMs, LOOK_MS)), woken.signal)
      }
    } finally {
      ended.abort()
    }
  }

  async #send(id: string, signalName: string, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const query = { signal: signalName }
    const call = { path: `/containers/${id}/kill`, query, signal }
    try {
      await client.tell({ ...call, timeoutMs: KILL_MS })
    } catch (error) {
      if (!signal.aborted && !isMissing(error) && !isNotRunning(error)) throw error
    }
  }
}

function stubborn(id: string): RuntimeError {
  const message = `container "${id}" does not end although it was killed`
  return new RuntimeError('Unavailable', message)
}

interface Stop {
  /** When it is killed, as the monotonic clock counts. */
  untilMs: number
  /** Something has changed: look at it again. */
  wake: () => void
  done: Promise<void>
}
