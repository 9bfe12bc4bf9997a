import type { Documents } from '../document/documents.ts'
import type { CollectionId, DocumentId, EventHash, Position } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import { damageKey } from '../log/keys.ts'
import type { DamageRecord } from '../log/records.ts'
import { damagedPosition } from '../log/repair.ts'
import type { MeasureSink } from './unmeasured.ts'

/** Damaged entries that one read may meet before it is given up. */
const TRIES_MAX = 100

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
}

/**
 * Heals bit rot: what cannot be read is taken out of the log, and connected peers are asked for it. Until
 * everything is back the document is reported as damaged, also after a restart.
 */
export class Repairs {
  readonly #options: RepairsOptions
  readonly #damaged = new Map<DocumentId, DamageRecord>()
  readonly #running = new Map<Position, Promise<boolean>>()

  constructor(options: RepairsOptions, known: Iterable<readonly [DocumentId, DamageRecord]>) {
    this.#options = options
    for (const [document, damage] of known) this.#damaged.set(document, damage)
    options.log.onAppended((entries) => this.#appended(entries))
  }

  /** Runs what reads the log, and again when what stood in its way was damage and is repaired. */
  async retried<T>(run: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await run()
      } catch (error) {
        if (tries >= TRIES_MAX || !(await this.heal(error))) throw error
      }
    }
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
  heal(error: unknown): Promise<boolean> {
    const position = damagedPosition(error)
    if (position === undefined || this.#options.log.isShared) return Promise.resolve(false)
    const running = this.#running.get(position)
    if (running !== undefined) return running
    const healing = this.#heal(position).finally(() => this.#running.delete(position))
    this.#running.set(position, healing)
    return healing
  }

  async #heal(position: Position): Promise<boolean> {
    const { log, logger, clock, documents, reconcile } = this.#options
    try {
      const document = await log.repairs.documentAt(position)
      if (document === undefined) {
        logger.error('an entry of no known document is damaged and was dropped', { position })
        await log.repairs.drop(position)
        return true
      }
      const damage = await log.repairs.repair(document, clock.wallMs())
      if (damage === undefined) return true
      const { positions, lost } = damage
      const before = this.#damaged.get(document)?.positions.length ?? 0
      this.#options.measures.repaired(Math.max(0, positions.length - before))
      logger.error('entries of a document are damaged: peers are asked for what was lost', {
        document,
        positions,
        lost: lost.length,
      })
      this.#damaged.set(document, damage)
      await documents.reload(document).catch(() => undefined)
      const record = await log.record(document)
      if (record !== undefined && !record.left) reconcile([record.collection])
      return true
    } catch (error) {
      logger.error('a damaged entry could not be taken out of the log', { position, error })
      return false
    }
  }

  /** What was lost may be among what came. */
  #appended(entries: readonly StoredEntry[]): void {
    if (this.#damaged.size === 0) return
    const touched = new Set<DocumentId>()
    for (const { document, kind, hash } of entries) {
      const damage = this.#damaged.get(document)
      if (damage === undefined || hash === undefined) continue
      touched.add(document)
      // A new beginning stands for everything before it.
      const lost = kind === 'base' ? [] : damage.lost.filter((name) => name !== hash)
      this.#damaged.set(document, { ...damage, lost })
    }
    for (const document of touched) {
      if (this.#damaged.get(document)?.lost.length === 0) this.#healed(document)
    }
  }

  #healed(document: DocumentId): void {
    const { log, logger } = this.#options
    this.#damaged.delete(document)
    logger.info('a damaged document is whole again', { document })
    const puts = [{ key: damageKey(document), value: undefined }]
    log.commit({ type: 'note', puts }).catch((error: unknown) => {
      logger.warn('a document that is whole again is still reported as damaged', { error })
    })
  }
}
