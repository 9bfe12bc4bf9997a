const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

/** CRC-32 as zlib computes it, of the bytes from `from` on, going on from `start`. For short bytes. */
export function crc32Of(bytes: Uint8Array, from: number, start: number): number {
  let value = ~start
  for (let i = from; i < bytes.length; i += 1) {
    value = (TABLE[(value ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (value >>> 8)
  }
  return ~value >>> 0
}
