import { randomUUID } from 'node:crypto'
import type { Clock } from '../../../core/index.ts'
import { mapAt, numberAt, textAt } from '../objects/read.ts'
import type { JsonObject, KubeObject, ObjectStore } from '../objects/types.ts'
import { type ParsedToken, type PublicKey, parseToken, type SigningKey } from './jwt.ts'
import { texts } from './rule.ts'
import type { TrustedKey, TrustedKeys } from './trusted-keys.ts'
import {
  type AccountName,
  AUTHENTICATED,
  accountGroups,
  accountUserName,
  type User,
} from './user.ts'

/** What {@link createAccountTokens} works with. */
export interface AccountTokensOptions {
  readonly store: Pick<ObjectStore, 'get'>
  /** Signs what is issued here; its signatures count here for every account. */
  readonly key: SigningKey
  readonly keys: TrustedKeys
  /** Who issues, and the audience that this API is. Default: {@link DEFAULT_ISSUER}. */
  readonly issuer?: string | undefined
  /**
   * Whether a node may speak for an account, when a token bound to one of its pods says so. Default:
   * it may. A cloud that lets nodes make pods has to know which accounts it gave them.
   */
  readonly mayNodeSpeakFor?: ((node: string, account: AccountName) => boolean) | undefined
  /**
   * Whether tokens of a pod count past their end, and before their time: at a node that is cut off nobody
   * can give its pods new ones, and a clock that was put has made old ones of all of them. Default: never.
   */
  readonly outlives?: ((pod: KubeObject) => boolean) | undefined
  readonly clock: Clock
}

/** What a new token is to say. */
export interface TokenContent {
  readonly account: KubeObject
  readonly audiences: readonly string[]
  readonly seconds: number
  /** What the token ends with. */
  readonly bound?: { readonly kind: 'pod' | 'secret' | 'node'; readonly object: KubeObject }
  /** The node of the pod that it is bound to. */
  readonly node?: { readonly name: string; readonly uid?: string | undefined } | undefined
}

/** What a token proves, or why it proves nothing. */
export type TokenProof =
  | { readonly user: User; readonly audiences: readonly string[] }
  | { readonly error: string }

/** Issues and checks tokens of service accounts. Never waits, and asks nobody. */
export interface AccountTokens {
  readonly issuer: string
  /** The keys that others may check tokens of this cluster with. */
  keys(): readonly PublicKey[]
  /** @returns a signed token (JWT, ES256) that says just this; who may have it is for the caller to know. */
  issue(content: TokenContent): string
  /** @returns undefined for what is no token of a service account of this cluster. */
  check(token: string, audiences?: readonly string[]): TokenProof | undefined
}

/** The issuer that Kubernetes distributions use inside a cluster. */
export const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local'

/** How many tokens are remembered as signed: a client sends the same one with every request. */
const REMEMBERED_MAX = 2_048

/** How far two clocks may be apart, in seconds. */
const LEEWAY_SECONDS = 60

/** The names of facts that a token proves beside its user (apiserver serviceaccount package). */
const EXTRA = 'authentication.kubernetes.io/'

/** Tokens of service accounts, checked against the objects that a store shows. */
export function createAccountTokens(options: AccountTokensOptions): AccountTokens {
  const { key, keys, issuer = DEFAULT_ISSUER, clock } = options
  const find = (id: string): TrustedKey | undefined =>
    id === key.publicKey.id ? { key: key.publicKey } : keys.find(id)
  // The oldest is first. A key id is the hash of its key, so what it signed stays signed by it.
  const signed = new Map<string, ParsedToken>()
  const remember = (token: string, parsed: ParsedToken): void => {
    for (const oldest of signed.keys()) {
      if (signed.size < REMEMBERED_MAX) break
      signed.delete(oldest)
    }
    signed.set(token, parsed)
  }
  return {
    issuer,
    keys: () => {
      const known = keys.cluster()
      return known.length === 0 ? [key.publicKey] : known
    },
    issue: (content) => key.sign(claimsOf(content, issuer, clock.wallMs())),
    check: (token, audiences = [issuer]) => {
      const known = signed.get(token)
      const parsed = known ?? parseToken(token)
      if (parsed === undefined || parsed.claims['iss'] !== issuer) return undefined
      const trusted = find(parsed.keyId)
      if (trusted === undefined) return { error: 'invalid signature, no keys found' }
      if (known === undefined) {
        if (!parsed.isSignedBy(trusted.key)) return { error: 'invalid signature' }
        remember(token, parsed)
      }
      return proofOf(options, parsed, trusted, audiences)
    },
  }
}

