import type { Position } from '../ids.ts'
import type { EventLog } from '../log/event-log.ts'
import type { IncomingEntry } from '../log/submission.ts'
import type { KeptEvents } from './kept-events.ts'

/**
 * Forgets what a peer refused because their document was not there, and has by now: it agrees with us about
 * everything that stands in our log up to a position. Of a document that left here too nothing is remembered:
 * what the peer lacked of it was set aside then.
 */
export async function forgetDelivered(
  absent: KeptEvents,
  log: EventLog,
  upTo: Position,
): Promise<void> {
  for (const document of absent.documents) {
    const record = await log.record(document)
    if (record === undefined || record.left) {
      absent.remove(document, absent.of(document) ?? [])
      continue
    }
    for (const { hash, position } of await log.readDocument(document))
      if (hash !== undefined && position <= upTo) absent.remove(document, [hash])
  }
}

/** Forgets what a peer refused of documents that left with `entries`: it is set aside by now. Never rejects. */
export async function forgetLeft(
  absent: KeptEvents,
  log: EventLog,
  entries: readonly IncomingEntry[],
): Promise<void> {
  if (absent.isEmpty || entries.every(({ wire }) => wire.kind !== 'leave')) return
  try {
    await forgetDelivered(absent, log, 0)
  } catch {
    // Found out with the next comparison, or over the next connection.
  }
}
