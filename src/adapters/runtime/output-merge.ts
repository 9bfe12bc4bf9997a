import type { OutputPiece } from '../../core/interfaces/process-session.ts'

/** A piece that waits, and how to tell its source that it was taken. */
interface Waiting {
  readonly piece: OutputPiece
  readonly taken: () => void
}

/**
 * Joins several sources of output into one sequence. Each source waits until its piece is taken, so
 * no more than one piece of each is held.
 */
export class OutputMerge implements AsyncIterable<OutputPiece> {
  /** Resolves when the reader has taken the last piece, or has left. */
  readonly finished: Promise<void>
  readonly #waiting: Waiting[] = []
  #isOver = false
  #wake: () => void = () => undefined
  #finish: () => void = () => undefined

  constructor() {
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Whether pieces wait to be taken. */
  get isHeld(): boolean {
    return this.#waiting.length > 0
  }

  /** Hands a piece over; resolves when it was taken, at once when the reader has left. */
  async put(piece: OutputPiece): Promise<void> {
    if (this.#isOver || piece.bytes.length === 0) return
    await new Promise<void>((taken) => {
      this.#waiting.push({ piece, taken })
      this.#wake()
    })
  }

  /** There will be no more. What waits can still be taken. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  /** Nobody wants it any more: what waits is dropped. */
  drop(): void {
    this.#isOver = true
    for (const { taken } of this.#waiting.splice(0)) taken()
    this.#wake()
    this.#finish()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputPiece> {
    try {
      while (true) {
        const next = this.#waiting.shift()
        if (next !== undefined) {
          yield next.piece
          next.taken()
          continue
        }
        if (this.#isOver) return
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      this.drop()
    }
  }
}
