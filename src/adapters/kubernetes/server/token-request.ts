import type { AccountTokens, TokenContent } from '../identity/account-tokens.ts'
import { accountOf } from '../identity/account-tokens.ts'
import { texts } from '../identity/rule.ts'
import type { JsonObject, KubeObject, ObjectStore } from '../objects/types.ts'
import { at, isObject, numberAt, objectAt, textAt } from './json.ts'
import { type Cause, invalidValue } from './kinds/checks.ts'
import { decodeTyped } from './schema/decode.ts'
import { kindType } from './schema/schema.ts'
import { badRequest, conflict, invalid, notFound } from './status.ts'

const GROUP = 'authentication.k8s.io'
const KIND = 'TokenRequest'
const DEFAULT_SECONDS = 3_600
const SECONDS_MIN = 600
const SECONDS_MAX = 2 ** 32

/** A request for a token of a service account. */
export interface TokenAsk {
  readonly namespace: string
  readonly name: string
  readonly body: JsonObject
  readonly accounts: AccountTokens
  readonly store: Pick<ObjectStore, 'get'>
  /** Now, in milliseconds since 1970. */
  readonly nowMs: number
}

/**
 * Issues a token: the answer to POST serviceaccounts/NAME/token.
 *
 * @throws StatusError: 404 for an account or object that is not there, 400, 409 or 422 for what cannot
 * be asked.
 */
export function tokenFor(ask: TokenAsk): JsonObject {
  const { namespace, name, accounts, store, nowMs } = ask
  const type = kindType(GROUP, KIND)
  const body = type === undefined ? ask.body : decodeTyped(type, ask.body).value
  checkPlace(body, ask)
  const account = store.get({ resource: 'serviceaccounts', namespace, name })
  if (account === undefined) throw notFound(plural('serviceaccounts'), name)
  const uid = account.metadata.uid ?? ''
  const wanted = textAt(body, 'metadata', 'uid')
  if (wanted !== '' && wanted !== uid) {
    throw conflict(
      { plural: KIND, group: GROUP, kind: KIND },
      name,
      `the UID in the token request (${wanted}) does not match the UID of the service account (${uid})`,
    )
  }
  const given = texts(at(body, 'spec', 'audiences'))
  const audiences = given.length > 0 ? given : [accounts.issuer]
  const seconds = secondsOf(body)
  const reference = at(body, 'spec', 'boundObjectRef')
  const content: TokenContent = {
    account,
    audiences,
    seconds,
    ...(isObject(reference) ? boundTo(reference, ask) : {}),
  }
  const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
  return {
    kind: KIND,
    apiVersion: `${GROUP}/v1`,
    metadata: { name, namespace, uid, creationTimestamp: time(nowMs) },
    spec: {
      audiences,
      expirationSeconds: seconds,
      boundObjectRef: isObject(reference) ? reference : null,
    },
    status: {
      token: accounts.issue(content),
      expirationTimestamp: time(nowMs + seconds * 1_000),
    },
  }
}

function plural(resource: string): { plural: string; group: string; kind: string } {
  return { plural: resource, group: '', kind: resource }
}

function checkPlace(body: JsonObject, { namespace, name }: TokenAsk): void {
  const refuse = (field: string, value: string, what: string): never => {
    const cause = invalidValue(field, value, `must match the service account ${what} if specified`)
    throw invalid(KIND, GROUP, name, [cause])
  }
  const givenName = textAt(body, 'metadata', 'name')
  if (givenName !== '' && givenName !== name) refuse('metadata.name', givenName, 'name')
  const givenPlace = textAt(body, 'metadata', 'namespace')
  if (givenPlace !== '' && givenPlace !== namespace)
    refuse('metadata.namespace', givenPlace, 'namespace')
}

function secondsOf(body: JsonObject): number {
  const seconds = numberAt(body, 'spec', 'expirationSeconds') ?? DEFAULT_SECONDS
  const causes: Cause[] = []
  const refuse = (detail: string): void => {
    causes.push(invalidValue('spec.expirationSeconds', seconds, detail))
  }
  if (seconds < SECONDS_MIN) refuse('may not specify a duration less than 10 minutes')
  if (seconds > SECONDS_MAX) refuse('may not specify a duration larger than 2^32 seconds')
  if (causes.length > 0) throw invalid(KIND, GROUP, '', causes)
  return seconds
}

/** The object that the token ends with, and the node of a pod. */
function boundTo(
  reference: JsonObject,
  { namespace, name, store }: TokenAsk,
): Pick<TokenContent, 'bound' | 'node'> {
  const apiVersion = textAt(reference, 'apiVersion')
  const kind = textAt(reference, 'kind')
  const resource = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }[kind]
  if (resource === undefined || apiVersion.includes('/')) {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    throw badRequest(
      `cannot bind token to object of type ${group ?? ''}/${version ?? ''}, Kind=${kind}`,
    )
  }
  const target = textAt(reference, 'name')
  const place = kind === 'Node' ? {} : { namespace }
  const object = store.get({ resource, ...place, name: target })
  if (object === undefined) throw notFound(plural(resource), target)
  if (kind === 'Pod' && accountOf(object).name !== name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(name)} to pod running with different serviceaccount name.`,
    )
  }
  const uid = textAt(reference, 'uid')
  if (uid !== '' && uid !== object.metadata.uid) {
    throw conflict(
      { plural: kind, group: '', kind },
      target,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  }
  const kinds = { pods: 'pod', secrets: 'secret', nodes: 'node' } as const
  const bound = { kind: kinds[resource as keyof typeof kinds], object }
  return kind === 'Pod' ? { bound, node: nodeOf(object, store) } : { bound }
}

function nodeOf(pod: KubeObject, store: Pick<ObjectStore, 'get'>): TokenContent['node'] {
  const name = textAt(objectAt(pod, 'spec'), 'nodeName')
  if (name === '') return undefined
  return { name, uid: store.get({ resource: 'nodes', name })?.metadata.uid }
}
