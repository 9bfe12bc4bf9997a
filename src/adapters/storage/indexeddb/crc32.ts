const TABLE = makeTable()

/**
 * The CRC-32 of zlib and of Ethernet, of `bytes` after what `before` is the checksum of.
 *
 * @returns a whole number from 0 to 2^32 - 1.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  let rest = ~before
  for (const byte of bytes) rest = (TABLE[(rest ^ byte) & 0xff] ?? 0) ^ (rest >>> 8)
  return ~rest >>> 0
}

function makeTable(): Uint32Array {
  const table = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? 0xedb8_8320 ^ (rest >>> 1) : rest >>> 1
    table[byte] = rest
  }
  return table
}