function claimsOf(content: TokenContent, issuer: string, nowMs: number): JsonObject {
  const { account, audiences, seconds, bound, node } = content
  const { name, namespace = 'default', uid } = account.metadata
  const now = Math.floor(nowMs / 1_000)
  const reference = (object: KubeObject): JsonObject => ({
    name: object.metadata.name,
    uid: object.metadata.uid,
  })
  return {
    aud: audiences,
    exp: now + seconds,
    iat: now,
    iss: issuer,
    jti: randomUUID(),
    'kubernetes.io': {
      namespace,
      ...(node === undefined ? {} : { node: { name: node.name, uid: node.uid } }),
      ...(bound === undefined ? {} : { [bound.kind]: reference(bound.object) }),
      serviceaccount: { name, uid },
    },
    nbf: now,
    sub: accountUserName({ namespace, name }),
  }
}

function proofOf(
  options: AccountTokensOptions,
  { claims }: ParsedToken,
  trusted: TrustedKey,
  wanted: readonly string[],
): TokenProof {
  const given = typeof claims['aud'] === 'string' ? [claims['aud']] : texts(claims['aud'])
  const audiences = given.filter((audience) => wanted.includes(audience))
  if (audiences.length === 0) {
    const list = (items: readonly string[]): string => `[${items.map(quote).join(' ')}]`
    return {
      error: `token audiences ${list(given)} is invalid for the target audiences ${list(wanted)}`,
    }
  }
  const facts = mapAt(claims, 'kubernetes.io')
  const namespace = textAt(facts, 'namespace') ?? ''
  const name = textAt(facts, 'serviceaccount', 'name') ?? ''
  if (claims['sub'] !== accountUserName({ namespace, name })) return { error: 'Token: bad subject' }
  const error =
    timeError(options, claims, namespace, facts) ??
    accountError(options, namespace, name, facts) ??
    boundError(options, namespace, facts) ??
    nodeError(options, trusted, { namespace, name }, facts)
  if (error !== undefined) return { error }
  return { user: userOf({ namespace, name }, claims, facts), audiences }
}

function quote(text: string): string {
  return JSON.stringify(text)
}

function timeError(
  { store, clock, outlives }: AccountTokensOptions,
  claims: JsonObject,
  namespace: string,
  facts: JsonObject | undefined,
): string | undefined {
  const problem = problemAt(clock.wallMs() / 1_000, claims)
  if (problem === undefined) return undefined
  const name = textAt(facts, 'pod', 'name')
  const pod = name === undefined ? undefined : store.get({ resource: 'pods', namespace, name })
  return pod !== undefined && isRunning(pod) && outlives?.(pod) === true ? undefined : problem
}

function problemAt(now: number, claims: JsonObject): string | undefined {
  const notBefore = numberAt(claims, 'nbf') ?? 0
  const issuedAt = numberAt(claims, 'iat') ?? 0
  if (now < notBefore - LEEWAY_SECONDS) return 'service account token is not valid yet'
  if (now < issuedAt - LEEWAY_SECONDS) return 'service account token is issued in the future'
  if (now <= (numberAt(claims, 'exp') ?? 0) + LEEWAY_SECONDS) return undefined
  return 'service account token has expired'
}

function isRunning(pod: KubeObject): boolean {
  const phase = textAt(pod, 'status', 'phase')
  return pod.metadata.deletionTimestamp === undefined && phase !== 'Succeeded' && phase !== 'Failed'
}

