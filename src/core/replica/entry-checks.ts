import type { ReplicaId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { cutsOf, normalGeneration } from '../log/generation.ts'
import { originOf } from '../log/generation-origin.ts'
import type { DocumentRecord } from '../log/records.ts'
import type { Denial, IncomingEntry, RemoteSubmission } from '../log/submission.ts'
import type { WireEntry } from '../sync/io.ts'
import { denyAuthor, type Source } from './authorship.ts'
import { denyEntry } from './incoming.ts'
import type { LinkOptions } from './link-options.ts'
import type { PeerLink } from './peer-link.ts'

/**
 * What is asked about each entry of a peer before it is stored.
 *
 * @param link is asked each time: what a connection shares, and what was refused on it, may change.
 */
export function entryChecks(
  link: Pick<PeerLink, 'granted' | 'kept' | 'refused' | 'absent'>,
  { policy, principal, log, sha256 }: Pick<LinkOptions, 'policy' | 'principal' | 'log' | 'sha256'>,
  peer: ReplicaId,
): Pick<RemoteSubmission, 'check' | 'checkNew' | 'refused'> {
  const source = { policy, principal, peer, authors: log.authors, self: log.replica }
  return {
    check: (entry, home, record) =>
      denyEntry({ policy, principal, granted: link.granted }, entry, home, record) ??
      (isStray(entry.wire, record) ? denyStrays(source, entry, sha256) : undefined),
    checkNew: (header) => denyAuthor(source, header),
    refused: (document) => [
      ...(link.kept.of(document) ?? []),
      ...(link.refused.of(document) ?? []),
      ...(link.absent.of(document) ?? []),
    ],
  }
}

/** Whether events of an entry are of another generation than the one that is here, if any is. */
function isStray({ generation }: WireEntry, record: DocumentRecord | undefined): boolean {
  if (record === undefined || record.left) return cutsOf(generation) > 0
  return normalGeneration(generation) !== record.generation
}

/**
 * What is put aside, or comes with its own base, gets its place without being asked about again: its
 * writers have to be believed now.
 */
function denyStrays(
  source: Source,
  { wire, events }: IncomingEntry,
  sha256: Sha256,
): Denial | undefined {
  const generation = normalGeneration(wire.generation)
  for (const { header } of events) {
    const actor = originOf(header, generation, sha256)?.actor ?? header.actor
    const denial = denyAuthor(source, { ...header, actor })
    if (denial !== undefined) return denial
  }
  return undefined
}
