const TABLES = makeTables()

/** The CRC-32C (Castagnoli) of `bytes`, a whole number from 0 to 2^32 - 1. Four bytes a step. */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let rest = -1
  let at = 0
  for (const end = bytes.length - 3; at < end; at += 4) {
    rest ^= view.getInt32(at, true)
    rest =
      (t3[rest & 0xff] ?? 0) ^
      (t2[(rest >>> 8) & 0xff] ?? 0) ^
      (t1[(rest >>> 16) & 0xff] ?? 0) ^
      (t0[rest >>> 24] ?? 0)
  }
  for (; at < bytes.length; at++) {
    rest = (t0[(rest ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (rest >>> 8)
  }
  return ~rest >>> 0
}

function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? 0x82f6_3b78 ^ (rest >>> 1) : rest >>> 1
    first[byte] = rest
  }
  const next = (before: Int32Array): Int32Array =>
    before.map((rest) => (first[rest & 0xff] ?? 0) ^ (rest >>> 8))
  const second = next(first)
  const third = next(second)
  return [first, second, third, next(third)]
}
