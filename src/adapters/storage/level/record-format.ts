import { StorageCorruptError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { NewRecord, StoredRecord } from '../../../core/interfaces/storage.ts'
import { CHECKSUM_BYTES, checksumOf, isIntact } from './checksum.ts'
import { encodePosition } from './keys.ts'
import { nameBytes } from './name-bytes.ts'

const LENGTH_BYTES = 2
const decoder = new TextDecoder('utf-8', { fatal: true })

/** The value of a record: checksum over position and the rest, document, collection, bytes. */
export function encodeRecord(position: Position, record: NewRecord): Uint8Array {
  const document = nameBytes(record.document)
  const collection = nameBytes(record.collection)
  const header = CHECKSUM_BYTES + 2 * LENGTH_BYTES + document.length + collection.length
  const value = new Uint8Array(header + record.bytes.length)
  const view = new DataView(value.buffer)
  let offset = CHECKSUM_BYTES
  for (const name of [document, collection]) {
    view.setUint16(offset, name.length)
    value.set(name, offset + LENGTH_BYTES)
    offset += LENGTH_BYTES + name.length
  }
  value.set(record.bytes, offset)
  view.setUint32(0, checksumOf(encodePosition(position), value))
  return value
}

/** @throws StorageCorruptError when the bytes are not those that {@link encodeRecord} wrote for this place. */
export function decodeRecord(
  position: Position,
  value: Uint8Array | undefined,
  directory: string,
): StoredRecord {
  if (value === undefined) {
    throw new StorageCorruptError('a record that the index names is missing', {
      fields: { position, directory },
    })
  }
  if (!isIntact(encodePosition(position), value)) {
    throw new StorageCorruptError('a stored record does not match its checksum', {
      fields: { position, directory },
    })
  }
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  const documentEnd = CHECKSUM_BYTES + LENGTH_BYTES + view.getUint16(CHECKSUM_BYTES)
  const collectionEnd = documentEnd + LENGTH_BYTES + view.getUint16(documentEnd)
  return {
    position,
    document: decoder.decode(value.subarray(CHECKSUM_BYTES + LENGTH_BYTES, documentEnd)),
    collection: decoder.decode(value.subarray(documentEnd + LENGTH_BYTES, collectionEnd)),
    bytes: plainBytes(value, collectionEnd),
  }
}

/** An application's value with a checksum over key and value in front. */
export function encodeValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  const stored = new Uint8Array(CHECKSUM_BYTES + value.length)
  stored.set(value, CHECKSUM_BYTES)
  new DataView(stored.buffer).setUint32(0, checksumOf(key, stored))
  return stored
}

/** @throws StorageCorruptError when the bytes are not those that {@link encodeValue} wrote for this key. */
export function decodeValue(key: Uint8Array, stored: Uint8Array, directory: string): Uint8Array {
  if (isIntact(key, stored)) return plainBytes(stored, CHECKSUM_BYTES)
  throw new StorageCorruptError('a stored value does not match its checksum', {
    fields: { key: new TextDecoder().decode(key.subarray(1)), directory },
  })
}

// LevelDB hands out Buffers, whose slice() shares memory where that of a Uint8Array copies.
function plainBytes(stored: Uint8Array, start: number): Uint8Array {
  return new Uint8Array(stored.buffer, stored.byteOffset + start, stored.length - start)
}
