import type { Compression } from '../interfaces/compression.ts'
import type { Violation } from '../sync/field-reader.ts'
import { FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, PACK_BYTES_MIN } from '../sync/limits.ts'
import { FRAME_NUMBERS } from '../sync/message.ts'
import { decodeMessage, encodeFrame } from '../sync/message-codec.ts'

/** Why a message cannot be unpacked. */
export interface PackingFailure {
  readonly code: Violation['code'] | 'PROTOCOL_COMPRESSION_UNSUPPORTED'
  readonly message: string
}

/** A message as it was before it was packed, or what is wrong with it. */
export type Unpacked = Uint8Array | PackingFailure

/** The CBOR heads of the arrays that PACKED can be: four items, or more in a later version. */
const ARRAY_FOUR = 0x84
const ARRAY_SMALL_MAX = 0x97

/**
 * Puts whole messages into a shorter form and back, with the one compression that a replica has.
 *
 * Both ways answer at once where the compression does.
 */
export class MessagePacking {
  readonly #compression: Compression | undefined

  constructor(compression: Compression | undefined) {
    this.#compression = compression
  }

  /** The numbers of what this side can undo. */
  get numbers(): readonly number[] | undefined {
    return this.#compression === undefined ? undefined : [this.#compression.number]
  }

  /** What to send for a message to a peer that can undo `packings`: the message itself when that is shorter. */
  pack(message: Uint8Array, packings: readonly number[]): Uint8Array | Promise<Uint8Array> {
    const compression = this.#compression
    if (compression === undefined || message.length < PACK_BYTES_MIN) return message
    if (!packings.includes(compression.number)) return message
    const bytes = compression.compress(message)
    if (bytes instanceof Promise) return bytes.then((done) => shorter(message, done, compression))
    return shorter(message, bytes, compression)
  }

  /** A message as the session takes it. Never throws and never rejects, whatever the bytes are. */
  unpack(message: Uint8Array): Unpacked | Promise<Unpacked> {
    if (!isPacked(message)) return message
    const { frames, violation } = decodeMessage(message)
    if (violation !== undefined) return violation
    const frame = frames[0]?.frame
    if (frame?.type !== 'packed' || frames.length > 1) {
      return { code: 'PROTOCOL_REMOTE', message: 'PACKED: not the only frame of its message' }
    }
    const compression = this.#compression
    if (compression?.number !== frame.packing) {
      return {
        code: 'PROTOCOL_COMPRESSION_UNSUPPORTED',
        message: `PACKED: packing ${frame.packing} is not one of ours`,
      }
    }
    try {
      const bytes = compression.decompress(frame.bytes, frame.length)
      if (bytes instanceof Promise) {
        return bytes.then(
          (done) => whole(done, frame.length),
          () => BROKEN,
        )
      }
      return whole(bytes, frame.length)
    } catch {
      return BROKEN
    }
  }
}

const BROKEN: PackingFailure = {
  code: 'PROTOCOL_REMOTE',
  message: 'PACKED: bytes cannot be undone',
}

/** By its first bytes: whether a message begins with PACKED. */
function isPacked(message: Uint8Array): boolean {
  const head = message[0] ?? 0
  return head >= ARRAY_FOUR && head <= ARRAY_SMALL_MAX && message[1] === FRAME_NUMBERS.packed
}

function shorter(message: Uint8Array, bytes: Uint8Array, compression: Compression): Uint8Array {
  // The rest of the frame takes 14 bytes at most.
  if (bytes.length + 14 >= Math.min(message.length, FRAME_BYTES_MAX)) return message
  const { number } = compression
  return encodeFrame({ type: 'packed', packing: number, length: message.length, bytes })
}

function whole(bytes: Uint8Array, length: number): Unpacked {
  if (bytes.length !== length) {
    return { code: 'PROTOCOL_REMOTE', message: 'PACKED: length is not that of the message' }
  }
  // PACKED inside PACKED would multiply what one message can claim.
  if (length > MESSAGE_BYTES_MAX || isPacked(bytes)) {
    return { code: 'PROTOCOL_REMOTE', message: 'PACKED: holds another' }
  }
  return bytes
}
