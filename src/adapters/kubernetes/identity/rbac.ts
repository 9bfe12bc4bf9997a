import { textAt } from '../objects/read.ts'
import type { JsonObject, ObjectStore } from '../objects/types.ts'
import { type Attributes, quoted, type Verdict } from './attributes.ts'
import {
  type Binding,
  isSubject,
  RBAC_RESOURCES,
  RbacIndex,
  type RoleReference,
} from './rbac-index.ts'
import { type Rule, ruleAllows } from './rule.ts'
import { MASTERS, type User } from './user.ts'

/** The rules that are for a user, and the roles that could not be found. */
export interface UserRules {
  readonly rules: readonly Rule[]
  /** One text a problem, in the words of Kubernetes. */
  readonly errors: readonly string[]
}

/** Says who may what, as roles and bindings in documents say it. */
export interface Rbac {
  /** Whether a user may do something. Looks at the bindings of this user only; never waits. */
  authorize(user: User, attributes: Attributes): Verdict
  /** Every rule for a user in a namespace (empty: of the cluster only). */
  rulesFor(user: User, namespace: string): UserRules
  /** The rules of a role; undefined when there is none. `namespace` is the binding's. */
  roleRules(role: RoleReference, namespace: string): readonly Rule[] | undefined
  /** Follows the store no longer. Idempotent. */
  close(): void
}

/**
 * Role-based access control over the roles and bindings that a store shows, kept up by watching it.
 * A kind that the store does not serve grants nothing. Members of `system:masters` may everything.
 */
export function createRbac(store: Pick<ObjectStore, 'resource' | 'list' | 'watch'>): Rbac {
  const index = new RbacIndex()
  const cancels: (() => void)[] = []
  for (const resource of Object.values(RBAC_RESOURCES)) {
    if (store.resource(resource) === undefined) continue
    const { items, resourceVersion } = store.list(resource)
    for (const object of items) index.set(resource, object)
    cancels.push(
      store.watch(resource, { since: resourceVersion }, ({ type, object }) => {
        if (type === 'DELETED') index.delete(resource, object)
        else index.set(resource, object)
      }),
    )
  }
  return {
    authorize: (user, attributes) => authorize(index, user, attributes),
    rulesFor: (user, namespace) => rulesFor(index, user, namespace),
    roleRules: (role, namespace) => index.rules(role, namespace),
    close: () => {
      for (const cancel of cancels.splice(0)) cancel()
    },
  }
}

/** Decides from an index; pure. */
export function authorize(index: RbacIndex, user: User, attributes: Attributes): Verdict {
  if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' }
  const errors = new Set<string>()
  for (const binding of index.bindings(user, attributes.namespace)) {
    const rules = index.rules(binding.role, binding.namespace)
    if (rules === undefined) errors.add(missingRole(binding.role))
    else if (rules.some((rule) => ruleAllows(rule, attributes)))
      return { allowed: true, reason: `RBAC: allowed by ${bindingText(binding, user)}` }
  }
  return { allowed: false, reason: errors.size === 0 ? '' : `RBAC: ${aggregateText([...errors])}` }
}

/** Collects from an index; pure. */
export function rulesFor(index: RbacIndex, user: User, namespace: string): UserRules {
  const rules: Rule[] = []
  const errors = new Set<string>()
  for (const binding of index.bindings(user, namespace)) {
    const found = index.rules(binding.role, binding.namespace)
    if (found === undefined) errors.add(missingRole(binding.role))
    else rules.push(...found)
  }
  return { rules, errors: [...errors] }
}

/** Several problems as one text, as Go clients know it. */
export function aggregateText(errors: readonly string[]): string {
  return errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]`
}

/** That a role is not there, as the API server says it. */
export function missingRole({ kind, name }: RoleReference): string {
  if (kind !== 'Role' && kind !== 'ClusterRole')
    return `unsupported role reference kind: ${quoted(kind)}`
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${quoted(name)} not found`
}

function bindingText(binding: Binding, user: User): string {
  const { kind, name, namespace, role, subjects } = binding
  const subject = subjects.find((item) => isSubject(item, binding, user)) ?? {}
  const place = namespace === '' ? name : `${name}/${namespace}`
  const given = `${kind} ${quoted(place)} of ${role.kind} ${quoted(role.name)}`
  return `${given} to ${subjectText(subject, namespace)}`
}

function subjectText(subject: JsonObject, namespace: string): string {
  const name = textAt(subject, 'name') ?? ''
  const kind = textAt(subject, 'kind') ?? ''
  if (kind !== 'ServiceAccount') return `${kind} ${quoted(name)}`
  return `${kind} ${quoted(`${name}/${textAt(subject, 'namespace') ?? namespace}`)}`
}
