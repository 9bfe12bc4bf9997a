import { escalationRefusal } from '../identity/escalation.ts'
import type { Rbac } from '../identity/rbac.ts'
import { keyChangeRefusal } from '../identity/trusted-keys.ts'
import type { KubeObject, ObjectStore } from '../objects/types.ts'
import type { Catalog } from './catalog.ts'
import type { User, WriteGuard } from './context.ts'
import { textAt } from './json.ts'
import { requireParamReads } from './policies/param-reads.ts'
import { notFound, type StatusError } from './status.ts'

/**
 * Refuses writes by which somebody would get more than they have: roles and bindings beyond what the
 * user holds, policies that show what the user may not read, and keys that tokens are checked with.
 * Then asks the next guard.
 */
export function guardGrants(
  store: Pick<ObjectStore, 'get'>,
  user: User,
  rbac: Rbac | undefined,
  catalog: Pick<Catalog, 'all'>,
  next: WriteGuard,
): WriteGuard {
  return (key, object) => {
    const before = store.get(key)
    const why = keyChangeRefusal(key.resource, object, before)
    if (why !== undefined) return why
    if (rbac !== undefined && object !== undefined) {
      const granting = { user, rbac, authorize: rbac.authorize }
      const refusal = escalationRefusal(granting, key.resource, object, before)
      if (refusal?.missing === true) throw missingRole(key.resource, object)
      if (refusal !== undefined) return refusal.message
      requireParamReads({ store, catalog, user, rbac }, key.resource, object, before)
    }
    return next(key, object)
  }
}

/** 404 as kube-apiserver says it: by the name of the role, among the bindings. */
function missingRole(resource: string, binding: KubeObject): StatusError {
  const dot = resource.indexOf('.')
  const plural = resource.slice(0, dot)
  const named = { plural, group: resource.slice(dot + 1), kind: plural }
  return notFound(named, textAt(binding, 'roleRef', 'name'))
}
