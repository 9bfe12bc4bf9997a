import type { CollectionId, ReplicaId } from '../ids.ts'
import type { RemoteSubmission } from '../log/submission.ts'
import { denyAuthor } from './authorship.ts'
import { denyEntry } from './incoming.ts'
import type { LinkOptions } from './link-options.ts'

/**
 * What is asked about each entry of a peer before it is stored.
 *
 * @param link is asked each time: what a connection shares may change.
 */
export function entryChecks(
  link: { readonly granted: readonly CollectionId[] },
  { policy, principal, log }: Pick<LinkOptions, 'policy' | 'principal' | 'log'>,
  peer: ReplicaId,
): Pick<RemoteSubmission, 'check' | 'checkNew'> {
  const source = { policy, principal, peer, authors: log.authors, self: log.replica }
  return {
    check: (entry, home, record) =>
      denyEntry({ policy, principal, granted: link.granted }, entry, home, record),
    checkNew: (header) => denyAuthor(source, header),
  }
}
