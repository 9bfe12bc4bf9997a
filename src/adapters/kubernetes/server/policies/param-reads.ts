import { resourceAttributes } from '../../identity/attributes.ts'
import type { Rbac } from '../../identity/rbac.ts'
import type { User } from '../../identity/user.ts'
import type { Json, KubeObject, ObjectStore } from '../../objects/types.ts'
import { apiVersionOf, type Catalog } from '../catalog.ts'
import { at, sameJson, textAt } from '../json.ts'
import { forbiddenField } from '../kinds/checks.ts'
import { invalid } from '../status.ts'

const GROUP = 'admissionregistration.k8s.io'
const POLICIES = `validatingadmissionpolicies.${GROUP}`
const BINDINGS = `validatingadmissionpolicybindings.${GROUP}`

/** What {@link requireParamReads} is judged by. */
export interface ParamReading {
  readonly store: Pick<ObjectStore, 'get'>
  readonly catalog: Pick<Catalog, 'all'>
  readonly user: User
  readonly rbac: Pick<Rbac, 'authorize'>
}

/**
 * Refuses a policy or a binding whose parameters its writer may not read: a message of a policy would
 * show them.
 *
 * @param before the object as it was; undefined when it is new.
 * @throws StatusError 422 in the words of kube-apiserver.
 */
export function requireParamReads(
  reading: ParamReading,
  resource: string,
  object: KubeObject,
  before: KubeObject | undefined,
): void {
  if (resource === POLICIES) requireKind(reading, object, before)
  else if (resource === BINDINGS) requireReference(reading, object)
}

function requireKind(
  { catalog, user, rbac }: ParamReading,
  policy: KubeObject,
  before: KubeObject | undefined,
): void {
  const kind = at(policy, 'spec', 'paramKind')
  if (kind === undefined || sameJson(at(before, 'spec', 'paramKind') ?? null, kind)) return
  const anywhere = { verb: 'get', ...partsOf(catalog, kind), namespace: '*', name: '*' }
  if (rbac.authorize(user, resourceAttributes(anywhere)).allowed) return
  const named = `kind=${textAt(kind, 'kind')}, apiVersion=${textAt(kind, 'apiVersion')}`
  const text = `user ${userText(user)} must have "get" permission on all objects of the referenced paramKind (${named})`
  throw invalid(policy.kind, GROUP, policy.metadata.name, [forbiddenField('spec.paramKind', text)])
}

function requireReference({ store, catalog, user, rbac }: ParamReading, binding: KubeObject): void {
  const reference = at(binding, 'spec', 'paramRef')
  if (reference === undefined) return
  const policy = store.get({ resource: POLICIES, name: textAt(binding, 'spec', 'policyName') })
  const asked = {
    verb: 'get',
    ...partsOf(catalog, at(policy, 'spec', 'paramKind')),
    namespace: textAt(reference, 'namespace'),
    name: textAt(reference, 'name'),
  }
  if (rbac.authorize(user, resourceAttributes(asked)).allowed) return
  const text = `user ${userText(user)} does not have "get" permission on the object referenced by paramRef`
  const { name } = binding.metadata
  throw invalid(binding.kind, GROUP, name, [forbiddenField('spec.paramRef', text)])
}

/** What a kind is read as; of one that is not known everything has to be readable. */
function partsOf(
  { all }: Pick<Catalog, 'all'>,
  paramKind: Json | undefined,
): { readonly group: string; readonly version: string; readonly resource: string } {
  if (paramKind === undefined) return { group: '*', version: '*', resource: '*' }
  const apiVersion = textAt(paramKind, 'apiVersion')
  const kind = textAt(paramKind, 'kind')
  const served = all.find(
    (item) =>
      item.kind === kind && apiVersionOf(item) === apiVersion && item.resource !== undefined,
  )
  const slash = apiVersion.indexOf('/')
  const group = slash < 0 ? '' : apiVersion.slice(0, slash)
  return { group, version: apiVersion.slice(slash + 1), resource: served?.plural ?? '*' }
}

/** A user as Go writes a pointer to one. */
function userText({ name, uid = '', groups, extra = {} }: User): string {
  const facts = Object.keys(extra)
    .sort()
    .map((key) => `${key}:[${(extra[key] ?? []).join(' ')}]`)
  return `&{${name} ${uid} [${groups.join(' ')}] map[${facts.join(' ')}]}`
}
