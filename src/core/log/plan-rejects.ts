import type { DocumentId, EventHash } from '../ids.ts'
import type { Reject } from '../sync/io.ts'
import type { GenerationPlan } from './generation-plan.ts'
import { TOMBSTONE, withDescendants } from './lineage.ts'
import type { PlanWrites } from './plan-writes.ts'
import type { DocumentRecord } from './records.ts'
import type { RejectSubmission } from './submission.ts'

/** Documents of which events of ours stopped counting, and which. */
export type Rejected = Map<DocumentId, ReadonlySet<EventHash>>

/** Marks what a peer refused, and every event of the document that builds on it, as not counting. */
export function rejectEntries(
  writes: PlanWrites,
  generations: GenerationPlan,
  rejected: Rejected,
  submission: RejectSubmission,
): void {
  for (const reject of submission.rejects) {
    const { document, kind, hash, code, message } = reject
    const { peer, atMs } = submission
    const record = writes.record(document)
    if (record === undefined || record.left) continue
    if (hash === undefined) {
      if (kind === 'tombstone' && record.deleted)
        revive(writes, rejected, reject, submission, record)
      continue
    }
    const events = writes.eventsOf(document)
    const why = { code, message, peer, atMs }
    if (generations.withdraw(document, hash, why)) {
      note(rejected, document, [hash, ...events.map(({ header }) => header.hash)])
      continue
    }
    const refused = withDescendants(hash, events)
    if (refused.size === 0) continue
    for (const event of events) {
      const { header } = event
      if (!refused.has(header.hash)) continue
      writes.uncount(document, record.collection, header.hash)
      writes.forget(document, event)
      writes.setAside(document, event, why)
    }
    const isFirst = !rejected.has(document)
    note(rejected, document, refused)
    writes.keep(
      document,
      events.filter(({ header }) => !refused.has(header.hash)),
    )
    writes.set(document, { ...record, fork: record.fork + (isFirst ? 1 : 0) })
  }
}

/** A peer refused that a document ends: it goes on. */
function revive(
  writes: PlanWrites,
  rejected: Rejected,
  { document, code, message }: Reject,
  { peer, atMs }: RejectSubmission,
  record: DocumentRecord,
): void {
  writes.uncount(document, record.collection, TOMBSTONE)
  writes.setEndAside(document, { code, message, peer, atMs })
  note(rejected, document, [TOMBSTONE])
  writes.set(document, { ...record, deleted: false, fork: record.fork + 1 })
}

function note(rejected: Rejected, document: DocumentId, hashes: Iterable<EventHash>): void {
  rejected.set(document, new Set([...(rejected.get(document) ?? []), ...hashes]))
}
