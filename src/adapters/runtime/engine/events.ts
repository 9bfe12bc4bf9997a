import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { delay } from '../delay.ts'
import { podUidOf, selectorOf } from '../identity.ts'
import type { EngineClient } from './client.ts'
import { labelFilter } from './labels.ts'
import type { EventMessage } from './messages.ts'

/** What {@link EngineEvents} works with. */
export interface EventsOptions {
  readonly client: EngineClient
  readonly owner: string
  readonly clock: Clock
  readonly logger: Logger
  /** Something has happened in a pod; undefined when nobody knows in which. */
  readonly onPod: (podUid: string | undefined) => void
  /** Something has happened to a container, or in it. */
  readonly onContainer: (id: string) => void
}

const RETRY_MS = 1_000
/** For what events may have left out. */
const LOOK_RARELY_MS = 30_000
/** Sessions change no pod. Docker and podman call them differently. */
const OF_SESSIONS = /^(?:exec|attach|detach|resize|top|logs)/

/** Follows what an engine tells of the containers of one owner. The truth is what it lists. */
export class EngineEvents {
  readonly #options: EventsOptions
  readonly #ended = new AbortController()
  #cancel: Cancel | undefined

  constructor(options: EventsOptions) {
    this.#options = options
  }

  /** Begins. Failures are tried again until {@link close}. */
  start(): void {
    void this.#follow()
    this.#look()
  }

  close(): void {
    this.#ended.abort()
    this.#cancel?.()
  }

  #look(): void {
    const { clock, onPod } = this.#options
    this.#cancel = clock.schedule(LOOK_RARELY_MS, () => {
      onPod(undefined)
      this.#look()
    })
  }

  async #follow(): Promise<void> {
    const { client, clock, logger, owner, onPod } = this.#options
    const { signal } = this.#ended
    const filters = labelFilter(selectorOf(owner), { type: ['container'] })
    while (!signal.aborted) {
      try {
        const call = { path: '/events', query: { filters }, signal }
        await client.lines(call, (line) => this.#notice(line as EventMessage))
      } catch (error) {
        if (signal.aborted) return
        logger.debug('the events of the engine ended', { error })
      }
      if (signal.aborted) return
      // What happened in between was told to nobody.
      onPod(undefined)
      await delay(clock, RETRY_MS, signal)
      if (!signal.aborted) onPod(undefined)
    }
  }

  #notice({ Action = '', Actor }: EventMessage): void {
    const { onPod, onContainer } = this.#options
    if (Actor?.ID !== undefined) onContainer(Actor.ID)
    if (OF_SESSIONS.test(Action)) return
    const podUid = podUidOf(Actor?.Attributes ?? {})
    onPod(podUid === '' ? undefined : podUid)
  }
}
