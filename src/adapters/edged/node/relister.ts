import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { PodRuntime } from '../../runtime/index.ts'
import { RuntimeHealth } from './runtime-health.ts'

/** What a {@link Relister} needs. */
export interface RelisterOptions {
  readonly runtime: Pick<PodRuntime, 'list'>
  readonly clock: Clock
  readonly logger: Logger
  /** How often the runtime is listed. */
  readonly periodMs: number
  /** A runtime that has not answered for this long is down. */
  readonly downAfterMs: number
  /** A pod is not as it was when the runtime was listed last. */
  readonly hint: (uid: string) => void
  /** The runtime went down, or answers again. */
  readonly onHealth: (health: { readonly isBack: boolean }) => void
}

/** How soon a runtime that did not answer is asked again. */
const RELIST_AFTER_FAILURE_MS = 2_000

/**
 * Lists the runtime again and again, one list at a time: for what its hints left out, and to know
 * whether it answers at all.
 */
export class Relister {
  readonly #options: RelisterOptions
  readonly #health: RuntimeHealth
  readonly #seen = new Map<string, string>()
  #listing: Promise<void> | undefined
  #cancel: Cancel | undefined
  #isClosed = false

  constructor(options: RelisterOptions) {
    this.#options = options
    const { clock, downAfterMs } = options
    this.#health = new RuntimeHealth({
      clock,
      downAfterMs,
      onChange: (health) => this.#onChange(health.isBack),
    })
  }

  /** What is wrong with the runtime, in kubelet's words; nothing when it answers. */
  get problems(): readonly string[] {
    return this.#health.problems
  }

  /** Whether it is not worth asking. Everybody is told when that changes. */
  get isDown(): boolean {
    return this.#health.isDown
  }

  /** Lists the runtime once, and then again and again. A list that fails is only logged. */
  async start(): Promise<void> {
    this.#listing = this.#relist()
    await this.#listing
  }

  /** The runtime did not answer somebody: it is listed now, unless it is being listed. */
  doubt(): void {
    if (this.#isClosed || this.#cancel === undefined) return
    this.#cancel()
    this.#begin()
  }

  /** Lists no more. Resolves when no list is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    this.#health.close()
    await this.#listing
  }

  async #relist(): Promise<void> {
    const { clock, logger, periodMs } = this.#options
    let nextMs = periodMs
    try {
      await this.#list()
    } catch (error) {
      if (!this.#isClosed) logger.warn('cannot list the runtime', { error })
      nextMs = Math.min(periodMs, RELIST_AFTER_FAILURE_MS)
    }
    if (this.#isClosed) return
    this.#cancel = clock.schedule(nextMs, () => this.#begin())
  }

  #begin(): void {
    this.#cancel = undefined
    this.#listing = this.#relist()
  }

  /** Asks for another look at every pod whose containers are not as they were last time. */
  async #list(): Promise<void> {
    this.#health.asked()
    const state = await this.#options.runtime.list()
    if (this.#isClosed) return
    this.#health.answered()
    const seen = new Map<string, string>()
    for (const { sandboxId, podUid, id, state: at } of state.containers) {
      seen.set(podUid, `${seen.get(podUid) ?? ''}${sandboxId} ${id} ${at}\n`)
    }
    for (const sandbox of state.sandboxes) {
      seen.set(sandbox.uid, `${seen.get(sandbox.uid) ?? ''}${sandbox.id} ${sandbox.ready}\n`)
    }
    for (const uid of new Set([...seen.keys(), ...this.#seen.keys()])) {
      if (seen.get(uid) !== this.#seen.get(uid)) this.#options.hint(uid)
    }
    this.#seen.clear()
    for (const [uid, text] of seen) this.#seen.set(uid, text)
  }

  #onChange(isBack: boolean): void {
    const { logger, onHealth } = this.#options
    if (isBack) logger.info('the runtime answers again', {})
    else logger.error('the runtime does not answer', {})
    onHealth({ isBack })
  }
}
