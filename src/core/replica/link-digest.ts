import { equalBytes } from '../bytes.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { Digest, digestTerm, homeWeight } from '../log/digest.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import { homeOf } from '../log/homes.ts'
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
export function digestAnswer(view: LinkView): Promise<DigestAnswer> {
  const { log, peer } = view
  return log.barrier(async () => {
    const digest = await sharedDigest(view, log.head)
    const cursor = peer === undefined ? 0 : (log.peer(peer)?.cursor ?? 0)
    return { digest: digest.bytes(), head: log.head, cursor }
  })
}

/**
 * Whether the peer's digest, made when it had our log up to `ours`, matches ours. What we wrote or got
 * elsewhere after `ours` was not there yet for it, and is taken off. A document that went elsewhere since does
 * not match: it does at the next comparison.
 */
export async function digestMatches(
  view: LinkView,
  claim: { readonly digest: Uint8Array; readonly ours: Position },
): Promise<boolean> {
  const { log, granted, peer, sha256 } = view
  const { digest, head } = await log.barrier(async () => {
    return { digest: await sharedDigest(view, claim.ours), head: log.head }
  })
  const weights = new Map<CollectionId, bigint>()
  // Not in the barrier: `ours` is the peer's word, and nobody else is to wait while much is read.
  for (let after = claim.ours; after < head; ) {
    const query = { after, upTo: head, collections: granted, bytesMax: PAGE_BYTES_MAX }
    const page = await log.read(query)
    for (const entry of page.entries) {
      if (entry.from !== undefined && entry.from === peer) continue
      // What stopped counting and is still there has been taken off already.
      const record = await log.record(entry.document)
      const home = homeOf(record)
      if (home === undefined || record?.generation !== entry.generation) continue
      const weight = weights.get(home) ?? (granted.includes(home) ? homeWeight(home, sha256) : 0n)
      weights.set(home, weight)
      digest.subtract((termOf(entry, sha256) ?? 0n) * weight)
    }
    if (page.end) break
    after = page.upTo
  }
  return equalBytes(digest.bytes(), claim.digest)
}

/** All that a link shares in one sum, without what the peer refused of our log up to a position. */
async function sharedDigest(
  { log, granted, kept, sha256 }: LinkView,
  upTo: Position,
): Promise<Digest> {
  const digest = new Digest()
  for (const collection of granted) {
    const { sum } = await log.digest([collection])
    if (sum !== 0n) digest.add(sum * homeWeight(collection, sha256))
  }
  await kept.each(log, granted, (entry, home) => {
    if (entry.position <= upTo)
      digest.subtract((termOf(entry, sha256) ?? 0n) * homeWeight(home, sha256))
  })
  return digest
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
