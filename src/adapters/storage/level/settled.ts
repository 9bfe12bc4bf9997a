import type { Position } from '../../../core/ids.ts'
import type { LevelOperation } from './database.ts'
import { WRITE_BUFFER_BYTES } from './open-level.ts'

/** A position is noted each time that so much was written. */
const NOTED_EVERY_BYTES = 4 * 1_024 * 1_024

/**
 * Knows up to where the log is in LevelDB's tables for certain, so that the next opener need not look at it.
 *
 * What was written last is in LevelDB's own log, of which it leaves out damaged parts without a word when it
 * opens; tables have checksums, and one that is missing is an error. LevelDB writes a table from each buffer
 * that is full, and fills at most one more meanwhile. So what has two buffers and two batches behind it is in
 * a table: a buffer is full at {@link WRITE_BUFFER_BYTES}, and holds the batch by which it became so.
 */
export class SettledPositions {
  readonly #waiting: { readonly head: Position; readonly writtenBytes: number }[] = []
  #writtenBytes = 0
  #notedBytes = 0
  #batchBytesMax = 0

  /** A batch is on disk that ends at `head`. @returns up to where the log is in tables, where that is news. */
  wrote(head: Position, operations: readonly LevelOperation[]): Position | undefined {
    const bytes = bytesOf(operations)
    this.#writtenBytes += bytes
    this.#batchBytesMax = Math.max(this.#batchBytesMax, bytes)
    if (this.#writtenBytes - this.#notedBytes >= NOTED_EVERY_BYTES) {
      this.#notedBytes = this.#writtenBytes
      this.#waiting.push({ head, writtenBytes: this.#writtenBytes })
    }
    const behind = this.#writtenBytes - 2 * (WRITE_BUFFER_BYTES + this.#batchBytesMax)
    let settled: Position | undefined
    while ((this.#waiting[0]?.writtenBytes ?? Number.POSITIVE_INFINITY) < behind) {
      settled = this.#waiting.shift()?.head
    }
    return settled
  }
}

function bytesOf(operations: readonly LevelOperation[]): number {
  let bytes = 0
  for (const operation of operations) {
    bytes += operation.key.length
    if (operation.type === 'put') bytes += operation.value.length
  }
  return bytes
}
