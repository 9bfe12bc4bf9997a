import type { DocumentId } from '../ids.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Transport } from '../interfaces/transport.ts'
import type { EventLog } from '../log/event-log.ts'
import type { AcknowledgementTable } from './acknowledgements.ts'

/** What {@link followElsewhere} tells. */
export interface ElsewhereOptions {
  readonly acknowledgements: AcknowledgementTable
  readonly logger: Logger
  /** Reads documents again of which a peer refused events. */
  readonly taken: (documents: readonly DocumentId[]) => Promise<void>
}

/**
 * Takes over what other openers of a shared storage learned from peers: what was refused, and what the
 * peers have acknowledged, so that `durable(peer)` settles in an opener that has no connection.
 */
export function followElsewhere(log: EventLog, options: ElsewhereOptions): void {
  log.onElsewhere(({ refused, peers }) => {
    for (const { replica, acked, complete } of peers)
      options.acknowledgements.note(replica, acked, acked, complete)
    if (refused.length === 0) return
    options.taken(refused).catch((error: unknown) => {
      options.logger.error('a refusal could not be taken over', { documents: refused, error })
    })
  })
}

/**
 * A transport whose connections are handed out once the log is level with the other openers of its
 * storage: a peer that hears of an older head than it has read takes the log for one that lost its end.
 */
export function dialLevel(transport: Transport, log: EventLog): Transport {
  if (!log.isShared) return transport
  return {
    name: transport.name,
    supports: transport.supports,
    async dial(address, options) {
      const connection = await transport.dial(address, options)
      await log.barrier(() => Promise.resolve())
      return connection
    },
  }
}
