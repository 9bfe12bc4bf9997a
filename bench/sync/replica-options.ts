import { consoleLogger, type Policy, type ReplicaOptions } from 'tideway'
import { nodeCompression, nodeSha256 } from 'tideway/node'

/** What the programs for Node give every replica. */
export function replicaOptions(): Omit<ReplicaOptions, 'storage'> {
  return {
    sha256: nodeSha256(),
    compression: nodeCompression(),
    logger: consoleLogger('error'),
  }
}

/** At the cloud: each peer is the node that it says, and may do everything in collections of its own. */
export const CLOUD_POLICY: Policy = {
  mayConnect: (principal, replica) =>
    principal === replica ? undefined : { code: 'ACCESS_DENIED', message: 'not your name' },
  mayRead: (principal, collection) => isShared(principal, collection),
  mayWrite: (principal, { collection }) =>
    isShared(principal, collection)
      ? undefined
      : { code: 'ACCESS_DENIED', message: 'not your collection' },
}

/** At an edge: whoever it dialled may do everything. */
export const EDGE_POLICY: Policy = { mayRead: () => true, mayWrite: () => undefined }

export const SHARED = 'shared/all'

/** The collection of what belongs to one edge. */
export function collectionOf(edge: string): string {
  return `node/${edge}`
}

function isShared(edge: string, collection: string): boolean {
  return collection === SHARED || collection === collectionOf(edge)
}
