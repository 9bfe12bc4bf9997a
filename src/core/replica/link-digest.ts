import { equalBytes } from '../bytes.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { digestTerm } from '../log/digest.ts'
import type { EventLog } from '../log/event-log.ts'
import type { DigestAnswer } from '../sync/io.ts'

const PAGE_BYTES_MAX = 1 << 18

/** The digest of what a link shares, at one durable moment. */
export function digestAnswer(
  log: EventLog,
  granted: readonly CollectionId[],
  peer: ReplicaId | undefined,
): Promise<DigestAnswer> {
  return log.barrier(async () => {
    const digest = await log.digest(granted)
    const cursor = peer === undefined ? 0 : (log.peer(peer)?.cursor ?? 0)
    return { digest: digest.bytes(), head: log.head, cursor }
  })
}

/**
 * Whether the peer's digest, made when it had our log up to `ours`, matches ours. What we wrote or got
 * elsewhere after `ours` was not there yet for it, and is taken off.
 */
export function digestMatches(
  log: EventLog,
  sha256: Sha256,
  granted: readonly CollectionId[],
  peer: ReplicaId | undefined,
  claim: { readonly digest: Uint8Array; readonly ours: Position },
): Promise<boolean> {
  return log.barrier(async () => {
    const digest = await log.digest(granted)
    for (let after = claim.ours; after < log.head; ) {
      const page = await log.read({ after, collections: granted, bytesMax: PAGE_BYTES_MAX })
      for (const { kind, from, document, generation, hash } of page.entries) {
        if (from === peer && from !== undefined) continue
        if (kind === 'event' && hash !== undefined)
          digest.subtract(digestTerm(document, generation, hash, sha256))
        if (kind === 'tombstone') digest.subtract(digestTerm(document, generation, kind, sha256))
      }
      if (page.end) break
      after = page.upTo
    }
    return equalBytes(digest.bytes(), claim.digest)
  })
}
