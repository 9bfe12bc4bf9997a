import type { ActorId, CollectionId, DocumentId, EventHash, ReplicaId } from '../ids.ts'

// The key-value side of a storage, as the log uses it. docs/storage-format.md lists these keys.

/** Who this log belongs to. */
export const IDENTITY_KEY = 'identity'

/** One record a document: its collection, generation, newest position. */
export const DOCUMENT_PREFIX = 'd/'

export function documentKey(document: DocumentId): string {
  return DOCUMENT_PREFIX + document
}

/** (document, actor, sequence) -> hash: one place, one event. */
export function sequenceKey(document: DocumentId, actor: ActorId, sequence: number): string {
  return `q/${document}\u0000${actor}/${sequence}`
}

export function digestKey(collection: CollectionId): string {
  return `g/${collection}`
}

export const PEER_PREFIX = 'p/'

export function peerKey(replica: ReplicaId): string {
  return PEER_PREFIX + replica
}

/** Events of ours that a peer refused. */
export const REJECTED_PREFIX = 'r/'

export function rejectedPrefix(document: DocumentId): string {
  return `${REJECTED_PREFIX}${document}\u0000`
}

export function rejectedKey(document: DocumentId, hash: EventHash): string {
  return rejectedPrefix(document) + hash
}
