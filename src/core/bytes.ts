const encoder = new TextEncoder()

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Lower-case hex of bytes. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (let start = 0; start < bytes.length; start += HEX_BYTES_AT_ONCE) {
    const count = Math.min(bytes.length - start, HEX_BYTES_AT_ONCE)
    for (let i = 0; i < count; i += 1) {
      const byte = bytes[start + i] ?? 0
      digits[i * 2] = codeOf(byte >> 4)
      digits[i * 2 + 1] = codeOf(byte & 15)
    }
    text += decoder.decode(count === 32 ? HASH_DIGITS : digits.subarray(0, count * 2))
  }
  return text
}

const decoder = new TextDecoder()

/** A text made in one piece takes a tenth of the memory of one put together from pairs of digits. */
const HEX_BYTES_AT_ONCE = 64
const digits = new Uint8Array(HEX_BYTES_AT_ONCE * 2)
/** The digits of a hash: most texts are that long. */
const HASH_DIGITS = digits.subarray(0, 64)

/** The code of a digit: `0` is 48, `a` is 97. */
function codeOf(digit: number): number {
  return digit < 10 ? digit + 48 : digit + 87
}

/** Bytes of lower- or upper-case hex. The caller has checked that it is hex of even length. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i += 1) {
    bytes[i] = (digitOf(text.charCodeAt(i * 2)) << 4) | digitOf(text.charCodeAt(i * 2 + 1))
  }
  return bytes
}

/** The value of one hex digit: `0` is 48, `A` 65 and `a` 97, and the case is bit 5. */
function digitOf(code: number): number {
  return code < 58 ? code - 48 : (code | 32) - 87
}

/** One array with the bytes of all of them, in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** Whether both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}

/**
 * Orders two texts by their UTF-8 bytes, as every storage must; JavaScript's own order is by UTF-16 units.
 *
 * @returns below zero when `a` comes first, above zero when `b` does, 0 when they are equal.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let index = 0; index < shared; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return orderOfUnit(left) - orderOfUnit(right)
  }
  return a.length - b.length
}

// Surrogates stand for characters above U+FFFF, so they sort after every other unit.
function orderOfUnit(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
