import type { DocumentId, ReplicaId } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import { type EventHeader, readEvent } from '../log/event.ts'
import type { EventLog } from '../log/event-log.ts'
import type { IncomingEntry } from '../log/submission.ts'
import type { Reject } from '../sync/io.ts'
import type { PeerLink } from './peer-link.ts'
import type { Repairs } from './repairs.ts'

/** What {@link Quarantine} needs of its replica. */
export interface QuarantineOptions {
  readonly log: EventLog
  readonly clock: Clock
  readonly sha256: Sha256
  readonly logger: Logger
  readonly repairs: Pick<Repairs, 'retried'>
}

/**
 * Finds the writers that are not to be believed any more: those that themselves gave us two events for
 * one place of their history.
 *
 * Events carry no signature, so that there are two proves nothing about their writer: anybody could have
 * made one of them. It is the writer's doing only when both came from its own replica, over connections
 * that were authenticated as that replica's. In every other case the second event is refused, and that is
 * all.
 */
export class Quarantine {
  readonly #options: QuarantineOptions
  /** One look at a time and peer: each costs to read a document, and the first says enough. */
  readonly #looking = new WeakSet<PeerLink>()

  constructor(options: QuarantineOptions) {
    this.#options = options
  }

  /** What a peer delivered was stored, apart from `rejects`. */
  examine(link: PeerLink, entries: readonly IncomingEntry[], rejects: readonly Reject[]): void {
    const reject = rejects.find(({ code, hash }) => {
      return code === 'ACCESS_EQUIVOCATION' && hash !== undefined
    })
    const owner = link.peer
    if (reject === undefined || owner === undefined || this.#looking.has(link)) return
    const { authors } = this.#options.log
    const headers = entries.flatMap(({ events }) => events.map(({ header }) => header))
    const header = headers.find(({ hash }) => hash === reject.hash)
    if (header === undefined || authors.of(header.actor) !== owner) return
    if (!authors.speaksFor(link.principal, owner) || authors.isQuarantined(header.actor)) return
    this.#looking.add(link)
    void this.#judge(owner, reject.document, header).finally(() => this.#looking.delete(link))
  }

  /** Never rejects. */
  async #judge(owner: ReplicaId, document: DocumentId, refused: EventHeader): Promise<void> {
    const { log, clock, logger, repairs } = this.#options
    const { actor, sequence } = refused
    try {
      const entries = await repairs.retried(() => log.readDocument(document))
      const kept = this.#find(entries, refused)
      if (kept?.hash === undefined || kept.from !== owner || kept.hash === refused.hash) return
      const record = {
        replica: owner,
        document,
        sequence,
        kept: kept.hash,
        refused: refused.hash,
        atMs: clock.wallMs(),
      }
      const puts = log.authors.quarantine(actor, record)
      logger.error('a replica wrote two events for one place: its actor is refused', {
        actor,
        ...record,
      })
      await log.commit({ type: 'note', puts })
    } catch (error) {
      logger.error('a quarantine could not be written down', { actor, error })
    }
  }

  #find(
    entries: readonly StoredEntry[],
    { actor, sequence }: EventHeader,
  ): StoredEntry | undefined {
    return entries.find((entry) => {
      if (entry.kind !== 'event') return false
      const header = readEvent(entry.bytes, this.#options.sha256)
      return header.actor === actor && header.sequence === sequence
    })
  }
}
