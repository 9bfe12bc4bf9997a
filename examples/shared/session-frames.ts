import type { ByteStream, SessionEnd, TerminalSize } from 'tideway'

/** What travels on the stream of one session, in either direction. */
export type SessionFrame =
  | { readonly type: 'stdin' | 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly type: 'stdin-end' }
  | { readonly type: 'resize'; readonly size: TerminalSize }
  | { readonly type: 'end'; readonly end: SessionEnd }

/** Each frame is a byte for its type, four for its length, and as many bytes. */
const TYPES = ['stdin', 'stdout', 'stderr', 'end', 'resize', 'stdin-end'] as const
const HEADER_BYTES = 5
const FRAME_BYTES_MAX = 64 * 1024

/** Writes a frame, long output in several. Resolves when there is room for more. */
export async function writeFrame(stream: ByteStream, frame: SessionFrame): Promise<void> {
  if (!('bytes' in frame)) return await stream.write(encode(frame.type, payloadOf(frame)))
  for (let at = 0; at < frame.bytes.length; at += FRAME_BYTES_MAX)
    await stream.write(encode(frame.type, frame.bytes.subarray(at, at + FRAME_BYTES_MAX)))
}

/**
 * Reads frames until the other side ends. Output comes in the pieces in which it arrives.
 *
 * @throws when the stream is reset, or what arrives is no frame.
 */
export async function* readFrames(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<SessionFrame> {
  let held = Buffer.alloc(0)
  for await (const piece of pieces) {
    held = held.length === 0 ? Buffer.from(piece) : Buffer.concat([held, piece])
    while (held.length >= HEADER_BYTES) {
      const length = held.readUInt32BE(1)
      if (length > FRAME_BYTES_MAX) throw new Error('a frame of a session is too long')
      if (held.length < HEADER_BYTES + length) break
      const payload = held.subarray(HEADER_BYTES, HEADER_BYTES + length)
      const frame = decode(held.readUInt8(0), payload)
      held = held.subarray(HEADER_BYTES + length)
      yield frame
    }
  }
}

function payloadOf(frame: Exclude<SessionFrame, { readonly bytes: Uint8Array }>): Uint8Array {
  if (frame.type === 'stdin-end') return new Uint8Array()
  return Buffer.from(JSON.stringify(frame.type === 'end' ? frame.end : frame.size))
}

function encode(type: SessionFrame['type'], payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(HEADER_BYTES + payload.length)
  frame.writeUInt8(TYPES.indexOf(type), 0)
  frame.writeUInt32BE(payload.length, 1)
  frame.set(payload, HEADER_BYTES)
  return frame
}

function decode(number: number, payload: Buffer): SessionFrame {
  const type = TYPES[number]
  switch (type) {
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return { type, bytes: payload }
    case 'stdin-end':
      return { type }
    case 'resize': {
      const { columns, rows } = parse(payload)
      return { type, size: { columns: Number(columns), rows: Number(rows) } }
    }
    case 'end': {
      const { exitCode, message } = parse(payload)
      return typeof exitCode === 'number'
        ? { type, end: { type: 'exited', exitCode } }
        : { type, end: { type: 'failed', message: String(message) } }
    }
    default:
      throw new Error('a frame of a session has an unknown type')
  }
}

function parse(payload: Buffer): Record<string, unknown> {
  const value: unknown = JSON.parse(payload.toString('utf8'))
  if (typeof value !== 'object' || value === null)
    throw new Error('a frame of a session is no JSON')
  return value as Record<string, unknown>
}