function accountError(
  { store, clock }: AccountTokensOptions,
  namespace: string,
  name: string,
  facts: JsonObject | undefined,
): string | undefined {
  const account = store.get({ resource: 'serviceaccounts', namespace, name })
  if (account === undefined) return `serviceaccounts ${quote(name)} not found`
  const uid = textAt(facts, 'serviceaccount', 'uid')
  if (account.metadata.uid !== uid)
    return `service account UID (${account.metadata.uid ?? ''}) does not match claim (${uid ?? ''})`
  return isDeleted(account, clock)
    ? `service account ${namespace}/${name} has been deleted`
    : undefined
}

/** What a token is bound to has to be there still, and to be the same. */
function boundError(
  { store, clock }: AccountTokensOptions,
  namespace: string,
  facts: JsonObject | undefined,
): string | undefined {
  const isPodBound = mapAt(facts, 'pod') !== undefined
  for (const [kind, text] of [
    ['secret', 'secret ref'],
    ['pod', 'pod ref'],
    ['node', 'node ref'],
  ] as const) {
    const reference = mapAt(facts, kind)
    // The node of a pod is told, not checked: the pod is.
    if (reference === undefined || (kind === 'node' && isPodBound)) continue
    const place = kind === 'node' ? {} : { namespace }
    const name = textAt(reference, 'name') ?? ''
    const object = store.get({ resource: `${kind}s`, ...place, name })
    if (object === undefined || isDeleted(object, clock))
      return 'service account token has been invalidated'
    const uid = textAt(reference, 'uid')
    const shown = { secret: 'secret', pod: 'pod', node: 'node' }[kind]
    if (object.metadata.uid !== uid)
      return `${shown} UID (${object.metadata.uid ?? ''}) does not match service account ${text} claim (${uid ?? ''})`
  }
  return undefined
}

/** A node's key counts for pods that are bound to that node and run as that account. */
function nodeError(
  { store, mayNodeSpeakFor }: AccountTokensOptions,
  { nodes }: TrustedKey,
  account: AccountName,
  facts: JsonObject | undefined,
): string | undefined {
  if (nodes === undefined) return undefined
  const name = textAt(facts, 'pod', 'name')
  const { namespace } = account
  const pod = name === undefined ? undefined : store.get({ resource: 'pods', namespace, name })
  const node = textAt(pod, 'spec', 'nodeName') ?? ''
  const isItsPod = pod !== undefined && nodes.has(node) && accountOf(pod).name === account.name
  if (isItsPod && mayNodeSpeakFor?.(node, account) !== false) return undefined
  return `a node signed a token of service account ${namespace}/${account.name} that it may not speak for`
}

/** The service account that a pod runs as. */
export function accountOf(pod: KubeObject): AccountName {
  const name = textAt(pod, 'spec', 'serviceAccountName') ?? textAt(pod, 'spec', 'serviceAccount')
  return { namespace: pod.metadata.namespace ?? 'default', name: name ?? 'default' }
}

function isDeleted({ metadata }: KubeObject, clock: Clock): boolean {
  const { deletionTimestamp } = metadata
  if (deletionTimestamp === undefined) return false
  return Date.parse(deletionTimestamp) < clock.wallMs() - LEEWAY_SECONDS * 1_000
}

function userOf(account: AccountName, claims: JsonObject, facts: JsonObject | undefined): User {
  const extra: Record<string, readonly string[]> = {}
  const add = (key: string, value: string | undefined): void => {
    if (value !== undefined) extra[EXTRA + key] = [value]
  }
  const id = textAt(claims, 'jti')
  add('credential-id', id === undefined ? undefined : `JTI=${id}`)
  add('node-name', textAt(facts, 'node', 'name'))
  add('node-uid', textAt(facts, 'node', 'uid'))
  add('pod-name', textAt(facts, 'pod', 'name'))
  add('pod-uid', textAt(facts, 'pod', 'uid'))
  return {
    name: accountUserName(account),
    uid: textAt(facts, 'serviceaccount', 'uid') ?? '',
    groups: [...accountGroups(account.namespace), AUTHENTICATED],
    extra,
  }
}
