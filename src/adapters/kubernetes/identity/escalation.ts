import { mapAt, mapsAt, textAt } from '../objects/read.ts'
import type { KubeObject } from '../objects/types.ts'
import { type Attributes, quoted, resourceAttributes, type Verdict } from './attributes.ts'
import type { Rbac } from './rbac.ts'
import { aggregateText, missingRole } from './rbac.ts'
import { RBAC_RESOURCES } from './rbac-index.ts'
import { type Rule, rulesOf, urlCovers } from './rule.ts'
import { MASTERS, type User } from './user.ts'

const GROUP = 'rbac.authorization.k8s.io'

/** What somebody must hold to let a role gather the rules of others. */
const EVERYTHING: readonly Rule[] = rulesOf([
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
])

/** Why a grant is refused: a missing role is 404, everything else 403. */
export interface EscalationRefusal {
  readonly missing: boolean
  readonly message: string
}

/** What a grant is judged by. */
export interface Granting {
  readonly user: User
  readonly rbac: Rbac
  readonly authorize: (user: User, attributes: Attributes) => Verdict
}

/**
 * Whether a user may write a role or binding: nobody grants what they do not hold, unless they may
 * `escalate` the role or `bind` it.
 *
 * @param before the object as it was; undefined when it is new.
 * @returns undefined when it is no grant, or an allowed one.
 */
export function escalationRefusal(
  granting: Granting,
  resource: string,
  object: KubeObject,
  before: KubeObject | undefined,
): EscalationRefusal | undefined {
  if (!Object.values<string>(RBAC_RESOURCES).includes(resource)) return undefined
  if (granting.user.groups.includes(MASTERS) || isSameGrant(object, before)) return undefined
  const isRole = resource === RBAC_RESOURCES.roles || resource === RBAC_RESOURCES.clusterRoles
  return isRole ? roleRefusal(granting, resource, object, before) : bindingRefusal(granting, object)
}

/** Whether only what the garbage collector touches differs. */
function isSameGrant(object: KubeObject, before: KubeObject | undefined): boolean {
  if (before === undefined) return false
  const grant = ({ metadata, ...rest }: KubeObject): string =>
    JSON.stringify([
      Object.entries(rest).sort(byKey),
      Object.entries(metadata.labels ?? {}).sort(byKey),
      Object.entries(metadata.annotations ?? {}).sort(byKey),
    ])
  return grant(object) === grant(before)
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}

function roleRefusal(
  { user, rbac, authorize }: Granting,
  resource: string,
  object: KubeObject,
  before: KubeObject | undefined,
): EscalationRefusal | undefined {
  const { name, namespace = '' } = object.metadata
  const plural = resource === RBAC_RESOURCES.roles ? 'roles' : 'clusterroles'
  // A role that is new has no name in its request.
  const asked = before === undefined ? '' : name
  const attributes = { verb: 'escalate', group: GROUP, resource: plural, namespace, name: asked }
  if (authorize(user, resourceAttributes(attributes)).allowed) return undefined
  const message = missingText(user, rbac, namespace, rulesOf(object['rules']))
  if (message !== undefined) return { missing: false, message }
  if (!gathers(object) && !gathers(before)) return undefined
  if (missingText(user, rbac, namespace, EVERYTHING) === undefined) return undefined
  return {
    missing: false,
    message: 'must have cluster-admin privileges to use the aggregationRule',
  }
}

function gathers(role: KubeObject | undefined): boolean {
  return mapsAt(role, 'aggregationRule', 'clusterRoleSelectors').length > 0
}

