import type { Position } from '../../../core/ids.ts'
import { keptBytes, nameBytes } from './name-bytes.ts'

// The layout of keys is specified in docs/storage-format.md: change both together, with the version.
const RECORD = 0x72 // r
const BY_COLLECTION = 0x63 // c
const BY_DOCUMENT = 0x64 // d
const DROPPED = 0x68 // h
const VALUE = 0x6b // k
const META = 0x6d // m

const POSITION_BYTES = 8
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Below and above every key of this layout. */
export const FIRST_KEY: Uint8Array = Uint8Array.of(BY_COLLECTION)
export const LAST_KEY: Uint8Array = Uint8Array.of(RECORD + 1)

/** Holds the version of the format that a directory was written in. */
export const FORMAT_KEY: Uint8Array = textKey(META, 'format')
/** Holds the number of the newest batch, which tells whether a failed write is there after all. */
export const BATCH_KEY: Uint8Array = textKey(META, 'batch')
/** Holds the position up to which the log was found whole when it was opened. */
export const VERIFIED_KEY: Uint8Array = textKey(META, 'verified')

/** The start of every key of either index. */
export const INDEX_PREFIXES: readonly Uint8Array[] = [
  Uint8Array.of(BY_COLLECTION),
  Uint8Array.of(BY_DOCUMENT),
]

/** Whether a key begins as one of this layout does. */
export function isOurs(key: Uint8Array): boolean {
  const [prefix] = key
  return [RECORD, BY_COLLECTION, BY_DOCUMENT, DROPPED, VALUE, META].some((ours) => ours === prefix)
}

/** Where the record at `position` is. */
export function recordKey(position: Position): Uint8Array {
  return withPosition(Uint8Array.of(RECORD), position)
}

/** Where the range of dropped positions that starts at `first` is. */
export function droppedKey(first: Position): Uint8Array {
  return withPosition(Uint8Array.of(DROPPED), first)
}

/** The start of every index key of one collection. Shared: not to be changed. */
export const collectionPrefix: (collection: string) => Uint8Array = keptBytes((collection) =>
  indexPrefix(BY_COLLECTION, collection),
)

/** The start of every index key of one document. Shared: not to be changed. */
export const documentPrefix: (document: string) => Uint8Array = keptBytes((document) =>
  indexPrefix(BY_DOCUMENT, document),
)

/** An index key: a prefix, then a position, so that keys of one index sort by position. */
export function withPosition(prefix: Uint8Array, position: Position): Uint8Array {
  const key = new Uint8Array(prefix.length + POSITION_BYTES)
  key.set(prefix)
  writePosition(key, prefix.length, position)
  return key
}

/** The position at the end of a record key, an index key or a key of a dropped range. */
export function positionOf(key: Uint8Array): Position {
  return readPosition(key, key.length - POSITION_BYTES)
}

/** The prefix of an index key. */
export function prefixOf(key: Uint8Array): Uint8Array {
  return Uint8Array.from(key.subarray(0, key.length - POSITION_BYTES))
}

/** Where the value of one application key is. */
export function valueKey(key: string): Uint8Array {
  return textKey(VALUE, key)
}

/** The application key of one value's place. */
export function textOfValueKey(key: Uint8Array): string {
  return decoder.decode(key.subarray(1))
}

/** The first key after all that start with `prefix`. */
export function afterPrefix(prefix: Uint8Array): Uint8Array {
  // UTF-8 has no byte 0xff, and the one-byte prefixes are letters: the last byte can always be raised.
  const end = prefix.slice()
  const last = end.length - 1
  end[last] = (end[last] ?? 0) + 1
  return end
}

/** A position as eight bytes, most significant first. */
export function encodePosition(position: Position): Uint8Array {
  const bytes = new Uint8Array(POSITION_BYTES)
  writePosition(bytes, 0, position)
  return bytes
}

/** Reads what {@link encodePosition} wrote. */
export function decodePosition(bytes: Uint8Array): Position {
  return readPosition(bytes, 0)
}

function writePosition(target: Uint8Array, offset: number, position: Position): void {
  writeUint32(target, offset, Math.floor(position / 2 ** 32))
  writeUint32(target, offset + 4, position >>> 0)
}

// By hand: a view for each number costs more than the number.
function writeUint32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24
  target[offset + 1] = value >>> 16
  target[offset + 2] = value >>> 8
  target[offset + 3] = value
}

function readPosition(source: Uint8Array, offset: number): Position {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4)
}

// The length stands before the name, so no name's keys lie among those of a longer one.
function indexPrefix(kind: number, name: string): Uint8Array {
  const text = nameBytes(name)
  const prefix = new Uint8Array(3 + text.length)
  prefix[0] = kind
  prefix[1] = text.length >> 8
  prefix[2] = text.length & 0xff
  prefix.set(text, 3)
  return prefix
}

function textKey(kind: number, text: string): Uint8Array {
  const encoded = encoder.encode(text)
  const key = new Uint8Array(1 + encoded.length)
  key[0] = kind
  key.set(encoded, 1)
  return key
}

/** The order in which LevelDB keeps keys. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
