import { badRequest } from '../status.ts'

/** A value as it stands on the wire: a varint or fixed number, or bytes. */
export type WireValue = bigint | Uint8Array

/** One field of a protobuf message. */
export interface WireField {
  readonly number: number
  readonly value: WireValue
  /** The eight bytes of a fixed64, for floating point. */
  readonly isFixed64: boolean
}

/**
 * The fields of one protobuf message, in order.
 *
 * @throws StatusError 400 when the bytes are cut short or not protobuf.
 */
export function* readFields(bytes: Uint8Array): Generator<WireField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0

  function varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset]
      if (byte === undefined) throw broken()
      offset += 1
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw broken()
  }

  function take(length: number): number {
    const start = offset
    if (length > bytes.length - start) throw broken()
    offset = start + length
    return start
  }

  while (offset < bytes.length) {
    const tag = Number(varint() & 0xffff_ffffn)
    const number = tag >>> 3
    if (number === 0) throw broken()
    switch (tag & 7) {
      case 0:
        yield { number, value: varint(), isFixed64: false }
        break
      case 1:
        yield { number, value: view.getBigUint64(take(8), true), isFixed64: true }
        break
      case 2: {
        const length = varint()
        if (length > BigInt(bytes.length)) throw broken()
        const start = take(Number(length))
        yield { number, value: bytes.subarray(start, offset), isFixed64: false }
        break
      }
      case 5:
        yield { number, value: BigInt(view.getUint32(take(4), true)), isFixed64: false }
        break
      default:
        throw broken()
    }
  }
}

/** The refusal of bytes that are not protobuf. */
export function broken(): Error {
  return badRequest('the body is not valid protobuf: proto: illegal wire data')
}
