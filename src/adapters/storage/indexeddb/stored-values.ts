import { StorageCorruptError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { NewRecord, StoredRecord } from '../../../core/interfaces/storage.ts'
import { crc32 } from '../crc32.ts'

// What stands in the object stores is specified in docs/storage-format.md: change both together.

/** One record as it is stored. The names are short because each record carries them. */
export interface RecordValue {
  /** The position: the key of the store and the last part of both indexes. */
  readonly p: Position
  /** The document. */
  readonly d: string
  /** The collection. */
  readonly c: string
  readonly b: Uint8Array
  /** The checksum of all of it. */
  readonly s: number
}

/** The value of one application key as it is stored. */
export interface KeyValue {
  readonly b: Uint8Array
  /** The checksum of key and value. */
  readonly s: number
}

const encoder = new TextEncoder()

/** A record as it is stored. */
export function recordValue(position: Position, record: NewRecord): RecordValue {
  const { document: d, collection: c } = record
  const b = ownBytes(record.bytes)
  return { p: position, d, c, b, s: recordChecksum(position, d, c, b) }
}

/** @throws StorageCorruptError when it is not what {@link recordValue} made for this place. */
export function recordOf(position: Position, value: unknown, database: string): StoredRecord {
  if (isRecordValue(value) && value.p === position) {
    const { d, c, b, s } = value
    if (s === recordChecksum(position, d, c, b)) {
      return { position, document: d, collection: c, bytes: b }
    }
  }
  throw new StorageCorruptError('a stored record does not match its checksum', {
    fields: { position, database },
  })
}

/** An application's value as it is stored. */
export function keyValue(key: Uint8Array, bytes: Uint8Array): KeyValue {
  const b = ownBytes(bytes)
  return { b, s: crc32(b, crc32(key)) }
}

/** @throws StorageCorruptError when it is not what {@link keyValue} made for this key. */
export function bytesOf(key: Uint8Array, value: unknown, database: string): Uint8Array {
  if (typeof value === 'object' && value !== null && 'b' in value && 's' in value) {
    const { b, s } = value
    if (b instanceof Uint8Array && s === crc32(b, crc32(key))) return b
  }
  throw new StorageCorruptError('a stored value does not match its checksum', {
    fields: { key: new TextDecoder().decode(key), database },
  })
}

function isRecordValue(value: unknown): value is RecordValue {
  if (typeof value !== 'object' || value === null) return false
  const { p, d, c, b } = value as Partial<RecordValue>
  const areNames = typeof d === 'string' && typeof c === 'string'
  return typeof p === 'number' && areNames && b instanceof Uint8Array
}

// The names are delimited by the quotes and escapes of JSON.
function recordChecksum(position: Position, d: string, c: string, b: Uint8Array): number {
  return crc32(b, crc32(encoder.encode(JSON.stringify([position, d, c]))))
}

// A view is stored with the whole buffer that it looks into.
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
}
