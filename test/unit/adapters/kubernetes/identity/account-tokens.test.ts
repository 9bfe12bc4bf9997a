import { type Clock, systemClock } from 'tideway'
import type { KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type AccountTokens,
  type AccountTokensOptions,
  createAccountTokens,
} from '../../../../../src/adapters/kubernetes/identity/account-tokens.ts'
import {
  createSigningKey,
  keyJson,
  openSigningKey,
  parseToken,
  type SigningKey,
} from '../../../../../src/adapters/kubernetes/identity/jwt.ts'
import {
  CLUSTER_KEYS_MAX,
  createTrustedKeys,
  keepNodeKey,
  NODE_KEY_ANNOTATION,
  publishClusterKey,
  type TrustedKeys,
} from '../../../../../src/adapters/kubernetes/identity/trusted-keys.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'

const newKey = (): SigningKey => openSigningKey(createSigningKey())
const cloudKey = newKey()
const edgeKey = newKey()
const otherKey = newKey()

let aheadMs = 0
const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs }
let replica: Awaited<ReturnType<typeof openTestReplica>>
let store: OpenObjectStore
let keys: TrustedKeys
let account: KubeObject
let pod: KubeObject

function object(kind: string, name: string, fields: object = {}, namespace = 'default') {
  const metadata = namespace === '' ? { name } : { name, namespace }
  return { apiVersion: 'v1', kind, metadata, ...fields } as KubeObject
}

beforeAll(async () => {
  replica = await openTestReplica()
  store = await openTestStore(replica)
  await store.create(object('Namespace', 'kube-system', {}, ''))
  for (const name of ['edge-1', 'edge-2']) await store.create(object('Node', name, {}, ''))
  account = await store.create(object('ServiceAccount', 'robot'))
  const spec = { nodeName: 'edge-1', serviceAccountName: 'robot', containers: [] }
  pod = await store.create(object('Pod', 'on-1', { spec }))
  await publishClusterKey(store, cloudKey.publicKey)
  const failed = (error: unknown): void => {
    throw error
  }
  await keepNodeKey(store, 'edge-1', edgeKey.publicKey, failed)()
  await keepNodeKey(store, 'edge-2', otherKey.publicKey, failed)()
  keys = createTrustedKeys(store)
})
afterAll(async () => {
  keys.close()
  await store.close()
  await replica.close()
})

function tokens(key: SigningKey, options: Partial<AccountTokensOptions> = {}): AccountTokens {
  return createAccountTokens({ store, key, keys, clock, ...options })
}

function issue(from: AccountTokens, bound: KubeObject | undefined, seconds = 600): string {
  return from.issue({
    account,
    audiences: [from.issuer],
    seconds,
    ...(bound === undefined ? {} : { bound: { kind: 'pod', object: bound } }),
  })
}

describe('tokens of the cloud', () => {
  test('count at every replica that has its documents', () => {
    const token = issue(tokens(cloudKey), undefined)
    expect(tokens(newKey()).check(token)).toMatchObject({
      user: { name: 'system:serviceaccount:default:robot', uid: account.metadata.uid },
    })
  })

  test('count for nothing when a character of them changes', () => {
    const token = issue(tokens(cloudKey), undefined)
    for (let at = 0; at < token.length; at += 7) {
      const letter = token[at] === 'A' ? 'B' : 'A'
      const proof = tokens(edgeKey).check(token.slice(0, at) + letter + token.slice(at + 1))
      expect(proof === undefined || 'error' in proof, `character ${at}`).toBe(true)
    }
  })

  test('count for nothing without a signature, or with another way to sign', () => {
    const [, payload = ''] = issue(tokens(cloudKey), undefined).split('.')
    const header = (fields: object): string =>
      Buffer.from(JSON.stringify(fields)).toString('base64url')
    const kid = cloudKey.publicKey.id
    for (const alg of ['none', 'HS256', 'RS256']) {
      const token = `${header({ alg, kid })}.${payload}.`
      expect(tokens(edgeKey).check(token)).toBeUndefined()
      expect(tokens(edgeKey).check(`${token}AAAA`)).toBeUndefined()
    }
    expect(tokens(edgeKey).check('')).toBeUndefined()
    expect(tokens(edgeKey).check('x'.repeat(100_000))).toBeUndefined()
    expect(parseToken('a.b')).toBeUndefined()
  })
})

