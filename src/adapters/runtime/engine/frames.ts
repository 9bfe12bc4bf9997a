/** A piece of what a process wrote. */
export interface Frame {
  readonly stream: 'stdout' | 'stderr'
  readonly bytes: Buffer
}

const HEAD_BYTES = 8
const STDERR = 2

/**
 * Takes apart what an engine sends of a process without a terminal: each piece is led by the number
 * of its stream, three zeroes and its length in four bytes. Pieces are given as they come, also when
 * they are not whole yet, so nothing is held but a head.
 */
export class FrameReader {
  #head: Buffer = Buffer.alloc(0)
  #stream: Frame['stream'] = 'stdout'
  #left = 0

  /** What is in `bytes`, in order. */
  read(bytes: Buffer): readonly Frame[] {
    const frames: Frame[] = []
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0) {
        const piece = bytes.subarray(at, at + this.#left)
        at += piece.length
        this.#left -= piece.length
        frames.push({ stream: this.#stream, bytes: piece })
        continue
      }
      const wanted = HEAD_BYTES - this.#head.length
      this.#head = Buffer.concat([this.#head, bytes.subarray(at, at + wanted)])
      at += wanted
      if (this.#head.length < HEAD_BYTES) return frames
      this.#stream = this.#head[0] === STDERR ? 'stderr' : 'stdout'
      this.#left = this.#head.readUInt32BE(4)
      this.#head = Buffer.alloc(0)
    }
    return frames
  }
}
