import type { ErrorCode } from '../errors.ts'
import type { CollectionId, DocumentId, Epoch, EventHash, Position, ReplicaId } from '../ids.ts'
import type { Delivery, DeliveryCursor, ReconcileStep } from './reconcile-steps.ts'

/** What an entry of a log is. */
export type EntryKind = 'event' | 'snapshot' | 'tombstone' | 'join' | 'leave' | 'base'

/**
 * One entry of a log as it travels. For an event, `bytes` is one Automerge change chunk; its hash is
 * not sent, the receiver computes and checks it. A tombstone and a leave carry no bytes; a join carries
 * the document's events so far, each as a byte string, in one CBOR array; a snapshot does the same.
 * A base begins a generation: what it reaches and the state as one change. In a later generation than the
 * first, the base's bytes are the first byte string of a join and a snapshot.
 */
export interface WireEntry {
  readonly kind: EntryKind
  readonly document: DocumentId
  readonly collection: CollectionId
  readonly generation: number
  readonly bytes: Uint8Array
  /**
   * Of a join, a leave and a base: how often the document had been given another home when it was sent, up to
   * 2^32. Absent: once more than the receiver knows of.
   */
  readonly moves?: number | undefined
}

/** What a replica remembers of a peer between connections. */
export interface PeerState {
  readonly replica: ReplicaId
  /** The epoch of the peer's log that `cursor` counts in. */
  readonly epoch: Epoch | undefined
  /** How far we have read the peer's log, durably. */
  readonly cursor: Position
  /** The newest position of our log that the peer has acknowledged as durable at its side. */
  readonly acked: Position
  /** Collections whose history before `cursor` (and ours before `acked`) has been exchanged in full. */
  readonly complete: readonly CollectionId[]
  /** The numbers of the compressions that it could undo when we last met. */
  readonly packings?: readonly number[] | undefined
  /**
   * Our head when the peer was met under another epoch than before: what it had brought up to there it may have
   * lost. Until a comparison at our side finds both logs equal.
   */
  readonly doubted?: Position | undefined
}

/** A collection that the other side will not share, with the reason. */
export interface Refusal {
  readonly collection: CollectionId
  readonly code: ErrorCode
  readonly message: string
}

/** An entry that was not taken, and why. It is not in the log of the one who refuses. */
export interface Reject {
  readonly document: DocumentId
  readonly kind: EntryKind
  /** For events and bases: which. Absent for other kinds, which a document has once. */
  readonly hash: EventHash | undefined
  readonly code: ErrorCode
  readonly message: string
}

/** What the dialer says first. The accepter's driver gets it to decide whom it talks to. */
export interface Hello {
  readonly version: number
  readonly replica: ReplicaId
  readonly epoch: Epoch
  readonly head: Position
  readonly subscriptions: readonly CollectionId[]
  /** How far it has read our log, as it says; undefined when we have never met. */
  readonly read: { readonly epoch: Epoch; readonly position: Position } | undefined
  /** What the dialer gave to prove who it is, when the transport did not authenticate it. */
  readonly token: Uint8Array | undefined
}

/** The accepter's decision about a {@link Hello}. */
export interface Admission {
  /** What is remembered of this peer. */
  readonly peer: PeerState
  readonly granted: readonly CollectionId[]
  readonly refused: readonly Refusal[]
  /** The durable head of our log now. */
  readonly head: Position
  /** Those of `granted` in which we hold documents. Default: none is known to hold any. */
  readonly held?: readonly CollectionId[] | undefined
}

/** A page of our log, answered to a `read`. Entries received from this very peer are left out. */
export interface ReadAnswer {
  readonly entries: readonly WireEntry[]
  /** Everything that matches has been given up to here: also past entries that were left out. */
  readonly upTo: Position
  /** Nothing more up to the durable head (or to the `upTo` that was asked). */
  readonly end: boolean
}

/** The digest of the shared collections at one moment of our log. */
export interface DigestAnswer {
  /** 16 bytes: the sum over the granted collections. */
  readonly digest: Uint8Array
  /** Our durable head at that moment. */
  readonly head: Position
  /** How far we had durably read the peer's log at that moment. */
  readonly cursor: Position
}

/** What came of an `append`. It is durable now. */
export interface AppendAnswer {
  readonly rejects: readonly Reject[]
}

/**
 * What the driver has to do next. Outputs are done in the order in which they are polled; the answer
 * to a question (`token`) may come at any later time, and answers to different tokens in any order,
 * except that `append` and `verify` take effect in the order in which they were polled.
 */
