import type { ActorId, CollectionId, DocumentId, EventHash, ReplicaId } from '../ids.ts'
import type { Origin } from './generation-origin.ts'

// The key-value side of a storage, as the log uses it. docs/storage-format.md lists these keys.

/** Who this log belongs to. */
export const IDENTITY_KEY = 'identity'

/** One record a document: its collection, generation, newest position. */
export const DOCUMENT_PREFIX = 'd/'

export function documentKey(document: DocumentId): string {
  return DOCUMENT_PREFIX + document
}

/** One key a document that is here, under the collection that is its home. No value. */
export const HOME_PREFIX = 'c/'

export function homePrefix(collection: CollectionId): string {
  return `${HOME_PREFIX}${collection}\u0000`
}

export function homeKey(collection: CollectionId, document: DocumentId): string {
  return homePrefix(collection) + document
}

/** (document, actor, sequence) -> hash: one place, one event. */
export function sequenceKey(document: DocumentId, actor: ActorId, sequence: number): string {
  return `q/${document}\u0000${actor}/${sequence}`
}

export function sequencePrefix(document: DocumentId): string {
  return `q/${document}\u0000`
}

/** Documents of which entries were damaged and are not all back. */
export const DAMAGE_PREFIX = 'z/'

export function damageKey(document: DocumentId): string {
  return DAMAGE_PREFIX + document
}

/** One digest a collection. */
export const DIGEST_PREFIX = 'g/'

export function digestKey(collection: CollectionId): string {
  return DIGEST_PREFIX + collection
}

export const PEER_PREFIX = 'p/'

export function peerKey(replica: ReplicaId): string {
  return PEER_PREFIX + replica
}

/** Events of a generation that is over, or not here yet: one key each. */
export const LATE_PREFIX = 'l/'

export function latePrefix(document: DocumentId): string {
  return `${LATE_PREFIX}${document}\u0000`
}

/** Under who wrote it first, and where: an event that names the same hash in another's name is another. */
export function lateKey(
  document: DocumentId,
  { hash, actor, place }: Pick<Origin, 'hash' | 'actor' | 'place'>,
): string {
  return `${latePrefix(document)}${actor}/${place.generation}/${place.sequence}/${hash}`
}

/** Events of ours that a peer refused. */
export const REJECTED_PREFIX = 'r/'

export function rejectedPrefix(document: DocumentId): string {
  return `${REJECTED_PREFIX}${document}\u0000`
}

export function rejectedKey(document: DocumentId, hash: EventHash): string {
  return rejectedPrefix(document) + hash
}

/** Changes with each refusal in a log that several openers share. */
export const REFUSALS_KEY = 'shared/refusals'

/** Who writes under which epochs. */
export const AUTHOR_PREFIX = 'a/'

export function authorKey(replica: ReplicaId): string {
  return AUTHOR_PREFIX + replica
}

/** Writers whose events are refused. */
export const QUARANTINE_PREFIX = 'x/'

export function quarantineKey(actor: ActorId): string {
  return QUARANTINE_PREFIX + actor
}
