import type { Clock } from '../../../core/index.ts'
import { textAt } from '../objects/read.ts'
import { type KubeObject, ObjectError, type ObjectStore } from '../objects/types.ts'
import type { AccountTokens, TokenContent } from './account-tokens.ts'

/** What {@link podTokenIssuer} works with. */
export interface PodTokenIssuerOptions {
  readonly store: Pick<ObjectStore, 'get'>
  readonly accounts: AccountTokens
  readonly clock: Clock
}

/** What a token for a pod is to say. */
export interface PodTokenRequest {
  /** The namespace of the pod and of its service account. */
  readonly namespace: string
  /** The name of the service account. */
  readonly account: string
  /** The pod that the token ends with. */
  readonly pod: { readonly name: string; readonly uid: string }
  /** Whom it is for; undefined for the API. */
  readonly audience: string | undefined
  /** How long it counts. */
  readonly seconds: number
}

/** What kube-apiserver lets a token count at least, in seconds. */
const SECONDS_MIN = 600

/**
 * Makes what a node gives to its pods: tokens that are bound to them, without asking anybody.
 *
 * @returns a function that throws ObjectError NotFound when the account or the pod is not there.
 */
export function podTokenIssuer({ store, accounts, clock }: PodTokenIssuerOptions): (
  ask: PodTokenRequest,
) => {
  readonly token: string
  readonly expiresAtMs: number
} {
  return ({ namespace, account: name, pod: wanted, audience, seconds: asked }) => {
    const account = store.get({ resource: 'serviceaccounts', namespace, name })
    if (account === undefined) throw missing('serviceaccounts', namespace, name)
    const pod = store.get({ resource: 'pods', namespace, name: wanted.name })
    if (pod?.metadata.uid !== wanted.uid) throw missing('pods', namespace, wanted.name)
    const node = nodeOf(pod, store)
    const seconds = Math.max(asked, SECONDS_MIN)
    const expiresAtMs = clock.wallMs() + seconds * 1_000
    const audiences = [audience ?? accounts.issuer]
    const bound = { kind: 'pod', object: pod } as const
    return { token: accounts.issue({ account, audiences, seconds, bound, node }), expiresAtMs }
  }
}

function missing(resource: string, namespace: string, name: string): ObjectError {
  const key = { resource, namespace, name }
  return new ObjectError('NotFound', `${resource} "${name}" not found`, { key })
}

function nodeOf(pod: KubeObject, store: Pick<ObjectStore, 'get'>): TokenContent['node'] {
  const name = textAt(pod, 'spec', 'nodeName')
  if (name === undefined) return undefined
  return { name, uid: store.get({ resource: 'nodes', name })?.metadata.uid }
}
