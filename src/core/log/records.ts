import { decodeCbor } from '../cbor-reader.ts'
import { encodeCbor } from '../cbor-writer.ts'
import { StorageCorruptError } from '../errors.ts'
import type { ActorId, CollectionId, Epoch, EventHash, Position, ReplicaId } from '../ids.ts'
import type { PeerState } from '../sync/io.ts'
import type { AuthorRecord, QuarantineRecord } from './authors.ts'
import type { Place } from './generation.ts'

/** Who a log belongs to. */
export interface Identity {
  /** How the rest is written. 1 has no digest in {@link DocumentRecord} and no index by home: both are added when opened. */
  readonly format: 1 | 2
  readonly replica: ReplicaId
  readonly epoch: Epoch
  /** Under which it was written before its end was lost, the newest last. Absent: never lost. */
  readonly former?: readonly Epoch[] | undefined
}

/** What the log knows of a document without opening it. */
export interface DocumentRecord {
  readonly collection: CollectionId
  readonly generation: number
  /** The newest position of an entry of it. */
  readonly last: Position
  /** How many entries, and how many bytes in them. */
  readonly entries: number
  readonly bytes: number
  /** The digest of what counts in it: equal on replicas with the same events of it. */
  readonly digest: Uint8Array
  /** The document was deleted: later events are kept and never shown. */
  readonly deleted: boolean
  /** It left this replica: its entries are gone, and only what is new may come back. */
  readonly left: boolean
  /** What the record counted when its generation began. Absent in the first generation. */
  readonly begun?: { readonly entries: number; readonly bytes: number } | undefined
  /** How often it was given another home, as far as this replica knows. Absent: never. */
  readonly moves?: number | undefined
  /** How often events of ours were refused: each time our actor in the document changes. */
  readonly fork: number
}

/** An event of ours that a peer refused, or a state that lost against another. */
export interface RejectedRecord {
  /** Absent: an event, or the end of a document. */
  readonly kind?: 'base' | undefined
  readonly code: string
  readonly message: string
  readonly peer: ReplicaId
  readonly atMs: number
  /** The event or base itself: nothing that somebody wrote is lost. */
  readonly bytes: Uint8Array
}

/** An event that belongs to another generation of its document than the one that is here. */
export interface LateRecord {
  readonly generation: number
  readonly collection: CollectionId
  /** Who brought it; undefined when it was here before its generation was over. */
  readonly from?: ReplicaId | undefined
  readonly bytes: Uint8Array
}

/** An event of ours that was lost. */
export interface OwnLoss extends Place {
  readonly hash: EventHash
  readonly actor: ActorId
}

/** What was damaged of a document, and is not all back. */
export interface DamageRecord {
  /** Where the damaged entries stood, up to 1,000. They have been dropped. */
  readonly positions: readonly Position[]
  /** The events that were lost with them, up to 1,000. */
  readonly lost: readonly EventHash[]
  /** Of those, what we wrote ourselves, and where: nobody else may have it. */
  readonly own?: readonly OwnLoss[] | undefined
  /** The state that the document began with was lost as well. Absent: it was not, or is back. */
  readonly beginning?: true | undefined
  /** When it was found. */
  readonly atMs: number
}

/** Everything that stands under a key of its own. */
type KeptRecord =
  | Identity
  | DocumentRecord
  | PeerState
  | RejectedRecord
  | LateRecord
  | DamageRecord
  | AuthorRecord
  | QuarantineRecord

export function encodeRecord(value: KeptRecord): Uint8Array {
  return encodeCbor(value)
}

/**
 * Decodes what {@link encodeRecord} wrote. Its shape was ours when it was written and its checksum
 * matched, so only the presence of the named field is checked.
 *
 * @throws StorageCorruptError when it is something else.
 */
export function decodeRecord<T extends KeptRecord>(bytes: Uint8Array, field: keyof T & string): T {
  let value: unknown
  try {
    value = decodeCbor(bytes)
  } catch (cause) {
    throw new StorageCorruptError('a record of the log cannot be decoded', {
      fields: { field },
      cause,
    })
  }
  if (typeof value !== 'object' || value === null || !(field in value)) {
    throw new StorageCorruptError('a record of the log has an unknown shape', { fields: { field } })
  }
  return value as T
}
