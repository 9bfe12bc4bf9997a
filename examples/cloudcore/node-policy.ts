import {
  cloudPolicy,
  DENIED,
  nodeCollection,
  nodeOf,
  type Policy,
  type WriteRequest,
} from 'tideway'
import {
  CLUSTER_COLLECTION,
  namespaceCollection,
  parseDocumentId,
  parseSecretCollection,
} from 'tideway/adapters/kubernetes/objects'
import { nodesWrite } from '../shared/fleet-rules.ts'
import type { SecretAccess } from './secret-access.ts'

/** What a node may keep in its own collection. Anything else there would be a forgery. */
const OWN_KINDS: ReadonlySet<string> = new Set(['pods', 'replicasets.apps', 'events'])
const OWN_NAME_KINDS: ReadonlySet<string> = new Set(['nodes', 'leases.coordination.k8s.io'])

/**
 * What nodes may read and write at the cloud.
 *
 * They read what belongs to no namespace, every namespace, and the secrets that their pods need; never
 * the pods that wait for a node. They write what is theirs, and the config maps and replica sets of
 * namespaces.
 *
 * @param access answers as soon as the store is open; until then nobody is connected.
 */
export function nodePolicy(access: () => SecretAccess | undefined): Policy {
  const policy = cloudPolicy({
    mayNodeRead: (node, collection) => {
      if (collection === CLUSTER_COLLECTION || collection.startsWith('namespace/')) return true
      if (parseSecretCollection(collection) === undefined) return false
      return access()?.allows(node, collection) ?? false
    },
    mayNodeWrite: (_node, document, collection) => {
      const identity = parseDocumentId(document)?.identity
      if (identity?.namespace === undefined || !nodesWrite(identity.resource)) return false
      return collection === namespaceCollection(identity.namespace)
    },
  })
  return {
    ...policy,
    mayWrite: (principal, request) => {
      const denial = policy.mayWrite(principal, request)
      if (denial !== undefined) return denial
      return isForged(nodeOf(principal), request) ? DENIED : undefined
    },
  }
}

/** A node could otherwise make a secret or another node, by saying that it lives in its collection. */
function isForged(node: string | undefined, { collection, document }: WriteRequest): boolean {
  if (node === undefined || collection !== nodeCollection(node)) return false
  const identity = parseDocumentId(document)?.identity
  if (identity === undefined) return true
  if (OWN_NAME_KINDS.has(identity.resource)) return identity.name !== node
  return !OWN_KINDS.has(identity.resource)
}
