/** What happens on one of the many connections of a pipe. */
export type FrameType = 'open' | 'message' | 'close'

export interface Frame {
  readonly type: FrameType
  readonly connection: number
  readonly bytes: Uint8Array
}

const TYPES: readonly FrameType[] = ['open', 'message', 'close']
const HEAD_BYTES = 9

/** One frame as the two parts to write: its head, then its bytes. */
export function frameHead(type: FrameType, connection: number, bytes: number): Uint8Array {
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  head[0] = TYPES.indexOf(type)
  head.writeUInt32BE(connection, 1)
  head.writeUInt32BE(bytes, 5)
  return head
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  /** The frames that are complete with this chunk. */
  read(chunk: Buffer): readonly Frame[] {
    const frames: Frame[] = []
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (all.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES + all.readUInt32BE(at + 5)
      if (end > all.length) break
      const type = TYPES[all[at] ?? TYPES.length]
      if (type === undefined) throw new Error('a frame of an unknown type')
      const bytes = new Uint8Array(all.subarray(at + HEAD_BYTES, end))
      frames.push({ type, connection: all.readUInt32BE(at + 1), bytes })
      at = end
    }
    this.#rest = all.subarray(at)
    return frames
  }
}
