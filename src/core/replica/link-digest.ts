import { equalBytes } from '../bytes.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { type Digest, digestTerm } from '../log/digest.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import type { DigestAnswer } from '../sync/io.ts'
import type { KeptEvents } from './kept-events.ts'

const PAGE_BYTES_MAX = 1 << 18

/** The log as one link sees it. */
export interface LinkView {
  readonly log: EventLog
  readonly sha256: Sha256
  readonly granted: readonly CollectionId[]
  readonly peer: ReplicaId | undefined
  /** What the peer does not have because it refused it. */
  readonly kept: KeptEvents
}

/** The digest of what a link shares, at one durable moment. */
export function digestAnswer({
  log,
  granted,
  peer,
  kept,
  sha256,
}: LinkView): Promise<DigestAnswer> {
  return log.barrier(async () => {
    const digest = await log.digest(granted)
    await kept.each(log, granted, (entry) => subtract(digest, entry, sha256))
    const cursor = peer === undefined ? 0 : (log.peer(peer)?.cursor ?? 0)
    return { digest: digest.bytes(), head: log.head, cursor }
  })
}

/**
 * Whether the peer's digest, made when it had our log up to `ours`, matches ours. What we wrote or got
 * elsewhere after `ours` was not there yet for it, and is taken off.
 */
export async function digestMatches(
  { log, granted, peer, kept, sha256 }: LinkView,
  claim: { readonly digest: Uint8Array; readonly ours: Position },
): Promise<boolean> {
  const { digest, head } = await log.barrier(async () => {
    const sum = await log.digest(granted)
    await kept.each(log, granted, (entry) => {
      if (entry.position <= claim.ours) subtract(sum, entry, sha256)
    })
    return { digest: sum, head: log.head }
  })
  // Not in the barrier: `ours` is the peer's word, and nobody else is to wait while much is read.
  for (let after = claim.ours; after < head; ) {
    const query = { after, upTo: head, collections: granted, bytesMax: PAGE_BYTES_MAX }
    const page = await log.read(query)
    for (const entry of page.entries) {
      if (entry.from !== undefined && entry.from === peer) continue
      // What stopped counting and is still there has been taken off already.
      const record = await log.record(entry.document)
      if (record?.generation === entry.generation) subtract(digest, entry, sha256)
    }
    if (page.end) break
    after = page.upTo
  }
  return equalBytes(digest.bytes(), claim.digest)
}

function subtract(digest: Digest, entry: StoredEntry, sha256: Sha256): void {
  const term = termOf(entry, sha256)
  if (term !== undefined) digest.subtract(term)
}

/** What an entry adds to the digest of its document; undefined when it counts for nothing. */
export function termOf(entry: StoredEntry, sha256: Sha256): bigint | undefined {
  const { kind, document, generation, hash } = entry
  if ((kind === 'event' || kind === 'base') && hash !== undefined)
    return digestTerm(document, generation, hash, sha256)
  return kind === 'tombstone' ? digestTerm(document, generation, kind, sha256) : undefined
}

/** Those of some collections in which the log holds documents. */
export async function heldCollections(
  log: EventLog,
  collections: readonly CollectionId[],
): Promise<readonly CollectionId[]> {
  const held: CollectionId[] = []
  for (const collection of collections) {
    if ((await log.digest([collection])).sum !== 0n) held.push(collection)
  }
  return held
}
