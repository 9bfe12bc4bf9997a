import type { ActorId, CollectionId, DocumentId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { PeerState } from '../sync/io.ts'
import type { GenerationView } from './generation-plan.ts'
import type { DocumentRecord } from './records.ts'
import type { CheckedEvent } from './submission.ts'

/** What a plan needs to know of the log as it is. All of it has been fetched before planning starts. */
export interface PlanView {
  readonly sha256: Sha256
  record(document: DocumentId): DocumentRecord | undefined
  /** The hash of what stands at a place. */
  place(document: DocumentId, actor: ActorId, sequence: number): EventHash | undefined
  digest(collection: CollectionId): bigint
  /** Whether this actor is ours, or was under an epoch that is over. */
  readonly isOwn: (actor: ActorId) => boolean
  /** Whether this actor was ours under an epoch that is over. */
  isRetired(actor: ActorId): boolean
  /** Whether the event of this hash and message is the first one of a known kind of document. */
  isGenesis(hash: EventHash, message: string | undefined): boolean
  readonly genesisActor: string
  /** The events that count in a document, for a change of home. Only asked for documents in `moves`. */
  events(document: DocumentId): readonly CheckedEvent[]
  /** Of the same events, and the end of the document, those that no peer is known to have, but for who delivered them here. */
  unsent(document: DocumentId, peer: PeerState): ReadonlySet<EventHash>
  readonly generations: GenerationView
}
