import type { Attributes, Verdict } from './attributes.ts'
import type { User } from './user.ts'

/** Says whether a user may do something. */
type Authorize = (user: User, attributes: Attributes) => Verdict

/**
 * Allows what any of several authorizers allows, asked in turn. What is refused is refused with all their
 * reasons, one a line, as kube-apiserver says them.
 */
export function anyAuthorizer(...authorizers: readonly Authorize[]): Authorize {
  return (user, attributes) => {
    const reasons: string[] = []
    for (const authorize of authorizers) {
      const verdict = authorize(user, attributes)
      if (verdict.allowed) return verdict
      if (verdict.reason !== '') reasons.push(verdict.reason)
    }
    return { allowed: false, reason: reasons.join('\n') }
  }
}
