import type { Position, ReplicaId } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import type { ReadAnswer, SessionOutput, WireEntry } from '../sync/io.ts'

type Read = Extract<SessionOutput, { type: 'read' }>

/**
 * The next page of our log for a peer. Entries that it gave us are left out, and pages of nothing else
 * are passed over, so that a long download does not cost messages at the next reconnect.
 */
export async function readFor(
  log: EventLog,
  read: Read,
  peer: ReplicaId | undefined,
): Promise<ReadAnswer> {
  const { upTo, collections, bytesMax } = read
  let after: Position = read.after
  while (true) {
    const page = await log.read({ after, upTo, collections, bytesMax })
    const entries = page.entries
      .filter((entry) => entry.from === undefined || entry.from !== peer)
      .map(toWire)
    if (entries.length > 0 || page.end) return { entries, upTo: page.upTo, end: page.end }
    after = page.upTo
  }
}

/** An entry of our log as it travels. */
function toWire(entry: StoredEntry): WireEntry {
  const { kind, document, collection, generation, bytes } = entry
  return { kind, document, collection, generation, bytes }
}
