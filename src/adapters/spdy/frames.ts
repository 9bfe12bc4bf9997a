/** A peer that breaks the protocol. The connection ends. */
export class SpdyError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SpdyError'
  }
}

/**
 * One frame of SPDY/3.1, as far as the streams of Kubernetes use it. Data come in pieces as they
 * arrive; `fin` is on the last one. Header blocks are still compressed.
 */
export type Frame =
  | {
      readonly type: 'open' | 'reply' | 'headers'
      readonly stream: number
      readonly fin: boolean
      readonly block: Uint8Array
    }
  | {
      readonly type: 'data'
      readonly stream: number
      readonly fin: boolean
      readonly bytes: Uint8Array
    }
  | { readonly type: 'reset'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'go-away' }

/** Why a stream is reset (RST_STREAM). */
export const RESET: {
  readonly protocolError: 1
  readonly refused: 3
  readonly cancel: 5
  readonly internalError: 6
} = { protocolError: 1, refused: 3, cancel: 5, internalError: 6 }

const VERSION = 3
const HEADER_BYTES = 8
const STREAM_MASK = 0x7fff_ffff
const CONTROL_BIT = 0x8000
const FLAG_FIN = 1

const TYPES = {
  open: 1,
  reply: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  window: 9,
}

/** A control frame that is longer ends the connection. Clients of Kubernetes send about 100 bytes. */
export const CONTROL_BYTES_MAX: number = 16 * 1024

/** Takes bytes as they come, cut anywhere, and gives frames. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0)
  #data: { readonly stream: number; readonly fin: boolean; left: number } | undefined

  /**
   * Frames that are complete with these bytes, and the pieces of data in them.
   *
   * @throws SpdyError when they are no frames of this protocol. The reader is useless from then on.
   */
  push(chunk: Uint8Array): readonly Frame[] {
    const frames: Frame[] = []
    let rest = this.#held.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#held, chunk])
    while (true) {
      if (this.#data !== undefined) {
        if (rest.length === 0 && this.#data.left > 0) break
        const bytes = rest.subarray(0, this.#data.left)
        rest = rest.subarray(bytes.length)
        this.#data.left -= bytes.length
        const { stream, fin, left } = this.#data
        frames.push({ type: 'data', stream, fin: fin && left === 0, bytes })
        if (left === 0) this.#data = undefined
        continue
      }
      if (rest.length < HEADER_BYTES) break
      const length = rest.readUIntBE(5, 3)
      if ((rest.readUInt16BE(0) & CONTROL_BIT) === 0) {
        const stream = rest.readUInt32BE(0) & STREAM_MASK
        this.#data = { stream, fin: (rest.readUInt8(4) & FLAG_FIN) !== 0, left: length }
        rest = rest.subarray(HEADER_BYTES)
        continue
      }
      if (length > CONTROL_BYTES_MAX) throw new SpdyError('a control frame is too long')
      if (rest.length < HEADER_BYTES + length) break
      const frame = parseControl(rest.subarray(0, HEADER_BYTES + length))
      if (frame !== undefined) frames.push(frame)
      rest = rest.subarray(HEADER_BYTES + length)
    }
    // At most one control frame is held.
    this.#held = Buffer.from(rest)
    return frames
  }
}

/** @returns undefined for frames that mean nothing here: nobody in Kubernetes uses windows or settings. */
function parseControl(bytes: Buffer): Frame | undefined {
  const version = bytes.readUInt16BE(0) & ~CONTROL_BIT
  if (version !== VERSION) throw new SpdyError('a frame has another version than 3')
  const type = bytes.readUInt16BE(2)
  const fin = (bytes.readUInt8(4) & FLAG_FIN) !== 0
  const body = bytes.subarray(HEADER_BYTES)
  const word = (at: number): number => {
    if (body.length < at + 4) throw new SpdyError('a control frame is too short')
    return body.readUInt32BE(at)
  }
  switch (type) {
    case TYPES.open:
      // The stream that it belongs to, its priority and its slot are of no use here.
      word(6)
      return { type: 'open', stream: word(0) & STREAM_MASK, fin, block: body.subarray(10) }
    case TYPES.reply:
      return { type: 'reply', stream: word(0) & STREAM_MASK, fin, block: body.subarray(4) }
    case TYPES.headers:
      return { type: 'headers', stream: word(0) & STREAM_MASK, fin, block: body.subarray(4) }
    case TYPES.reset:
      return { type: 'reset', stream: word(0) & STREAM_MASK, status: word(4) }
    case TYPES.ping:
      return { type: 'ping', id: word(0) }
    case TYPES.goAway:
      return { type: 'go-away' }
    default:
      return undefined
  }
}

/** Writes a frame. The data of one take at most 2^24 - 1 bytes. */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'data':
      return Buffer.concat([dataHeader(frame.stream, frame.fin, frame.bytes.length), frame.bytes])
    case 'open':
      return control(TYPES.open, frame.fin, [words(frame.stream, 0), Buffer.alloc(2), frame.block])
    case 'reply':
      return control(TYPES.reply, frame.fin, [words(frame.stream), frame.block])
    case 'headers':
      return control(TYPES.headers, frame.fin, [words(frame.stream), frame.block])
    case 'reset':
      return control(TYPES.reset, false, [words(frame.stream, frame.status)])
    case 'ping':
      return control(TYPES.ping, false, [words(frame.id)])
    case 'go-away':
      return control(TYPES.goAway, false, [words(0, 0)])
  }
}

/** What stands before the bytes of a data frame. */
export function dataHeader(stream: number, fin: boolean, length: number): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32BE(stream, 0)
  header.writeUInt8(fin ? FLAG_FIN : 0, 4)
  header.writeUIntBE(length, 5, 3)
  return header
}

function control(type: number, fin: boolean, parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(CONTROL_BIT | VERSION, 0)
  header.writeUInt16BE(type, 2)
  header.writeUInt8(fin ? FLAG_FIN : 0, 4)
  header.writeUIntBE(body.length, 5, 3)
  return Buffer.concat([header, body])
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4)
  return bytes
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
