import { nodeCollection } from '../../../core/index.ts'
import { textAt } from './read.ts'
import type { KubeObject } from './types.ts'

/** What every replica of a fleet may see: namespaces and what belongs to none. */
export const CLUSTER_COLLECTION = 'cluster'

/** Pods that no node runs yet: only the cloud has them. */
export const UNSCHEDULED_COLLECTION = 'unscheduled'

/** What a namespace shares: config maps, services, service accounts, replica sets of no node. */
export function namespaceCollection(namespace: string): string {
  return `namespace/${namespace}`
}

/** A secret alone, so that a node sees those that its pods use and no other. */
export function secretCollection(namespace: string, name: string): string {
  return `secret/${namespace}/${name}`
}

/** The namespace and name of a secret's collection, or undefined for another collection. */
export function parseSecretCollection(
  collection: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const [prefix, namespace, name, ...rest] = collection.split('/')
  if (prefix !== 'secret' || namespace === undefined || name === undefined || rest.length > 0)
    return undefined
  return { namespace, name }
}

/** The home collection of an object: where its documents are, and so who gets them. */
export function homeOf(resource: string, object: KubeObject): string {
  const { name, namespace = 'default' } = object.metadata
  switch (resource) {
    case 'pods':
      return nodeHome(textAt(object, 'spec', 'nodeName')) ?? UNSCHEDULED_COLLECTION
    case 'nodes':
    case 'csinodes.storage.k8s.io':
      return nodeCollection(name)
    case 'secrets':
      return secretCollection(namespace, name)
    case 'events':
      return eventHome(object) ?? namespaceCollection(namespace)
    case 'leases.coordination.k8s.io':
      return namespace === 'kube-node-lease' ? nodeCollection(name) : namespaceCollection(namespace)
    case 'replicasets.apps': {
      const node = textAt(object, 'spec', 'template', 'spec', 'nodeName')
      return nodeHome(node) ?? namespaceCollection(namespace)
    }
    default:
      return object.metadata.namespace === undefined
        ? CLUSTER_COLLECTION
        : namespaceCollection(namespace)
  }
}

function eventHome(event: KubeObject): string | undefined {
  const isOfNode = textAt(event, 'involvedObject', 'kind') === 'Node'
  return nodeHome(
    isOfNode ? textAt(event, 'involvedObject', 'name') : textAt(event, 'source', 'host'),
  )
}

function nodeHome(node: string | undefined): string | undefined {
  return node === undefined ? undefined : nodeCollection(node)
}
