import type { Position, ReplicaId } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import { homeOf } from '../log/homes.ts'
import type { ReadAnswer, SessionOutput, WireEntry } from '../sync/io.ts'

type Read = Extract<SessionOutput, { type: 'read' }>

const NOTHING = new Uint8Array(0)

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
    const entries: WireEntry[] = []
    for (const entry of page.entries) {
      const wire =
        entry.from === undefined || entry.from !== peer ? await toWire(log, entry) : undefined
      if (wire !== undefined) entries.push(wire)
    }
    if (entries.length > 0 || page.end) return { entries, upTo: page.upTo, end: page.end }
    after = page.upTo
  }
}

/**
 * An entry of our log as it travels. A move tells where the document is now: one that another has followed
 * is passed over.
 */
async function toWire(log: EventLog, entry: StoredEntry): Promise<WireEntry | undefined> {
  const { kind, document, collection, generation, bytes } = entry
  const wire = { kind, document, collection, generation, bytes }
  if (kind !== 'join' && kind !== 'leave' && kind !== 'base') return wire
  const record = await log.record(document)
  const isHome = homeOf(record) === collection
  if (isHome === (kind === 'leave')) return undefined
  const told = kind === 'leave' ? { ...wire, bytes: NOTHING } : wire
  return { ...told, moves: record?.moves ?? 0 }
}
