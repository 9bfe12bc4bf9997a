import { isObject } from '../objects/read.ts'
import type { KubeObject, ObjectKey, ObjectStore } from '../objects/types.ts'
import { keyJson, type PublicKey, parseKey } from './jwt.ts'

/** A key whose signatures count. */
export interface TrustedKey {
  readonly key: PublicKey
  /** Set: it counts only for service accounts of pods that are bound to one of these nodes. */
  readonly nodes?: ReadonlySet<string> | undefined
}

/** The keys whose signatures count at this replica. */
export interface TrustedKeys {
  /** @returns the key with this id (`kid`), or undefined when none is believed under it. */
  find(id: string): TrustedKey | undefined
  /** Those that count for every account: what OpenID Connect discovery tells. */
  cluster(): readonly PublicKey[]
  /** Follows the store no longer. Idempotent. */
  close(): void
}

/** Where the keys of the cluster are written: an annotation of the namespace kube-system. */
export const CLUSTER_KEYS_ANNOTATION = 'tideway.dev/service-account-keys'

/** Where the key of a node is written: an annotation of the node. */
export const NODE_KEY_ANNOTATION = 'tideway.dev/service-account-key'

/** How many keys the cluster has at most; the oldest goes when one more comes. */
export const CLUSTER_KEYS_MAX = 4

const HOME: ObjectKey = { resource: 'namespaces', name: 'kube-system' }
const AUTHOR = 'service-account-keys'

/** An annotation with more characters than this holds no keys. */
const ANNOTATION_CHARACTERS_MAX = 8_192

/**
 * Follows the keys that documents tell of: those of the cluster, which only the cloud can write, and
 * one a node, which only that node and the cloud can write.
 */
export function createTrustedKeys(store: Pick<ObjectStore, 'get' | 'list' | 'watch'>): TrustedKeys {
  let cluster: readonly PublicKey[] = []
  const nodes = new Map<string, { readonly text: string; readonly id: string | undefined }>()
  /** A node that claims another one's key takes nothing from it. */
  const byId = new Map<string, { readonly key: PublicKey; readonly nodes: Set<string> }>()
  const readNode = ({ metadata }: KubeObject, isGone: boolean): void => {
    const text = isGone ? '' : (metadata.annotations?.[NODE_KEY_ANNOTATION] ?? '')
    const known = nodes.get(metadata.name)
    // Nodes report their status often; their keys stay.
    if ((known?.text ?? '') === text) return
    const before = byId.get(known?.id ?? '')
    before?.nodes.delete(metadata.name)
    if (before?.nodes.size === 0) byId.delete(before.key.id)
    const key = parseKey(parse(text))
    if (text === '') nodes.delete(metadata.name)
    else nodes.set(metadata.name, { text, id: key?.id })
    if (key === undefined) return
    const entry = byId.get(key.id) ?? { key, nodes: new Set<string>() }
    byId.set(key.id, entry)
    entry.nodes.add(metadata.name)
  }
  const readCluster = (object: KubeObject | undefined): void => {
    cluster = keysOf(object)
  }
  readCluster(store.get(HOME))
  const { items, resourceVersion } = store.list('nodes')
  for (const node of items) readNode(node, false)
  const cancels = [
    store.watch('namespaces', {}, ({ type, object }) => {
      if (object.metadata.name === HOME.name) readCluster(type === 'DELETED' ? undefined : object)
    }),
    store.watch('nodes', { since: resourceVersion }, ({ type, object }) =>
      readNode(object, type === 'DELETED'),
    ),
  ]
  return {
    find: (id) => {
      const key = cluster.find((item) => item.id === id)
      return key === undefined ? byId.get(id) : { key }
    },
    cluster: () => cluster,
    close: () => {
      for (const cancel of cancels.splice(0)) cancel()
    },
  }
}

/**
 * Writes the key of the cluster down, so that every replica can check what it signs. Earlier keys stay
 * until there are more than {@link CLUSTER_KEYS_MAX}.
 *
 * @throws ObjectError when the namespace kube-system is not there, or cannot be written.
 */
export async function publishClusterKey(store: ObjectStore, key: PublicKey): Promise<void> {
  const change = (namespace: KubeObject): KubeObject => {
    const keys = keysOf(namespace)
    if (keys.some(({ id }) => id === key.id)) return namespace
    const all = [...keys, key].slice(-CLUSTER_KEYS_MAX).map(keyJson)
    return annotated(namespace, CLUSTER_KEYS_ANNOTATION, JSON.stringify(all))
  }
  await store.update(HOME, change, { part: 'desired', author: AUTHOR })
}

/**
 * Keeps the key of a node written down in its object, also when that is made later or anew.
 *
 * @param onError is told of an attempt that failed; the next change of the node makes another one.
 * @returns stops it, and waits for what is under way.
 */
export function keepNodeKey(
  store: ObjectStore,
  node: string,
  key: PublicKey,
  onError: (error: unknown) => void,
): () => Promise<void> {
  const text = JSON.stringify(keyJson(key))
  let writing: Promise<unknown> = Promise.resolve()
  let isQueued = false
  const look = (object: KubeObject | undefined): void => {
    if (object === undefined || isQueued) return
    if (object.metadata.annotations?.[NODE_KEY_ANNOTATION] === text) return
    isQueued = true
    const write = (): Promise<unknown> => {
      isQueued = false
      const change = (current: KubeObject): KubeObject =>
        annotated(current, NODE_KEY_ANNOTATION, text)
      const where = { resource: 'nodes', name: node }
      return store.update(where, change, { part: 'desired', author: AUTHOR })
    }
    writing = writing.then(write).catch(onError)
  }
  const cancel = store.watch('nodes', {}, ({ type, object }) => {
    if (object.metadata.name === node && type !== 'DELETED') look(object)
  })
  look(store.get({ resource: 'nodes', name: node }))
  return async () => {
    cancel()
    await writing
  }
}

/**
 * Why an object may not be written as it is: the keys in it are kept by the programs, and a client
 * that changed them could sign tokens for anybody. Undefined when it does not touch them.
 */
export function keyChangeRefusal(
  resource: string,
  object: KubeObject | undefined,
  before: KubeObject | undefined,
): string | undefined {
  const annotation = { namespaces: CLUSTER_KEYS_ANNOTATION, nodes: NODE_KEY_ANNOTATION }[resource]
  if (annotation === undefined || object === undefined) return undefined
  const read = (from: KubeObject | undefined): string | undefined =>
    from?.metadata.annotations?.[annotation]
  if (read(object) === read(before)) return undefined
  return `the annotation ${annotation} holds the keys that service account tokens are checked with: it is kept by the cluster and cannot be changed`
}

function keysOf(namespace: KubeObject | undefined): readonly PublicKey[] {
  const list = parse(namespace?.metadata.annotations?.[CLUSTER_KEYS_ANNOTATION] ?? '')
  if (!Array.isArray(list)) return []
  return list
    .slice(-CLUSTER_KEYS_MAX)
    .map(parseKey)
    .filter((key) => key !== undefined)
}

function annotated(object: KubeObject, name: string, value: string): KubeObject {
  const annotations = { ...object.metadata.annotations, [name]: value }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

function parse(text: string): unknown {
  if (text === '' || text.length > ANNOTATION_CHARACTERS_MAX) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) || Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
