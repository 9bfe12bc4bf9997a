import type { Policy } from '../access/policy.ts'
import type { ReplicaId } from '../ids.ts'
import type { SessionClose } from '../sync/io.ts'
import type { PeerLink } from './peer-link.ts'

/** The end of a connection that shares more than its peer may see by now. It may come back for the rest. */
const WITHDRAWN: SessionClose = {
  code: 'ACCESS_DENIED',
  message: 'the policy no longer allows all that this connection shares',
  retryable: true,
  retryAfterMs: undefined,
}

/** How long who dialled leaves alone whoever answered under a name that it may not have. */
const MISNAMED_RETRY_MS = 30_000

/**
 * Why a link may not be the one with a replica; undefined when the policy lets its principal act as that.
 * Who dialled comes back: another may answer there by then.
 */
export function misnamed(
  policy: Policy,
  { principal, role }: Pick<PeerLink, 'principal' | 'role'>,
  replica: ReplicaId,
): SessionClose | undefined {
  const denial = policy.mayConnect?.(principal, replica)
  if (denial === undefined) return undefined
  return role === 'dialer'
    ? { ...denial, retryable: true, retryAfterMs: MISNAMED_RETRY_MS }
    : { ...denial, retryable: false, retryAfterMs: undefined }
}

/** Why a link may not go on as it is; undefined when the policy still allows all that it shares. */
export function withdrawal(policy: Policy, link: PeerLink): SessionClose | undefined {
  const { peer, principal, granted } = link
  const denial = peer === undefined ? undefined : misnamed(policy, link, peer)
  if (denial !== undefined) return denial
  return granted.every((collection) => policy.mayRead(principal, collection))
    ? undefined
    : WITHDRAWN
}
