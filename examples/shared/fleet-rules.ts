import { nodeCollection } from 'tideway'
import {
  CLUSTER_COLLECTION,
  homeOf,
  type KubeObject,
  mapAt,
  mapsAt,
  namespaceCollection,
  type ObjectKey,
  secretCollection,
} from 'tideway/adapters/kubernetes/objects'

/** What nodes may write of what a namespace shares. The rest of it is the cloud's. */
const NODES_WRITE: ReadonlySet<string> = new Set(['configmaps', 'replicasets.apps'])

/** Whether nodes may write objects of this kind that are not in their own collection. */
export function nodesWrite(resource: string): boolean {
  return NODES_WRITE.has(resource)
}

/** The collections that every node shares from its first connection on. */
export function firstCollections(node: string): readonly string[] {
  return [CLUSTER_COLLECTION, nodeCollection(node), namespaceCollection('default')]
}

/**
 * Why the replica on a node may not write an object, in words for its user; undefined when it may. It
 * is what the cloud would say to it later, said at once.
 */
export function refusalAtNode(
  node: string,
  key: ObjectKey,
  object: KubeObject | undefined,
): string | undefined {
  const metadata = object?.metadata ?? { name: key.name, namespace: key.namespace ?? 'default' }
  const shape = { apiVersion: 'v1', kind: '', ...object, metadata } as KubeObject
  const home = homeOf(key.resource, shape)
  if (home === nodeCollection(node)) return undefined
  if (
    nodesWrite(key.resource) &&
    key.namespace !== undefined &&
    home === namespaceCollection(key.namespace)
  )
    return undefined
  const hint =
    key.resource === 'pods'
      ? `only pods with spec.nodeName ${node} can be made here`
      : `nodes write what is theirs, and ${[...NODES_WRITE].join(' and ')} of namespaces`
  return `the node ${node} may not write ${key.resource} "${key.name}" of ${home}: ${hint}; use the API of the cloud`
}

/** A pod made at a node is for that node, unless it says otherwise: no scheduler is asked, so it works offline. */
export function boundTo(node: string, pod: KubeObject): KubeObject {
  if (nodeNameOf('pods', pod) !== undefined) return pod
  return { ...pod, spec: { ...mapAt(pod, 'spec'), nodeName: node } }
}

/** The collections of the secrets that a pod, or a replica set's template, needs on its node. */
export function secretsOf(resource: string, object: KubeObject): readonly string[] {
  const spec =
    resource === 'pods' ? mapAt(object, 'spec') : mapAt(object, 'spec', 'template', 'spec')
  const namespace = object.metadata.namespace ?? 'default'
  const names = new Set<string>()
  const add = (name: unknown): void => {
    if (typeof name === 'string' && name !== '') names.add(name)
  }
  for (const reference of mapsAt(spec, 'imagePullSecrets')) add(reference['name'])
  for (const volume of mapsAt(spec, 'volumes')) {
    add(mapAt(volume, 'secret')?.['secretName'])
    for (const source of mapsAt(mapAt(volume, 'projected'), 'sources'))
      add(mapAt(source, 'secret')?.['name'])
  }
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of mapsAt(spec, list)) {
      for (const from of mapsAt(container, 'envFrom')) add(mapAt(from, 'secretRef')?.['name'])
      for (const variable of mapsAt(container, 'env'))
        add(mapAt(variable, 'valueFrom', 'secretKeyRef')?.['name'])
    }
  }
  return [...names].map((name) => secretCollection(namespace, name))
}

/** The service account that a pod, or the pods of a replica set, run as. */
export function accountNameOf(resource: string, object: KubeObject): string {
  const spec =
    resource === 'pods' ? mapAt(object, 'spec') : mapAt(object, 'spec', 'template', 'spec')
  const name = spec?.['serviceAccountName'] ?? spec?.['serviceAccount']
  return typeof name === 'string' && name !== '' ? name : 'default'
}

/** The node that a pod, or the pods of a replica set, are bound to; undefined for any. */
export function nodeNameOf(resource: string, object: KubeObject): string | undefined {
  const spec =
    resource === 'pods' ? mapAt(object, 'spec') : mapAt(object, 'spec', 'template', 'spec')
  const node = spec?.['nodeName']
  return typeof node === 'string' && node !== '' ? node : undefined
}

/** The kinds whose objects can bring secrets to a node. */
export const SECRET_USERS: readonly string[] = ['pods', 'replicasets.apps']
