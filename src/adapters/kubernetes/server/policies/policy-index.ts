import type { ObjectStore } from '../../objects/types.ts'
import type { Catalog, Served } from '../catalog.ts'
import { followObjects } from '../webhooks/followed-objects.ts'
import { meantVersion, type Operation } from '../webhooks/rule-match.ts'
import { equivalentsOf, seenResource } from '../webhooks/webhook-index.ts'
import { type Policy, type PolicyBinding, policyBindingOf, validatingPolicyOf } from './policy.ts'
import { type BoundPolicy, MeantPolicies } from './policy-review.ts'

/** Which policies there are, for whom. */
export interface PolicyIndex {
  /** Undefined where no policy means it: a lookup, and no more than a comparison where there are none at all. */
  find(served: Served, subresource: string, operation: Operation): MeantPolicies | undefined
  /** Stops following them. */
  close(): void
}

const GROUP = 'admissionregistration.k8s.io'

/** Nobody could repair a policy that refuses that. */
const EXEMPT: ReadonlySet<string> = new Set([
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
])

/** How many answers are remembered; there are fewer resources with policies than that. */
const FOUND_MAX = 4_096

/** Follows the policies in a store, and their bindings. */
export function followPolicies(
  store: Pick<ObjectStore, 'get' | 'list' | 'watch' | 'resource'>,
  catalog: Catalog,
): PolicyIndex {
  const found = new Map<string, MeantPolicies | undefined>()
  const forget = (): void => found.clear()
  const kind = `validatingadmissionpolicies.${GROUP}`
  const bindingKind = `validatingadmissionpolicybindings.${GROUP}`
  const validating = followObjects(store, kind, (object) => [validatingPolicyOf(object)], forget)
  const bindings = followObjects(store, bindingKind, (object) => [policyBindingOf(object)], forget)
  const unfollow = catalog.onChange(forget)
  return {
    find: (served, subresource, operation) => {
      if (bindings.all().length === 0) return undefined
      if (served.group === GROUP && EXEMPT.has(served.plural)) return undefined
      const key = `${served.group}/${served.version}/${served.plural}/${subresource} ${operation}`
      if (found.has(key)) return found.get(key)
      const asked = seenResource(served, subresource)
      const others = equivalentsOf(catalog, served, subresource)
      const meant = bound(validating.all(), bindings.all()).filter(
        ({ policy: { match } }) =>
          match === undefined || meantVersion(match, operation, asked, others) !== undefined,
      )
      const result =
        meant.length === 0
          ? undefined
          : new MeantPolicies({ store, catalog, asked, others, validating: meant })
      if (found.size >= FOUND_MAX) found.clear()
      found.set(key, result)
      return result
    },
    close: () => {
      unfollow()
      validating.close()
      bindings.close()
    },
  }
}

/** The policies that are bound, each with its bindings. */
function bound<P extends Policy>(
  policies: readonly P[],
  bindings: readonly PolicyBinding[],
): readonly BoundPolicy<P>[] {
  return policies.flatMap((policy) => {
    const own = bindings.filter((binding) => binding.policy === policy.name)
    return own.length === 0 ? [] : [{ policy, bindings: own }]
  })
}
