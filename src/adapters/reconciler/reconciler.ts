import type { Cancel, Clock, Random } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import { BACKOFF_DEFAULTS, type BackoffLimits, retryDelayMs } from './backoff.ts'

/** A failure that no retry can change: the key rests until somebody hints at it again. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}

/** What one pass over a key asks for: nothing, or another pass after a while. */
export type ReconcileResult = { readonly retryAfterMs: number } | undefined

/** What {@link createReconciler} needs. */
export interface ReconcilerOptions {
  /**
   * Brings one key to where it should be. Called for one key by one worker at a time; a hint that
   * arrives meanwhile leads to one more call. Must be safe to repeat.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly backoff?: BackoffLimits | undefined
  /** How many keys are worked on at once. Default 8. */
  readonly parallelMax?: number | undefined
}

/** A keyed, deduplicating queue with one worker a key. */
export interface Reconciler {
  /** Asks for a pass over `key`, soon. Cancels a delay that it waits for. Ignored after close. */
  hint(key: string): void
  /** Resolves when no key is queued or worked on. Keys that wait for a retry do not count. */
  idle(): Promise<void>
  /** Starts nothing more, aborts the signal of what runs and waits for it. Idempotent. */
  close(): Promise<void>
}

interface Entry {
  queued: boolean
  running: boolean
  /** A hint came while it ran. */
  again: boolean
  failures: number
  timer: Cancel | undefined
}

const PARALLEL_DEFAULT = 8

/** Makes a {@link Reconciler}. Keys take no memory once they have succeeded and nothing is due. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  return new WorkQueue(options)
}

class WorkQueue implements Reconciler {
  readonly #options: ReconcilerOptions
  readonly #entries = new Map<string, Entry>()
  readonly #queue: string[] = []
  readonly #abort = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #waiters: (() => void)[] = []

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  hint(key: string): void {
    if (this.#abort.signal.aborted) return
    const entry = this.#entry(key)
    entry.timer?.()
    entry.timer = undefined
    if (entry.running) entry.again = true
    else this.#enqueue(key, entry)
  }

  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  async close(): Promise<void> {
    this.#abort.abort()
    this.#queue.length = 0
    for (const entry of this.#entries.values()) {
      entry.timer?.()
      entry.timer = undefined
      entry.queued = false
    }
    await Promise.all(this.#running)
    this.#entries.clear()
    this.#wakeWaiters()
  }

  #entry(key: string): Entry {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { queued: false, running: false, again: false, failures: 0, timer: undefined }
      this.#entries.set(key, entry)
    }
    return entry
  }

  #enqueue(key: string, entry: Entry): void {
    if (entry.queued) return
    entry.queued = true
    this.#queue.push(key)
    // Not in this turn: hints that come together are one pass, and hint() runs no foreign code.
    queueMicrotask(() => this.#pump())
  }

  #pump(): void {
    const parallelMax = this.#options.parallelMax ?? PARALLEL_DEFAULT
    while (this.#running.size < parallelMax) {
      const key = this.#queue.shift()
      if (key === undefined) return
      const entry = this.#entry(key)
      entry.queued = false
      entry.running = true
      entry.again = false
      const run: Promise<void> = this.#run(key, entry).then(() => {
        this.#running.delete(run)
        this.#pump()
        if (this.#isIdle()) this.#wakeWaiters()
      })
      this.#running.add(run)
    }
  }

  /** One pass. Never rejects: a failure becomes a delay or, when terminal, rest. */
  async #run(key: string, entry: Entry): Promise<void> {
    let delayMs: number | undefined
    try {
      const result = await this.#options.reconcile(key, this.#abort.signal)
      entry.failures = 0
      delayMs = result?.retryAfterMs
    } catch (error) {
      delayMs = this.#afterFailure(key, entry, error)
    }
    entry.running = false
    if (this.#abort.signal.aborted) return
    if (entry.again) this.#enqueue(key, entry)
    else if (delayMs !== undefined) this.#later(key, entry, delayMs)
    else this.#entries.delete(key)
  }

  #afterFailure(key: string, entry: Entry, error: unknown): number | undefined {
    if (this.#abort.signal.aborted) return undefined
    const { logger, random } = this.#options
    if (error instanceof TerminalError) {
      entry.failures = 0
      logger.error('reconcile failed for good', { key, error })
      return undefined
    }
    entry.failures += 1
    const delayMs = retryDelayMs(entry.failures, this.#options.backoff ?? BACKOFF_DEFAULTS, random)
    logger.warn('reconcile failed', { key, error, failures: entry.failures, retryMs: delayMs })
    return delayMs
  }

  #later(key: string, entry: Entry, delayMs: number): void {
    entry.timer = this.#options.clock.schedule(Math.max(delayMs, 0), () => {
      entry.timer = undefined
      this.#enqueue(key, entry)
    })
  }

  #isIdle(): boolean {
    return this.#running.size === 0 && this.#queue.length === 0
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
