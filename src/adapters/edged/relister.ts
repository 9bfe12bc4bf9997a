import type { Cancel, Clock } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { PodRuntime } from '../runtime/index.ts'

/** What a {@link Relister} needs. */
export interface RelisterOptions {
  readonly runtime: Pick<PodRuntime, 'list'>
  readonly clock: Clock
  readonly logger: Logger
  /** How often the runtime is listed. */
  readonly periodMs: number
  /** The containers of this pod are not as they were. */
  readonly hint: (podUid: string) => void
}

/** Lists the runtime again and again: hints may be lost. */
export class Relister {
  readonly #options: RelisterOptions
  /** What each pod looked like last time. */
  #seen: ReadonlyMap<string, string> = new Map()
  #listing: Promise<void> | undefined
  #timer: Cancel | undefined
  #isClosed = false

  constructor(options: RelisterOptions) {
    this.#options = options
  }

  /** The first list. @throws what the runtime throws. */
  async start(): Promise<void> {
    await this.#list()
    this.#schedule()
  }

  /** Lists no more; what is under way ends first. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.()
    await this.#listing
  }

  async #list(): Promise<void> {
    const { runtime, hint } = this.#options
    const state = await runtime.list()
    const seen = new Map<string, string>()
    for (const { sandboxId, podUid, id, state: at } of state.containers) {
      seen.set(podUid, `${seen.get(podUid) ?? ''}${sandboxId} ${id} ${at}\n`)
    }
    for (const sandbox of state.sandboxes) {
      seen.set(sandbox.uid, `${seen.get(sandbox.uid) ?? ''}${sandbox.id} ${sandbox.ready}\n`)
    }
    for (const uid of new Set([...seen.keys(), ...this.#seen.keys()])) {
      if (seen.get(uid) !== this.#seen.get(uid)) hint(uid)
    }
    this.#seen = seen
  }

  #schedule(): void {
    if (this.#isClosed) return
    const { clock, periodMs, logger } = this.#options
    this.#timer = clock.schedule(periodMs, () => {
      this.#listing = this.#list()
        .catch((error: unknown) => logger.warn('cannot list the runtime', { error }))
        .finally(() => {
          this.#listing = undefined
          this.#schedule()
        })
    })
  }
}
