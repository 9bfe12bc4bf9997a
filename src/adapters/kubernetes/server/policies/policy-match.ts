import type { Operation } from '../webhooks/rule-match.ts'
import { meantVersion } from '../webhooks/rule-match.ts'
import { isSelected, type Selected } from '../webhooks/selection.ts'
import type { SeenResource } from '../webhooks/webhook-index.ts'
import type { ParamSource } from './params.ts'
import type { PolicyMatch, PolicyRule } from './policy.ts'

/** The request that policies are matched with. */
export interface MatchedRequest {
  readonly operation: Operation
  readonly name: string
  readonly about: Selected
  readonly asked: SeenResource
  /** The same resource in its other versions. */
  readonly others: readonly SeenResource[]
}

/**
 * The version in which a policy or a binding sees a request; undefined where it does not mean it.
 *
 * @throws StatusError 404 when the namespace is not there whose labels decide.
 */
export function matchedVersion(
  match: PolicyMatch,
  request: MatchedRequest,
  { store }: ParamSource,
): SeenResource | undefined {
  const { operation, name, asked, others, about } = request
  const meant = (rules: readonly PolicyRule[]): SeenResource | undefined => {
    const named = rules.filter(({ names }) => names.length === 0 || names.includes(name))
    return meantVersion({ rules: named, isExact: match.isExact }, operation, asked, others)
  }
  if (meant(match.excluded) !== undefined) return undefined
  const seen = match.rules.length === 0 ? asked : meant(match.rules)
  return seen !== undefined && isSelected(match, about, store) ? seen : undefined
}
