import type { Documents } from '../document/documents.ts'
import { isTidewayError, StorageUnavailableError } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash, Position } from '../ids.ts'
import type { Cancel, Clock } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import { damageKey } from '../log/keys.ts'
import { type DamageRecord, encodeRecord } from '../log/records.ts'
import { damagedPosition } from '../log/repair.ts'
import type { Committed, Submission } from '../log/submission.ts'
import type { AcknowledgementTable } from './acknowledgements.ts'
import type { MeasureSink } from './unmeasured.ts'

/** Damaged entries that one read may meet before it is given up. */
const TRIES_MAX = 100

/** How long a repair that the storage refused waits for its next try: the storage may be full. */
const RETRY_MS = 5_000

/** A document of which entries were damaged, and what of it is not back yet. */
export interface DamagedDocument {
  readonly document: DocumentId
  /** Where the damaged entries stood. */
  readonly positions: readonly Position[]
  /** Events that were lost and have not come back from a peer. */
  readonly lost: readonly EventHash[]
  /** When it was found, in milliseconds since the Unix epoch. */
  readonly atMs: number
}

/** What {@link Repairs} act on. */
export interface RepairsOptions {
  readonly log: EventLog
  readonly documents: Documents
  readonly clock: Clock
  readonly logger: Logger
  readonly measures: MeasureSink
  /** Asks connected peers for what they have and we lack. */
  readonly reconcile: (collections: readonly CollectionId[]) => void
  readonly acknowledgements: Pick<AcknowledgementTable, 'lost'>
}

/**
 * Heals bit rot: what cannot be read is taken out of the log, and connected peers are asked for it. Until
 * everything is back the document is reported as damaged, also after a restart.
 */
export class Repairs {
  readonly #options: RepairsOptions
  readonly #damaged = new Map<DocumentId, DamageRecord>()
  /** Each resolves to what stands in the way of the repair, or undefined when it is done. */
  readonly #running = new Map<Position, Promise<unknown>>()
  #retry: Cancel | undefined
  #closed = false

  constructor(options: RepairsOptions, known: Iterable<readonly [DocumentId, DamageRecord]>) {
    this.#options = options
    for (const [document, damage] of known) this.#damaged.set(document, damage)
    options.log.onAppended((entries) => this.#appended(entries))
  }

  /**
   * Runs what reads the log, and again when what stood in its way was damage and is repaired.
   *
   * @throws StorageUnavailableError while the storage refuses the repair, which is tried again by itself.
   */
  async retried<T>(run: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await run()
      } catch (error) {
        const position = damagedPosition(error)
        if (tries >= TRIES_MAX || position === undefined || this.#options.log.isShared) throw error
        const obstacle = await this.#repair(position)
        if (isRefusal(obstacle)) throw unrepaired(position, obstacle)
        if (obstacle !== undefined) throw error
      }
    }
  }

  /** Submits to the log what may need the events of a document, and again past damage. */
  commit(submission: Submission): Promise<Committed> {
    return this.retried(() => this.#options.log.commit(submission))
  }

  get damaged(): readonly DamagedDocument[] {
    return [...this.#damaged].map(([document, { positions, lost, atMs }]) => {
      return { document, positions, lost, atMs }
    })
  }

  /**
   * Repairs what an error speaks of. Not to be waited for inside a barrier of the log.
   *
   * @returns whether what failed may be tried again.
   */
  async heal(error: unknown): Promise<boolean> {
    const position = damagedPosition(error)
    if (position === undefined || this.#options.log.isShared) return false
    return (await this.#repair(position)) === undefined
  }

  /** Nothing is tried again from here on. */
  close(): void {
    this.#closed = true
    this.#retry?.()
  }

  #repair(position: Position): Promise<unknown> {
    const running = this.#running.get(position)
    if (running !== undefined) return running
    const healing = this.#heal(position).finally(() => this.#running.delete(position))
    this.#running.set(position, healing)
    return healing
  }

  /** Never rejects. */
  async #heal(position: Position): Promise<unknown> {
    const { log, logger, clock, documents, acknowledgements, reconcile } = this.#options
    try {
      const document = await log.repairs.documentAt(position)
      if (document === undefined) {
        logger.error('an entry of no known document is damaged and was dropped', { position })
        await log.repairs.drop(position)
        return undefined
      }
      const damage = await log.repairs.repair(document, clock.wallMs())
      if (damage === undefined) return undefined
      const { positions, lost } = damage
      const before = this.#damaged.get(document)?.positions ?? []
      const found = positions.filter((each) => !before.includes(each))
      this.#options.measures.repaired(found.length)
      logger.error('entries of a document are damaged: peers are asked for what was lost', {
        document,
        positions,
        lost: lost.length,
      })
      this.#damaged.set(document, damage)
      acknowledgements.lost(document, found)
      await documents.reloadOnce(document).catch(() => undefined)
      const record = await log.record(document)
      if (record !== undefined && !record.left) reconcile([record.collection])
      return undefined
    } catch (error) {
      if (this.#closed) return error
      const say = isRefusal(error) ? logger.warn : logger.error
      say.call(logger, 'a damaged entry could not be taken out of the log', { position, error })
      if (isRefusal(error)) this.#again(position)
      return error
    }
  }

  /** One at a time: who reads past another meets it, and tries by itself. */
  #again(position: Position): void {
    this.#retry?.()
    this.#retry = this.#options.clock.schedule(RETRY_MS, () => {
      this.#retry = undefined
      void this.#repair(position)
    })
  }

  /** What was lost may be among what came. */
  #appended(entries: readonly StoredEntry[]): void {
    if (this.#damaged.size === 0) return
    const touched = new Set<DocumentId>()
    const begun = new Set<DocumentId>()
    for (const entry of entries) {
      const { document, kind, hash } = entry
      const damage = this.#damaged.get(document)
      if (damage === undefined || hash === undefined) continue
      touched.add(document)
      if (kind === 'base') begun.add(document)
      const lost = damage.lost.filter((name) => name !== hash)
      const { repairs } = this.#options.log
      const now = kind === 'base' ? repairs.begun(damage, entry) : { ...damage, lost }
      this.#damaged.set(document, now)
    }
    for (const document of touched) {
      const damage = this.#damaged.get(document)
      if (damage === undefined || damage.beginning === true) continue
      if (damage.lost.length === 0) this.#healed(document)
      else if (begun.has(document)) this.#write(document, damage)
    }
  }

  #healed(document: DocumentId): void {
    const { logger } = this.#options
    this.#damaged.delete(document)
    logger.info('a damaged document is whole again', { document })
    this.#write(document, undefined)
  }

  #write(document: DocumentId, damage: DamageRecord | undefined): void {
    const { log, logger } = this.#options
    const puts = [
      { key: damageKey(document), value: damage === undefined ? damage : encodeRecord(damage) },
    ]
    log.commit({ type: 'note', puts }).catch((error: unknown) => {
      logger.warn('what came back of a damaged document could not be written down', { error })
    })
  }
}

/** Whether the storage takes no writes, for now. */
function isRefusal(error: unknown): boolean {
  return isTidewayError(error) && error.code === 'STORAGE_UNAVAILABLE'
}

function unrepaired(position: Position, cause: unknown): StorageUnavailableError {
  const message = 'a damaged entry could not be taken out of the log yet'
  return new StorageUnavailableError(message, { fields: { position }, cause })
}