export type SessionOutput =
  /** Give these bytes to the connection as one message. */
  | { readonly type: 'send'; readonly bytes: Uint8Array }
  /** Accepter only: decide, then call `handleAdmission`. */
  | { readonly type: 'hello'; readonly hello: Hello }
  /**
   * Dialer only: the peer has read our log up to here, in this epoch of it, and our log ends before. What
   * was lost from its end was made known: the log needs a new epoch before anybody is dialled again. The
   * session closes next.
   */
  | { readonly type: 'lost'; readonly position: Position }
  /** The peer wants to share more. Decide, then call `handleGrant`. */
  | {
      readonly type: 'subscribe'
      readonly token: number
      readonly collections: readonly CollectionId[]
    }
  /**
   * Both sides know each other now. `granted` are the collections that this connection shares. Comes
   * again, with the whole new list, when more are granted later.
   */
  | {
      readonly type: 'established'
      readonly peer: ReplicaId
      readonly granted: readonly CollectionId[]
      readonly refused: readonly Refusal[]
    }
  /** Read our log, then call `handleRead`. */
  | {
      readonly type: 'read'
      readonly token: number
      readonly after: Position
      readonly upTo: Position | undefined
      readonly collections: readonly CollectionId[]
      readonly bytesMax: number
    }
  /** Read entries that the peer lacks, also those that once came from it, then call `handleDelivered`. */
  | {
      readonly type: 'deliver'
      readonly token: number
      readonly deliveries: readonly Delivery[]
      readonly after: DeliveryCursor
      readonly bytesMax: number
    }
  /** Look at our log to find where the peer's differs, then call `handleReconciled`. */
  | { readonly type: 'reconcile'; readonly token: number; readonly step: ReconcileStep }
  /**
   * Check and append the peer's entries and remember the new peer state in the same atomic step, then
   * call `handleAppended`. `peer` is what to remember.
   */
  | {
      readonly type: 'append'
      readonly token: number
      readonly entries: readonly WireEntry[]
      readonly peer: PeerState
    }
  /** Compute the digest of the shared collections, then call `handleDigest`. */
  | { readonly type: 'digest'; readonly token: number }
  /**
   * The peer says: with our log read up to `ours` and its own log up to `theirs`, its digest was
   * `digest`. Compare with our own, leaving out what we wrote or got elsewhere after `ours`; then call
   * `handleVerified`.
   */
  | {
      readonly type: 'verify'
      readonly token: number
      readonly digest: Uint8Array
      readonly ours: Position
      readonly theirs: Position
    }
  /** The peer has our log up to `received` in memory and up to `durable` on its disk. Remember `durable`. */
  | {
      readonly type: 'acknowledged'
      readonly received: Position
      readonly durable: Position
      readonly peer: PeerState
    }
  /** The peer refused entries of ours. */
  | { readonly type: 'rejected'; readonly rejects: readonly Reject[] }
  /** The last value of one of the peer's signals; undefined when it withdrew it. */
  | { readonly type: 'signal'; readonly key: string; readonly value: Uint8Array | undefined }
  /** The peer opened a stream. Accept by using it, or reset it. */
  | {
      readonly type: 'stream-opened'
      readonly stream: number
      readonly protocol: string
      readonly head: Uint8Array
    }
  /** Bytes of a stream. Call `consumed` when they have been used, so that more may come. */
  | { readonly type: 'stream-bytes'; readonly stream: number; readonly bytes: Uint8Array }
  /** The peer will send no more on this stream. */
  | { readonly type: 'stream-ended'; readonly stream: number }
  /** The stream is over in both directions; nothing more comes for it. */
  | {
      readonly type: 'stream-reset'
      readonly stream: number
      readonly code: string
      readonly message: string
    }
  /** More may be written to this stream. */
  | { readonly type: 'stream-writable'; readonly stream: number }
  /** The connection is to be closed (after what was polled before). The session is over. */
  | { readonly type: 'close'; readonly reason: SessionClose }

/** Why a session ended. */
export interface SessionClose {
  /** `LOCAL` when our side asked for it in good order, `REMOTE` when the peer did. */
  readonly code: ErrorCode | 'LOCAL' | 'REMOTE'
  readonly message: string
  /** Whether dialling again may help. */
  readonly retryable: boolean
  /** The peer asks not to dial again before this many milliseconds. */
  readonly retryAfterMs: number | undefined
}