describe('tokens of a node', () => {
  test('count for the accounts of pods that are bound to it', () => {
    const token = issue(tokens(edgeKey), pod)
    expect(tokens(cloudKey).check(token)).toMatchObject({
      user: { extra: { 'authentication.kubernetes.io/pod-name': ['on-1'] } },
    })
  })

  test('count at the node itself, whatever they are bound to', () => {
    const token = issue(tokens(edgeKey), undefined)
    expect(tokens(edgeKey).check(token)).toMatchObject({ user: {} })
    expect(tokens(cloudKey).check(token)).toMatchObject({ error: expect.any(String) })
  })

  test('count for no pod of another node, and for no other account', async () => {
    const refused = { error: expect.stringContaining('may not speak for') }
    expect(tokens(cloudKey).check(issue(tokens(otherKey), pod))).toEqual(refused)
    const spec = { nodeName: 'edge-1', serviceAccountName: 'other', containers: [] }
    const second = await store.create(object('Pod', 'as-other', { spec }))
    expect(tokens(cloudKey).check(issue(tokens(edgeKey), second))).toEqual(refused)
  })

  test('count for no account that the cloud did not give it', () => {
    const asked: string[] = []
    const cloud = tokens(cloudKey, {
      mayNodeSpeakFor: (node, { namespace, name }) => {
        asked.push(`${node} ${namespace}/${name}`)
        return false
      },
    })
    expect(cloud.check(issue(tokens(edgeKey), pod))).toMatchObject({ error: expect.any(String) })
    expect(asked).toEqual(['edge-1 default/robot'])
  })

  test('count when another node claims the same key', async () => {
    const claimed = JSON.stringify(keyJson(edgeKey.publicKey))
    const claim =
      (value: string) =>
      (node: KubeObject): KubeObject => ({
        ...node,
        metadata: { ...node.metadata, annotations: { [NODE_KEY_ANNOTATION]: value } },
      })
    const where = { resource: 'nodes', name: 'edge-2' }
    await store.update(where, claim(claimed), { part: 'desired' })
    expect(tokens(cloudKey).check(issue(tokens(edgeKey), pod))).toMatchObject({ user: {} })
    await store.update(where, claim('{"kty":"EC"}'), { part: 'desired' })
    await eventually(() => keys.find(edgeKey.publicKey.id)?.nodes?.size === 1)
    expect(keys.find(otherKey.publicKey.id)).toBeUndefined()
    expect(tokens(cloudKey).check(issue(tokens(edgeKey), pod))).toMatchObject({ user: {} })
  })
})

describe('the end of a token', () => {
  test('is put off at a node that is cut off, for a pod that runs there, and so is its beginning', async () => {
    const token = issue(tokens(cloudKey), pod)
    const unbound = issue(tokens(cloudKey), undefined)
    let isCutOff = true
    const edge = tokens(edgeKey, { outlives: () => isCutOff })
    const expired = { error: 'service account token has expired' }
    aheadMs = 3_600_000
    try {
      expect(tokens(cloudKey).check(token)).toEqual(expired)
      expect(edge.check(token)).toMatchObject({ user: {} })
      expect(edge.check(unbound)).toEqual(expired)
      aheadMs = -3_600_000
      expect(edge.check(token)).toMatchObject({ user: {} })
      expect(edge.check(unbound)).toEqual({ error: 'service account token is not valid yet' })
      aheadMs = 3_600_000
      isCutOff = false
      expect(edge.check(token)).toEqual(expired)
      isCutOff = true
      const where = { resource: 'pods', namespace: 'default', name: 'on-1' }
      const finish = (now: KubeObject): KubeObject => ({ ...now, status: { phase: 'Succeeded' } })
      await store.update(where, finish, { part: 'observed' })
      expect(edge.check(token)).toEqual(expired)
    } finally {
      aheadMs = 0
    }
  })

  test('and its start are judged with some leeway for clocks', () => {
    const token = issue(tokens(cloudKey), undefined)
    aheadMs = -30_000
    expect(tokens(cloudKey).check(token)).toMatchObject({ user: {} })
    aheadMs = -3_600_000
    expect(tokens(cloudKey).check(token)).toMatchObject({
      error: 'service account token is not valid yet',
    })
    aheadMs = 630_000
    expect(tokens(cloudKey).check(token)).toMatchObject({ user: {} })
    aheadMs = 0
  })
})

test('earlier keys of the cluster go on counting, up to a number', async () => {
  const old = issue(tokens(cloudKey), undefined)
  for (let at = 1; at < CLUSTER_KEYS_MAX; at++) await publishClusterKey(store, newKey().publicKey)
  await eventually(() => keys.cluster().length === CLUSTER_KEYS_MAX)
  expect(tokens(edgeKey).check(old)).toMatchObject({ user: {} })
  await publishClusterKey(store, newKey().publicKey)
  await eventually(() => keys.find(cloudKey.publicKey.id) === undefined)
  expect(tokens(edgeKey).check(old)).toEqual({ error: 'invalid signature, no keys found' })
})
