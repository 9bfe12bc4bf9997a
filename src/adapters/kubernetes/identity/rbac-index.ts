import { mapAt, mapsAt, textAt } from '../objects/read.ts'
import type { JsonObject, KubeObject } from '../objects/types.ts'
import { type Rule, rulesOf } from './rule.ts'
import { accountUserName, type User } from './user.ts'

/** Who a role is given to, and where. */
export interface Binding {
  /** `ClusterRoleBinding`, or `RoleBinding`. */
  readonly kind: string
  readonly name: string
  /** Empty for the whole cluster. */
  readonly namespace: string
  readonly role: RoleReference
  readonly subjects: readonly JsonObject[]
}

/** The role that a binding gives. */
export interface RoleReference {
  readonly kind: string
  readonly name: string
}

/** The kinds that say who may what, by the ids that a store uses. */
export const RBAC_RESOURCES = {
  roles: 'roles.rbac.authorization.k8s.io',
  clusterRoles: 'clusterroles.rbac.authorization.k8s.io',
  roleBindings: 'rolebindings.rbac.authorization.k8s.io',
  clusterRoleBindings: 'clusterrolebindings.rbac.authorization.k8s.io',
} as const

/**
 * Roles by name and bindings by who they are for, so that a decision looks at the bindings of one
 * user and no other.
 */
export class RbacIndex {
  readonly #roles = new Map<string, readonly Rule[]>()
  /** By namespace (empty: cluster), then subject. */
  readonly #bySubject = new Map<string, Map<string, Map<string, Binding>>>()
  /** What each binding was entered under, to take it out again. */
  readonly #entered = new Map<string, readonly string[]>()

  /** Enters a role, binding or their cluster-wide kin, in place of what was there by that name. */
  set(resource: string, object: KubeObject): void {
    if (resource === RBAC_RESOURCES.roles || resource === RBAC_RESOURCES.clusterRoles) {
      this.#roles.set(keyOf(resource, object), rulesOf(object['rules']))
      return
    }
    this.delete(resource, object)
    const binding = bindingOf(resource, object)
    if (binding === undefined) return
    const key = keyOf(resource, object)
    const subjects = [...new Set(binding.subjects.map((item) => subjectKey(item, binding)))]
    const places = this.#bySubject.get(binding.namespace) ?? new Map<string, Map<string, Binding>>()
    this.#bySubject.set(binding.namespace, places)
    for (const subject of subjects) {
      const bindings = places.get(subject) ?? new Map<string, Binding>()
      places.set(subject, bindings)
      bindings.set(key, binding)
    }
    this.#entered.set(key, subjects)
  }

  /** Takes an object out. */
  delete(resource: string, object: KubeObject): void {
    const key = keyOf(resource, object)
    this.#roles.delete(key)
    const namespace = object.metadata.namespace ?? ''
    const places = this.#bySubject.get(namespace)
    for (const subject of this.#entered.get(key) ?? []) {
      const bindings = places?.get(subject)
      bindings?.delete(key)
      if (bindings?.size === 0) places?.delete(subject)
    }
    if (places?.size === 0) this.#bySubject.delete(namespace)
    this.#entered.delete(key)
  }

  /** The rules of a role; undefined when there is no such role. The namespace is the binding's. */
  rules({ kind, name }: RoleReference, namespace: string): readonly Rule[] | undefined {
    if (kind === 'ClusterRole') return this.#roles.get(`${RBAC_RESOURCES.clusterRoles}//${name}`)
    if (kind !== 'Role' || namespace === '') return undefined
    return this.#roles.get(`${RBAC_RESOURCES.roles}/${namespace}/${name}`)
  }

  /** The bindings that are for a user: those of the cluster, then those of a namespace, each once. */
  bindings(user: User, namespace: string): readonly Binding[] {
    const subjects = [`user/${user.name}`, ...user.groups.map((group) => `group/${group}`)]
    const found = new Map<string, Binding>()
    for (const place of namespace === '' ? [''] : ['', namespace]) {
      const places = this.#bySubject.get(place)
      if (places === undefined) continue
      for (const subject of subjects) {
        for (const [key, binding] of places.get(subject) ?? []) found.set(key, binding)
      }
    }
    return [...found.values()]
  }
}

/** Whether a subject of a binding is this user. */
export function isSubject(subject: JsonObject, binding: Binding, user: User): boolean {
  const key = subjectKey(subject, binding)
  return key === `user/${user.name}` || user.groups.some((group) => key === `group/${group}`)
}

function keyOf(resource: string, { metadata }: KubeObject): string {
  return `${resource}/${metadata.namespace ?? ''}/${metadata.name}`
}

function bindingOf(resource: string, object: KubeObject): Binding | undefined {
  const role = mapAt(object, 'roleRef')
  const kind = textAt(role, 'kind')
  const name = textAt(role, 'name')
  if (kind === undefined || name === undefined) return undefined
  return {
    kind: resource === RBAC_RESOURCES.roleBindings ? 'RoleBinding' : 'ClusterRoleBinding',
    name: object.metadata.name,
    namespace: object.metadata.namespace ?? '',
    role: { kind, name },
    subjects: mapsAt(object, 'subjects'),
  }
}

/** Under what a subject is entered; a subject that is nobody gets a key that no user has. */
function subjectKey(subject: JsonObject, binding: Binding): string {
  const name = textAt(subject, 'name') ?? ''
  switch (subject['kind']) {
    case 'User':
      return `user/${name}`
    case 'Group':
      return `group/${name}`
    case 'ServiceAccount': {
      const namespace = textAt(subject, 'namespace') ?? binding.namespace
      return namespace === '' ? 'nobody' : `user/${accountUserName({ namespace, name })}`
    }
    default:
      return 'nobody'
  }
}
