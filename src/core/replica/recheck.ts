import type { Policy } from '../access/policy.ts'
import type { SessionClose } from '../sync/io.ts'
import type { PeerLink } from './peer-link.ts'

/** The end of a connection that shares more than its peer may see by now. It may come back for the rest. */
const WITHDRAWN: SessionClose = {
  code: 'ACCESS_DENIED',
  message: 'the policy no longer allows all that this connection shares',
  retryable: true,
  retryAfterMs: undefined,
}

/** Why a link may not go on as it is; undefined when the policy still allows all that it shares. */
export function withdrawal(policy: Policy, link: PeerLink): SessionClose | undefined {
  const { peer, principal, granted } = link
  const denial = peer === undefined ? undefined : policy.mayConnect?.(principal, peer)
  if (denial !== undefined) return { ...denial, retryable: false, retryAfterMs: undefined }
  return granted.every((collection) => policy.mayRead(principal, collection))
    ? undefined
    : WITHDRAWN
}
