import type { ErrorCode } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash, Position, ReplicaId } from '../ids.ts'
import type { Put } from '../interfaces/storage.ts'
import type { PeerState, Reject, WireEntry } from '../sync/io.ts'
import type { EventHeader } from './event.ts'
import type { Beginning } from './generation.ts'
import type { DocumentRecord } from './records.ts'

/** One checked event with its bytes. */
export interface CheckedEvent {
  readonly header: EventHeader
  readonly bytes: Uint8Array
}

/** One entry from a peer whose events have been checked; for a join and a snapshot there may be many. */
export interface IncomingEntry {
  readonly wire: WireEntry
  readonly events: readonly CheckedEvent[]
  /** What the generation begins with: of a base, and of a join in a later generation than the first. */
  readonly base?: Beginning | undefined
}

/** Why an entry may not be taken. */
export interface Denial {
  readonly code: ErrorCode
  readonly message: string
}

/** Events that a handle of this replica made, in order. */
export interface LocalSubmission {
  readonly type: 'local'
  readonly document: DocumentId
  /** Where the document is homed if it is new. */
  readonly collection: CollectionId
  readonly events: readonly CheckedEvent[]
  /** The generation that they were made in. Default: the one that is here. */
  readonly generation?: number | undefined
}

/** What a peer delivered, and what to remember of the peer in the same atomic step. */
export interface RemoteSubmission {
  readonly type: 'remote'
  readonly from: ReplicaId
  readonly entries: readonly IncomingEntry[]
  readonly peer: PeerState | undefined
  /** Asked before anything of an entry is stored, with the document's home as it is by then. */
  readonly check: (
    entry: IncomingEntry,
    home: CollectionId,
    record: DocumentRecord | undefined,
  ) => Denial | undefined
  /** Asked for each event that is not here yet: whether its writer is believed. Default: yes. */
  readonly checkNew?: ((header: EventHeader) => Denial | undefined) | undefined
  /** Events of a document that were sent and refused. Default: none. */
  readonly refused?: ((document: DocumentId) => Iterable<EventHash>) | undefined
  /** When it came, in ms since the Unix epoch: the time of what it sets aside. Default: 0. */
  readonly atMs?: number | undefined
}

/** Ends a document for good. */
export interface DeleteSubmission {
  readonly type: 'delete'
  readonly document: DocumentId
}

/** Gives a document another home. */
export interface MoveSubmission {
  readonly type: 'move'
  readonly document: DocumentId
  readonly to: CollectionId
}

/** Ends a generation of a document: its history becomes one change. */
export interface CutSubmission {
  readonly type: 'cut'
  readonly document: DocumentId
  /** The generation to end. When it is over already, nothing is done. */
  readonly generation: number
}

/** A peer refused events of ours: they and what builds on them stop counting. */
export interface RejectSubmission {
  readonly type: 'reject'
  readonly peer: ReplicaId
  readonly rejects: readonly Reject[]
  readonly atMs: number
}

/** Remembers a peer's state without any entry. */
export interface PeerSubmission {
  readonly type: 'peer'
  readonly peer: PeerState
}

/** Writes down what is no entry of the log, in order with the rest. */
export interface NoteSubmission {
  readonly type: 'note'
  readonly puts: readonly Put[]
}

export type Submission =
  | LocalSubmission
  | RemoteSubmission
  | DeleteSubmission
  | MoveSubmission
  | CutSubmission
  | RejectSubmission
  | PeerSubmission
  | NoteSubmission

/** What came of a submission once it is durable. */
export interface Committed {
  /** The durable head after it. */
  readonly head: Position
  /** What was not taken, of a {@link RemoteSubmission}. */
  readonly rejects: readonly Reject[]
  /**
   * Collections to compare with who delivered a {@link RemoteSubmission}: a document came back there of which
   * something had gone aside when it left. It may have been on its way to the peer, which takes it for ours.
   */
  readonly returned?: readonly CollectionId[] | undefined
}
