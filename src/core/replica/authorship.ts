import type { Policy, Principal } from '../access/policy.ts'
import { GENESIS_ACTOR } from '../document/kind.ts'
import type { Epoch, ReplicaId } from '../ids.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Authors } from '../log/authors.ts'
import type { EventHeader } from '../log/event.ts'
import type { EventLog } from '../log/event-log.ts'
import type { Denial } from '../log/submission.ts'

/** Who delivers an event, and what is known of writers. */
export interface Source {
  readonly policy: Policy
  readonly principal: Principal
  readonly peer: ReplicaId
  readonly authors: Authors
  /** The name of this replica. */
  readonly self: ReplicaId
}

const QUARANTINED: Denial = {
  code: 'ACCESS_QUARANTINED',
  message: 'the writer of the event has written two for one place',
}

const FORGED: Denial = {
  code: 'ACCESS_AUTHOR',
  message: 'the event is in the name of a replica that the peer may not speak for',
}

/**
 * Why a new event is not believed: its writer is in quarantine, or it is another's and this peer may not
 * relay.
 *
 * Our own events may come back from anyone who may write the document: a log that was put back from a
 * backup gets from its peers what it had lost.
 */
export function denyAuthor(source: Source, { actor }: EventHeader): Denial | undefined {
  const { authors, policy, principal, peer, self } = source
  if (authors.isQuarantined(actor)) return QUARANTINED
  if (policy.mayRelay === undefined || actor === GENESIS_ACTOR) return undefined
  const author = authors.of(actor)
  if (author === self || author === peer) return undefined
  return policy.mayRelay(principal, author) ? undefined : FORGED
}

/** Remembers under which epoch a peer writes, now that the policy has let it in. */
export function meetAuthor(
  log: EventLog,
  peer: { readonly replica: ReplicaId; readonly epoch: Epoch | undefined },
  principal: Principal,
  logger: Logger,
): void {
  if (peer.epoch === undefined) return
  const puts = log.authors.meet(peer.replica, peer.epoch, principal)
  if (puts === undefined) return
  log.commit({ type: 'note', puts }).catch((error: unknown) => {
    // It is asked again at the next connection after a restart.
    logger.warn('the epoch of a peer could not be written down', { error })
  })
}
