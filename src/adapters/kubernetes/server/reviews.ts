import type { IncomingMessage } from 'node:http'
import type { AccountTokens } from '../identity/account-tokens.ts'
import type { Attributes } from '../identity/attributes.ts'
import { aggregateText, type Rbac } from '../identity/rbac.ts'
import { ruleJson, texts } from '../identity/rule.ts'
import type { Json, JsonObject, KubeObject } from '../objects/types.ts'
import { recordUpdate } from './apply/apply.ts'
import { userJson } from './audit.ts'
import { type Authorize, verdictOf } from './authorization.ts'
import { apiVersionOf, type Served } from './catalog.ts'
import type { User } from './context.ts'
import { at, isList, isObject, objectAt, textAt } from './json.ts'
import { type Cause, invalidValue } from './kinds/checks.ts'
import { decodeTyped } from './schema/decode.ts'
import { badRequest, invalid } from './status.ts'

/** What reviews are answered from. */
export interface ReviewSources {
  readonly authorize: Authorize | undefined
  readonly authenticate: (request: IncomingMessage) => User | undefined | Promise<User | undefined>
  readonly rbac: Rbac | undefined
  readonly accounts: AccountTokens | undefined
}

/** A question about who somebody is or what they may. */
export interface ReviewRequest {
  readonly served: Served
  readonly body: JsonObject
  readonly user: User
  /** Of the path; undefined for a review of no namespace. */
  readonly namespace: string | undefined
  readonly request: IncomingMessage
  /** Now, as metav1.Time writes it. */
  readonly time: string
  /** What the client calls itself. */
  readonly manager: string
}

/** Who asked, as if a review were an object that is kept. */
function ownership({ served, manager, time }: ReviewRequest, spec: JsonObject): JsonObject {
  const apiVersion = apiVersionOf(served)
  const object = { apiVersion, kind: served.kind, metadata: {}, spec } as unknown as KubeObject
  const writer = { manager, apiVersion, subresource: '', time }
  const { managedFields } = recordUpdate(served.type, undefined, object, writer).metadata
  return managedFields === undefined ? {} : { managedFields }
}

/**
 * The answer to a review of `authentication.k8s.io` or `authorization.k8s.io`.
 *
 * @throws StatusError: 400 or 422 when the question is malformed.
 */
export async function review(sources: ReviewSources, asked: ReviewRequest): Promise<JsonObject> {
  const { served, body, user, time } = asked
  const { value } = decodeTyped(served.type, body)
  const spec = objectAt(value, 'spec')
  const answer = (status: JsonObject, fields: JsonObject = { spec }): JsonObject => ({
    kind: served.kind,
    apiVersion: `${served.group}/${served.version}`,
    metadata: {
      ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }),
      ...ownership(asked, spec),
    },
    ...fields,
    status,
  })
  switch (served.kind) {
    case 'SelfSubjectReview':
      return {
        ...answer({ userInfo: userJson(user) }, {}),
        metadata: { creationTimestamp: time },
      }
    case 'SelfSubjectAccessReview':
      refuse(served, accessCauses(spec))
      return answer(await accessStatus(sources, user, spec))
    case 'SubjectAccessReview':
      refuse(served, [...accessCauses(spec), ...subjectCauses(spec)])
      return answer(await accessStatus(sources, subjectOf(spec), spec))
    case 'LocalSubjectAccessReview': {
      const given = textAt(value, 'metadata', 'namespace') || (asked.namespace ?? '')
      refuse(served, [...accessCauses(spec), ...subjectCauses(spec), ...localCauses(spec, given)])
      if (given !== asked.namespace)
        throw badRequest(
          `spec.resourceAttributes.namespace must match namespace: ${asked.namespace ?? ''}`,
        )
      return answer(await accessStatus(sources, subjectOf(spec), spec))
    }
    case 'SelfSubjectRulesReview':
      return answer(rulesStatus(sources, user, textAt(spec, 'namespace')), { spec: {} })
    default:
      return answer(await tokenStatus(sources, spec, asked.request))
  }
}

/** A review is no object with a name, and kube-apiserver does not even say its kind. */
function refuse({ group }: Served, causes: readonly Cause[]): void {
  if (causes.length > 0) throw invalid('', group, '', causes)
}

function accessCauses(spec: JsonObject): readonly Cause[] {
  const resource = at(spec, 'resourceAttributes')
  const other = at(spec, 'nonResourceAttributes')
  if (isObject(resource) && isObject(other)) {
    const detail = 'cannot be specified in combination with resourceAttributes'
    return [invalidValue('spec.nonResourceAttributes', other, detail)]
  }
  if (isObject(resource) || isObject(other)) return []
  const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
  return [invalidValue('spec.resourceAttributes', null, detail)]
}

function subjectCauses(spec: JsonObject): readonly Cause[] {
  if (textAt(spec, 'user') !== '' || texts(at(spec, 'groups')).length > 0) return []
  return [invalidValue('spec.user', '', 'at least one of user or group must be specified')]
}

