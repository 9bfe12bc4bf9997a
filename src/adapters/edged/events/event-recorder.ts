import type { Clock, Random } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { type KubeObject, ObjectError, type ObjectStore } from '../../kubernetes/objects/types.ts'
import { EventBudgets } from './event-budget.ts'
import { isFrom, newEvent, type Occurrence, repeatedEvent, surplusEvents } from './event-record.ts'
import { SimilarEvents, type Told } from './similar-events.ts'

/** What an {@link EventRecorder} needs. */
export interface EventRecorderOptions {
  readonly store: ObjectStore
  readonly node: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

const QUEUE_MAX = 200
/** So many are written together. */
const TOGETHER_MAX = 32
const KNOWN_MAX = 500
/** Events of this node that are kept, and for how long. */
export const EVENT_LIMITS: { readonly countMax: number; readonly ageMsMax: number } = {
  countMax: 500,
  ageMsMax: 3_600_000,
}

/** Writes events in the order in which they are told, counting repetitions. Losing one never stops anything else. */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #queue: Occurrence[] = []
  /** The name of the event for each recent aggregation key, the most recently used last. */
  readonly #known = new Map<string, string>()
  readonly #budgets: EventBudgets
  readonly #similar = new SimilarEvents()
  #working: Promise<void> | undefined

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#budgets = new EventBudgets(options.clock)
  }

  /** Tells about something, soon, unless too much has been told of the same object. */
  record(occurrence: Occurrence): void {
    if (!this.#budgets.take(`${occurrence.kind} ${occurrence.uid}`)) return
    if (this.#queue.length >= QUEUE_MAX) {
      this.#options.logger.warn('too many events at once: one is left out', {
        reason: occurrence.reason,
      })
      return
    }
    this.#queue.push(occurrence)
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
  }

  /** Waits until everything told is written. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  /** Removes what is too old or too much. */
  async prune(): Promise<void> {
    const { store, node, clock } = this.#options
    const own = store.list('events').items.filter((event) => isFrom(event, node))
    for (const event of surplusEvents(own, EVENT_LIMITS, clock.wallMs())) {
      await store.remove(keyOf(event)).catch((error: unknown) => this.#fail(error))
    }
  }

  async #work(): Promise<void> {
    // In a microtask of its own, so that record() returns before anything else happens.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const writes = [...this.#nextBatch()].map((each) => this.#writeInTurn(each))
      await Promise.all(writes)
    }
  }

  /** What is written together, as the storage takes it at once: those of one event by themselves. */
  #nextBatch(): Iterable<readonly Told[]> {
    const batch = new Map<string, Told[]>()
    const nowMs = this.#options.clock.monotonicMs()
    for (const occurrence of this.#queue.splice(0, TOGETHER_MAX)) {
      const told = this.#similar.combine(occurrence, nowMs)
      const same = batch.get(told.key)
      if (same === undefined) batch.set(told.key, [told])
      else same.push(told)
    }
    return batch.values()
  }

  async #writeInTurn(each: readonly Told[]): Promise<void> {
    for (const told of each) await this.#write(told).catch((error: unknown) => this.#fail(error))
  }

  async #write({ occurrence, key }: Told): Promise<void> {
    const { store, node, clock } = this.#options
    const name = this.#known.get(key)
    this.#known.delete(key)
    const { namespace } = occurrence
    if (name !== undefined && store.get({ resource: 'events', namespace, name }) !== undefined) {
      this.#known.set(key, name)
      const { message } = occurrence
      const again = (event: KubeObject): KubeObject => ({
        ...repeatedEvent(event, clock.wallMs()),
        message,
      })
      const options = { part: 'desired', author: 'edged' } as const
      await store.update({ resource: 'events', namespace, name }, again, options)
      return
    }
    const event = newEvent(occurrence, this.#newId(), node, clock.wallMs())
    await store.create(event, { author: 'edged' })
    this.#known.set(key, event.metadata.name)
    const oldest = this.#known.keys().next()
    if (this.#known.size > KNOWN_MAX && oldest.done !== true) this.#known.delete(oldest.value)
  }

  #newId(): string {
    const bytes = new Uint8Array(8)
    this.#options.random.fill(bytes)
    return Buffer.from(bytes).toString('hex')
  }

  #fail(error: unknown): void {
    if (error instanceof ObjectError && error.reason === 'NotFound') return
    this.#options.logger.warn('cannot write an event', { error })
  }
}

function keyOf(event: KubeObject): { resource: string; namespace: string; name: string } {
  const { namespace, name } = event.metadata
  return { resource: 'events', namespace: namespace ?? 'default', name }
}