function bindingRefusal(
  { user, rbac, authorize }: Granting,
  object: KubeObject,
): EscalationRefusal | undefined {
  const namespace = object.metadata.namespace ?? ''
  const reference = mapAt(object, 'roleRef')
  const role = { kind: textAt(reference, 'kind') ?? '', name: textAt(reference, 'name') ?? '' }
  const resource = { Role: 'roles', ClusterRole: 'clusterroles' }[role.kind]
  if (resource !== undefined) {
    const bind = { verb: 'bind', group: GROUP, resource, namespace, name: role.name }
    if (authorize(user, resourceAttributes(bind)).allowed) return undefined
  }
  const rules = rbac.roleRules(role, namespace)
  if (rules === undefined) return { missing: true, message: missingRole(role) }
  const message = missingText(user, rbac, namespace, rules)
  return message === undefined ? undefined : { missing: false, message }
}

function missingText(
  user: User,
  rbac: Rbac,
  namespace: string,
  wanted: readonly Rule[],
): string | undefined {
  const { rules, errors } = rbac.rulesFor(user, namespace)
  const missing = uncovered(rules, wanted)
  if (missing.length === 0) return undefined
  const list = [...new Set(compacted(missing).map(ruleText))].sort()
  const groups = `[${user.groups.map(quoted).join(' ')}]`
  const message = `user ${quoted(user.name)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${list.join('\n')}`
  return errors.length === 0 ? message : `${message}; resolution errors: [${aggregateText(errors)}]`
}

/** The parts of some rules that others do not grant, each of one verb, one resource and one name. */
export function uncovered(owner: readonly Rule[], wanted: readonly Rule[]): readonly Rule[] {
  return wanted.flatMap(parts).filter((part) => !owner.some((rule) => covers(rule, part)))
}

function parts(rule: Rule): readonly Rule[] {
  const names = rule.resourceNames.length === 0 ? [[]] : rule.resourceNames.map((name) => [name])
  const empty = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] }
  const resources = rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        names.map((resourceNames) => ({
          ...empty,
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          resourceNames,
        })),
      ),
    ),
  )
  const urls = rule.nonResourceURLs.flatMap((url) =>
    rule.verbs.map((verb) => ({ ...empty, verbs: [verb], nonResourceURLs: [url] })),
  )
  return [...resources, ...urls]
}

function covers(owner: Rule, part: Rule): boolean {
  const all = (set: readonly string[], wanted: readonly string[]): boolean =>
    set.includes('*') || wanted.every((item) => set.includes(item))
  return (
    all(owner.verbs, part.verbs) &&
    all(owner.apiGroups, part.apiGroups) &&
    part.resources.every((resource) => coversResource(owner.resources, resource)) &&
    part.nonResourceURLs.every((path) =>
      owner.nonResourceURLs.some((url) => urlCovers(url, path)),
    ) &&
    (owner.resourceNames.length === 0 ||
      (part.resourceNames.length > 0 &&
        part.resourceNames.every((name) => owner.resourceNames.includes(name))))
  )
}

function coversResource(set: readonly string[], resource: string): boolean {
  if (set.includes('*') || set.includes(resource)) return true
  const slash = resource.indexOf('/')
  return slash >= 0 && set.includes(`*${resource.slice(slash)}`)
}

/** Rules of one resource that differ in their verbs only, put together. */
function compacted(rules: readonly Rule[]): readonly Rule[] {
  const byResource = new Map<string, Rule>()
  const rest: Rule[] = []
  for (const rule of rules) {
    if (rule.nonResourceURLs.length > 0) {
      rest.push(rule)
      continue
    }
    const key = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames])
    const known = byResource.get(key)
    byResource.set(
      key,
      known === undefined ? rule : { ...known, verbs: [...known.verbs, ...rule.verbs] },
    )
  }
  return [...rest, ...byResource.values()]
}

function ruleText(rule: Rule): string {
  const list = (name: string, items: readonly string[]): readonly string[] =>
    items.length === 0 ? [] : [`${name}:[${items.map(quoted).join(' ')}]`]
  const texts = [
    ...list('APIGroups', rule.apiGroups),
    ...list('Resources', rule.resources),
    ...list('NonResourceURLs', rule.nonResourceURLs),
    ...list('ResourceNames', rule.resourceNames),
    ...list('Verbs', rule.verbs),
  ]
  return `{${texts.join(', ')}}`
}
