/**
 * Unpacks what was packed in the Snappy format, version 1.1.
 *
 * @throws RangeError when it is not that.
 */
export function unpackSnappy(packed: Uint8Array): Uint8Array {
  const header = { at: 0 }
  const output = new Uint8Array(lengthOf(packed, header))
  let at = header.at
  let filled = 0
  while (at < packed.length) {
    const tag = packed[at] ?? 0
    at += 1
    const kind = tag & 3
    if (kind === 0) {
      const extra = Math.max(0, (tag >>> 2) - 59)
      const length = (extra === 0 ? tag >>> 2 : littleEndian(packed, at, extra)) + 1
      at += extra
      if (at + length > packed.length || filled + length > output.length) throw broken()
      output.set(packed.subarray(at, at + length), filled)
      at += length
      filled += length
      continue
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const bytes = kind === 3 ? 4 : kind
    const distance = littleEndian(packed, at, bytes) + (kind === 1 ? (tag >>> 5) << 8 : 0)
    at += bytes
    if (distance === 0 || distance > filled || filled + length > output.length) throw broken()
    // Byte by byte: a copy may reach into what it writes.
    for (const end = filled + length; filled < end; filled++) {
      output[filled] = output[filled - distance] ?? 0
    }
  }
  if (filled !== output.length) throw broken()
  return output
}

function lengthOf(packed: Uint8Array, cursor: { at: number }): number {
  let length = 0
  for (let shift = 0; shift < 32; shift += 7) {
    const byte = packed[cursor.at]
    if (byte === undefined) throw broken()
    cursor.at += 1
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return length
  }
  throw broken()
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let index = 0; index < count; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) throw broken()
    value += byte * 2 ** (8 * index)
  }
  return value
}

function broken(): RangeError {
  return new RangeError('the packed bytes are broken')
}
