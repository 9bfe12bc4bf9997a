const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb8_8320 ^ (value >>> 1) : value >>> 1
  return value
})

/**
 * The CRC-32 of zlib and of Ethernet, of `bytes` from `from` on, after what `before` is the checksum of.
 *
 * @returns a whole number from 0 to 2^32 - 1.
 */
export function crc32(bytes: Uint8Array, before = 0, from = 0): number {
  let value = ~before
  for (let i = from; i < bytes.length; i += 1) {
    value = (TABLE[(value ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (value >>> 8)
  }
  return ~value >>> 0
}
