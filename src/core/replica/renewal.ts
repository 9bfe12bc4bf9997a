import type { Documents } from '../document/documents.ts'
import type { Position } from '../ids.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { EventLog } from '../log/event-log.ts'
import type { MeasureSink } from './unmeasured.ts'

/** What {@link Renewal} acts on. */
export interface RenewalOptions {
  readonly log: EventLog
  readonly documents: Documents
  readonly logger: Logger
  readonly measures: MeasureSink
  /** Ends every link: all of them speak of the log under its old epoch. */
  readonly endLinks: () => void
}

/**
 * Gives the log another epoch when a peer has read it past its end: its storage lost something that had
 * been made known, as when a backup is put back.
 *
 * Once in each opening: what is made known while the storage is open does not get lost, so a second such
 * word is not believed.
 */
export class Renewal {
  readonly #options: RenewalOptions
  #running = false

  constructor(options: RenewalOptions) {
    this.#options = options
  }

  /** @returns whether the log goes on under another epoch. */
  lost(position: Position): boolean {
    const { log, logger } = this.#options
    if (this.#running) return true
    const { head, epoch } = log
    if (!log.mayRenew) {
      logger.warn('a peer says that it has read the log past its end', { position, head, epoch })
      return false
    }
    this.#running = true
    this.#options.measures.renewed()
    logger.error('the end of the log was lost: what peers have of it comes back', {
      position,
      head,
      epoch,
    })
    void this.#renew()
    return true
  }

  async #renew(): Promise<void> {
    const { log, documents, logger, endLinks } = this.#options
    try {
      await log.renew()
      endLinks()
      await documents.reloadAll()
    } catch (error) {
      logger.error('the log could not be given another epoch', { error })
    } finally {
      this.#running = false
    }
  }
}