function localCauses(spec: JsonObject, namespace: string): readonly Cause[] {
  const resource = at(spec, 'resourceAttributes')
  const other = at(spec, 'nonResourceAttributes')
  const given = textAt(resource, 'namespace')
  return [
    ...(isObject(resource) && given !== namespace
      ? [invalidValue('spec.resourceAttributes.namespace', given, 'must match metadata.namespace')]
      : []),
    ...(isObject(other)
      ? [invalidValue('spec.nonResourceAttributes', other, 'disallowed on this kind of request')]
      : []),
  ]
}

/** Whom a SubjectAccessReview is about. */
function subjectOf(spec: JsonObject): User {
  const extra: Record<string, readonly string[]> = {}
  for (const [key, list] of Object.entries(objectAt(spec, 'extra'))) extra[key] = texts(list)
  return {
    name: textAt(spec, 'user'),
    groups: texts(at(spec, 'groups')),
    uid: textAt(spec, 'uid'),
    extra,
  }
}

/** What a review of access asks. */
function reviewedAttributes(spec: JsonObject): Attributes {
  const resource = objectAt(spec, 'resourceAttributes')
  const other = objectAt(spec, 'nonResourceAttributes')
  const isPath = isObject(at(spec, 'nonResourceAttributes'))
  return {
    verb: textAt(isPath ? other : resource, 'verb'),
    group: textAt(resource, 'group'),
    version: textAt(resource, 'version'),
    resource: textAt(resource, 'resource'),
    subresource: textAt(resource, 'subresource'),
    namespace: textAt(resource, 'namespace'),
    name: textAt(resource, 'name'),
    path: textAt(other, 'path'),
  }
}

async function accessStatus(
  { authorize }: ReviewSources,
  user: User,
  spec: JsonObject,
): Promise<JsonObject> {
  const { allowed, reason } = await verdictOf(authorize, user, reviewedAttributes(spec))
  return { allowed, ...(reason === '' ? {} : { reason }) }
}

/** Everything that a user may in a namespace, as far as rules say it. */
function rulesStatus(
  { rbac, authorize }: ReviewSources,
  user: User,
  namespace: string,
): JsonObject {
  if (namespace === '') throw badRequest('no namespace on request')
  const all = ['*']
  if (authorize === undefined) {
    return {
      resourceRules: [{ verbs: all, apiGroups: all, resources: all }],
      nonResourceRules: [{ verbs: all, nonResourceURLs: all }],
      incomplete: false,
    }
  }
  if (rbac === undefined) return { resourceRules: [], nonResourceRules: [], incomplete: true }
  const { rules, errors } = rbac.rulesFor(user, namespace)
  const pick = (list: 'resources' | 'nonResourceURLs'): readonly JsonObject[] =>
    rules.filter((rule) => rule[list].length > 0).map((rule) => withoutOther(ruleJson(rule), list))
  return {
    resourceRules: pick('resources'),
    nonResourceRules: pick('nonResourceURLs'),
    incomplete: false,
    ...(errors.length === 0 ? {} : { evaluationError: aggregateText(errors) }),
  }
}

/** A rule may speak of resources and of paths; each list tells one half. */
function withoutOther(rule: JsonObject, kept: 'resources' | 'nonResourceURLs'): JsonObject {
  const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } = rule
  if (kept === 'nonResourceURLs') return { verbs, nonResourceURLs }
  return {
    verbs,
    ...(apiGroups === undefined ? {} : { apiGroups }),
    resources,
    ...(resourceNames === undefined ? {} : { resourceNames }),
  }
}

async function tokenStatus(
  { accounts, authenticate }: ReviewSources,
  spec: JsonObject,
  request: IncomingMessage,
): Promise<JsonObject> {
  const token = textAt(spec, 'token')
  if (token === '') throw badRequest('token is required for TokenReview in authentication')
  const given = at(spec, 'audiences')
  const wanted = isList(given) && given.length > 0 ? texts(given) : undefined
  const proof = accounts?.check(token, wanted)
  if (proof !== undefined && 'user' in proof) return proven(proof.user, proof.audiences)
  if (proof !== undefined) return { user: {}, error: `[invalid bearer token, ${proof.error}]` }
  // Other tokens are for this API and no other audience.
  const own = accounts === undefined ? [] : [accounts.issuer]
  const audiences = wanted === undefined ? own : own.filter((item) => wanted.includes(item))
  const user = await authenticate(tokenRequest(request, token))
  if (user === undefined || (wanted !== undefined && audiences.length === 0))
    return { user: {}, error: 'invalid bearer token' }
  return proven(user, audiences)
}

function proven(user: User, audiences: readonly string[]): JsonObject {
  const list: Json = audiences
  return {
    authenticated: true,
    user: userJson(user),
    ...(audiences.length === 0 ? {} : { audiences: list }),
  }
}

/** A request that proves nothing but a token. */
function tokenRequest(request: IncomingMessage, token: string): IncomingMessage {
  return Object.create(request, {
    headers: { value: { authorization: `Bearer ${token}` } },
    socket: { value: undefined },
  }) as IncomingMessage
}
