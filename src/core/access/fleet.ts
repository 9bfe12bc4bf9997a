import type { CollectionId, DocumentId, ReplicaId } from '../ids.ts'
import { DENIED, type Policy, type Principal, type WriteRequest } from './policy.ts'

/** The principal of the cloud side of a fleet. */
export const CLOUD: Principal = 'cloud'

/** The principal of the replica on a node. */
export function nodePrincipal(node: string): Principal {
  return `node/${node}`
}

/** The node that a principal stands for, if it is one. */
export function nodeOf(principal: Principal): string | undefined {
  return principal.startsWith('node/') ? principal.slice('node/'.length) : undefined
}

/** The collection of what belongs to one node. */
export function nodeCollection(node: string): CollectionId {
  return `node/${node}`
}

/** What the cloud lets the replica on a node do beyond its own collection. */
export interface CloudRules {
  /** Whether the node may see this collection: because of what runs on it, or because all may. */
  mayNodeRead(node: string, collection: CollectionId): boolean
  /** Whether the node may write this document of a collection that it may read. */
  mayNodeWrite(
    node: string,
    document: DocumentId,
    collection: CollectionId,
    exists: boolean,
  ): boolean
  /** Whether the node may deliver what another replica wrote. Default: no. */
  mayNodeRelay?(node: string, author: ReplicaId): boolean
}

/**
 * The policy at the cloud: a node reads and writes all of `node/<its name>`, and of other collections
 * what `rules` allow. It may connect only as the replica that bears its name, and it may not move or drop
 * documents: homes are the cloud's decision. What another replica wrote it may not deliver in that one's
 * name, unless `rules` allow it.
 */
export function cloudPolicy(rules: CloudRules): Policy {
  return {
    mayConnect: (principal, replica) => (nodeOf(principal) === replica ? undefined : DENIED),
    mayRead: (principal, collection) => {
      const node = nodeOf(principal)
      if (node === undefined) return false
      return collection === nodeCollection(node) || rules.mayNodeRead(node, collection)
    },
    mayWrite: (principal, request) => {
      const node = nodeOf(principal)
      return node !== undefined && mayNodeWrite(rules, node, request) ? undefined : DENIED
    },
    mayRelay: (principal, author) => {
      const node = nodeOf(principal)
      if (author === undefined || author === node) return true
      return node !== undefined && (rules.mayNodeRelay?.(node, author) ?? false)
    },
  }
}

function mayNodeWrite(rules: CloudRules, node: string, request: WriteRequest): boolean {
  if (request.kind === 'leave' || request.kind === 'join') return false
  const { collection, document, exists } = request
  if (collection === nodeCollection(node)) return true
  // History is cut by the owner. In its own collection a node gives back what a restored cloud lost.
  if (request.kind === 'base') return false
  return (
    rules.mayNodeRead(node, collection) && rules.mayNodeWrite(node, document, collection, exists)
  )
}

/** The policy at a node: the cloud may do everything, nobody else anything. */
export function edgePolicy(): Policy {
  return {
    mayConnect: (principal: Principal, _replica: ReplicaId) =>
      principal === CLOUD ? undefined : DENIED,
    mayRead: (principal) => principal === CLOUD,
    mayWrite: (principal) => (principal === CLOUD ? undefined : DENIED),
  }
}
