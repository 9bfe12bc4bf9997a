import { fromHex, toHex } from '../bytes.ts'
import { decodeCbor } from '../cbor-reader.ts'
import { encodeCbor } from '../cbor-writer.ts'
import { StorageCorruptError } from '../errors.ts'
import type { CollectionId, DocumentId, EventHash, Position, ReplicaId } from '../ids.ts'
import type { NewRecord, StoredRecord } from '../interfaces/storage.ts'
import type { EntryKind } from '../sync/io.ts'

/** One entry of a replica's log. */
export interface LogEntry {
  readonly kind: EntryKind
  readonly document: DocumentId
  readonly collection: CollectionId
  readonly generation: number
  /** The peer that delivered it; undefined when it was made here. */
  readonly from: ReplicaId | undefined
  /** For events and bases: their name. */
  readonly hash: EventHash | undefined
  /**
   * An event's or a base's bytes; for a join and a snapshot the document's events in one CBOR array; for a leave
   * the mark `STAYS` or nothing.
   */
  readonly bytes: Uint8Array
}

/** An entry that is durable, with its place. */
export interface StoredEntry extends LogEntry {
  readonly position: Position
}

/** The bytes of a leave with which a document went from one collection that is here to another. */
export const STAYS: Uint8Array = Uint8Array.of(1)

/** Whether a leave goes with a move, made here or followed, so that the document stays. */
export function isOfMove({ from, bytes }: LogEntry): boolean {
  return from === undefined || bytes.length > 0
}

/** The numbers of the kinds at rest. Only ever added to. */
const KINDS: readonly EntryKind[] = ['event', 'snapshot', 'tombstone', 'join', 'leave', 'base']

/** An entry as a storage keeps it: a CBOR array of kind, generation, deliverer, hash, payload. */
export function toRecord(entry: LogEntry): NewRecord {
  const { document, collection } = entry
  const hash = entry.hash === undefined ? null : fromHex(entry.hash)
  const fields = [
    KINDS.indexOf(entry.kind),
    entry.generation,
    entry.from ?? null,
    hash,
    entry.bytes,
  ]
  return { document, collection, bytes: encodeCbor(fields) }
}

/** @throws StorageCorruptError when the bytes are not an entry. */
export function fromRecord(record: StoredRecord): StoredEntry {
  const fields = decodeArray(record)
  const [kind, generation, from, hash, bytes] = fields
  const name = typeof kind === 'number' ? KINDS[kind] : undefined
  if (
    name === undefined ||
    typeof generation !== 'number' ||
    !(from === null || typeof from === 'string') ||
    !(hash === null || hash instanceof Uint8Array) ||
    !(bytes instanceof Uint8Array)
  ) {
    throw corrupt(record)
  }
  return {
    position: record.position,
    kind: name,
    document: record.document,
    collection: record.collection,
    generation,
    from: from ?? undefined,
    hash: hash === null ? undefined : toHex(hash),
    bytes,
  }
}

function decodeArray(record: StoredRecord): unknown[] {
  try {
    const fields: unknown = decodeCbor(record.bytes)
    if (Array.isArray(fields)) return fields
  } catch (cause) {
    throw corrupt(record, cause)
  }
  throw corrupt(record)
}

function corrupt(record: StoredRecord, cause?: unknown): StorageCorruptError {
  return new StorageCorruptError('a log entry cannot be decoded', {
    fields: { position: record.position, document: record.document },
    cause,
  })
}

/** The events inside a join or a snapshot. @throws StorageCorruptError when it is not an array of bytes. */
export function unpackEvents(bytes: Uint8Array): readonly Uint8Array[] {
  let events: unknown
  try {
    events = decodeCbor(bytes)
  } catch (cause) {
    throw new StorageCorruptError('a packed document cannot be decoded', { cause })
  }
  if (!Array.isArray(events) || !events.every((event) => event instanceof Uint8Array)) {
    throw new StorageCorruptError('a packed document is not a list of events')
  }
  return events
}

/** Packs the events of a document for a join or a snapshot. */
export function packEvents(events: readonly Uint8Array[]): Uint8Array {
  return encodeCbor(events)
}
