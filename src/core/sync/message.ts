import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Refusal, Reject, WireEntry } from './io.ts'
import type { ReconcileFrame } from './reconcile-frames.ts'

/** The dialer's first frame. */
export interface HelloFrame {
  readonly type: 'hello'
  readonly versions: readonly number[]
  readonly replica: ReplicaId
  readonly epoch: Epoch
  readonly head: Position
  /** The epoch that `cursor` counts in; undefined when we have never met. */
  readonly peerEpoch: Epoch | undefined
  /** How far we have read the peer's log. */
  readonly cursor: Position
  /** How far we believe that the peer has read ours: where the EVENTS that follow start. */
  readonly acked: Position
  readonly subscriptions: readonly CollectionId[]
  /** Indexes into `subscriptions`: those whose earlier history was not exchanged in full. */
  readonly incomplete: readonly number[]
  /** What the accepter may send of its log, in bytes. */
  readonly credit: number
  readonly token: Uint8Array | undefined
  /** The numbers of the compressions that we can undo. */
  readonly packings?: readonly number[] | undefined
  /** Indexes into `subscriptions`: those of `incomplete` in which the dialer holds documents. */
  readonly held?: readonly number[] | undefined
}

/** A subscription of HELLO that is not granted, by its index. */
export interface RefusedIndex {
  readonly index: number
  readonly code: Refusal['code']
  readonly message: string
}

/** The accepter's answer to HELLO. */
export interface WelcomeFrame {
  readonly type: 'welcome'
  readonly version: number
  readonly replica: ReplicaId
  readonly epoch: Epoch
  readonly head: Position
  /** From where the accepter reads the dialer's log: not past what the dialer knows to be durable there. */
  readonly cursor: Position
  readonly credit: number
  readonly refused: readonly RefusedIndex[]
  /** Indexes of subscriptions whose earlier history is now exchanged. */
  readonly backfill: readonly number[]
  /** The numbers of the compressions that the accepter can undo. */
  readonly packings?: readonly number[] | undefined
  /** Indexes of subscriptions in which the accepter looks for what differs, instead of a history. */
  readonly reconcile?: readonly number[] | undefined
  /**
   * The newest position of its own log that the accepter believes to be durable at the dialer, from where it
   * sends. Left out when the dialer has read no further.
   */
  readonly acked?: Position | undefined
}

/** A run of entries of the sender's log. */
export interface EventsFrame {
  readonly type: 'events'
  /** Every matching entry up to here was sent before, in this session or an earlier one. */
  readonly after: Position
  /** With this frame, everything up to here has been sent. Equal to `after` in the middle of a page. */
  readonly upTo: Position
  /** The sender had nothing more when it read this. */
  readonly final: boolean
  /** The history of one newly shared collection: `after` and `upTo` do not move the cursor. */
  readonly backfill: CollectionId | undefined
  /**
   * The number of a question of the receiver that these entries answer, or 0 for entries that it wants.
   * `after` and `upTo` are this number and do not move the cursor.
   */
  readonly answer?: number | undefined
  readonly entries: readonly FrameEntry[]
}

/** An entry whose bytes are in the frame, or `parts`: so many bytes came in the PART frames before. */
export type FrameEntry = WireEntry | (Omit<WireEntry, 'bytes'> & { readonly bytes: number })

/** What the sender of this frame has of the receiver's log. */
export interface AckFrame {
  readonly type: 'ack'
  readonly received: Position
  readonly durable: Position
  /** How many bytes of EVENTS and PART the receiver of this frame may have sent in all. */
  readonly credit: number
  /** The sender's own log holds nothing for the receiver up to here beyond what was sent. */
  readonly upTo: Position
  /** Collections whose backfill by the receiver is durable. */
  readonly filled: readonly CollectionId[]
}

/** The sender's digest of the shared collections. */
export interface CheckFrame {
  readonly type: 'check'
  /** 0 first, 1 again after a mismatch, 2 after a reconciliation, 3 again after that. */
  readonly attempt: number
  readonly digest: Uint8Array
  /** The sender's head at that moment. */
  readonly ours: Position
  /** How far the sender had read the receiver's log at that moment. */
  readonly theirs: Position
}

export type StreamFrame =
  | {
      readonly type: 'stream-open'
      readonly stream: number
      readonly protocol: string
      readonly head: Uint8Array
    }
  | { readonly type: 'stream-bytes'; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly type: 'stream-end'; readonly stream: number }
  | {
      readonly type: 'stream-reset'
      readonly stream: number
      readonly code: string
      readonly message: string
    }
  /** How many bytes the receiver may have sent on this stream in all. */
  | { readonly type: 'stream-credit'; readonly stream: number; readonly credit: number }

/** Says why the connection is about to end. */
export interface CloseFrame {
  readonly type: 'close'
  /** An error code, or `CLOSED` for a close in good order. */
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined
}

/** A whole message in a shorter form. Nothing else is in the message that it comes in. */
export interface PackedFrame {
  readonly type: 'packed'
  /** Which compression. */
  readonly packing: number
  /** How many bytes it stands for. */
  readonly length: number
  readonly bytes: Uint8Array
}

/** Every frame of protocol version 1. docs/protocol.md says who sends which, and when. */
export type Frame =
  | HelloFrame
  | WelcomeFrame
  | EventsFrame
  /** The next piece of an entry that is too large for one frame. */
  | { readonly type: 'part'; readonly bytes: Uint8Array }
  | AckFrame
  | { readonly type: 'rejects'; readonly rejects: readonly Reject[] }
  | CheckFrame
  | ReconcileFrame
  | {
      readonly type: 'subscribe'
      readonly collections: readonly CollectionId[]
      /** Indexes into `collections`: those in which the sender holds documents. */
      readonly held?: readonly number[] | undefined
    }
  | {
      readonly type: 'grant'
      readonly granted: readonly CollectionId[]
      readonly refused: readonly Refusal[]
      /** Indexes into `granted`: the sender looks for what differs in them, instead of a history. */
      readonly reconcile?: readonly number[] | undefined
    }
  | { readonly type: 'signal'; readonly key: string; readonly value: Uint8Array | undefined }
  | StreamFrame
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }
  | PackedFrame
  | CloseFrame

/** The first item of each frame on the wire. Only ever added to. */
export const FRAME_NUMBERS: Readonly<Record<Frame['type'], number>> = {
  hello: 1,
  welcome: 2,
  events: 3,
  ack: 4,
  rejects: 5,
  check: 6,
  'ask-ranges': 7,
  subscribe: 8,
  grant: 9,
  signal: 10,
  'stream-open': 11,
  'stream-bytes': 12,
  'stream-end': 13,
  'stream-reset': 14,
  'stream-credit': 15,
  ping: 16,
  pong: 17,
  close: 18,
  part: 19,
  'tell-ranges': 20,
  'ask-entries': 21,
  'tell-entries': 22,
  packed: 23,
}
