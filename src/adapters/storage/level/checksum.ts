import { crc32 as longCrc32 } from 'node:zlib'
import { crc32 } from '../crc32.ts'

/** What a checksum takes at the start of a stored value. */
export const CHECKSUM_BYTES: number = 4

const SHORT_BYTES_MAX = 64

/**
 * The checksum of a stored value, over where it belongs and then the value without its first four bytes:
 * so intact bytes in a wrong place are found, too.
 */
export function checksumOf(place: Uint8Array, stored: Uint8Array): number {
  const start = crc32(place)
  // A native call for a few bytes costs more than the bytes.
  if (stored.length <= SHORT_BYTES_MAX) return crc32(stored, start, CHECKSUM_BYTES)
  return longCrc32(stored.subarray(CHECKSUM_BYTES), start)
}

/** Whether a stored value begins with the checksum of its place and the rest. */
export function isIntact(place: Uint8Array, stored: Uint8Array): boolean {
  if (stored.length < CHECKSUM_BYTES) return false
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength)
  return view.getUint32(0) === checksumOf(place, stored)
}
