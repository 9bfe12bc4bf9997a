import type { Policy, Principal } from '../access/policy.ts'
import type { CollectionId } from '../ids.ts'
import type { Refusal } from '../sync/io.ts'

/** Which of the collections that a principal asked for are shared with it, and why the others are not. */
export function sharedWith(
  policy: Policy,
  principal: Principal,
  asked: readonly CollectionId[],
): { readonly granted: readonly CollectionId[]; readonly refused: readonly Refusal[] } {
  const granted: CollectionId[] = []
  const refused: Refusal[] = []
  for (const collection of asked) {
    if (policy.mayRead(principal, collection)) granted.push(collection)
    else refused.push({ collection, code: 'ACCESS_DENIED', message: DENIED_MESSAGE })
  }
  return { granted, refused }
}

const DENIED_MESSAGE = 'the policy does not allow this'
