/** Pieces smaller than this are put together, so that many of them take no more memory than their bytes. */
const BLOCK_BYTES = 4 * 1024

/** Bytes that arrived in pieces and were not read yet. */
export class ChunkQueue {
  readonly #chunks: Uint8Array[] = []
  /** The last chunk, when it is a block that is not full yet. */
  #block: { readonly bytes: Uint8Array; length: number } | undefined

  push(bytes: Uint8Array): void {
    if (bytes.length >= BLOCK_BYTES) {
      this.#seal()
      this.#chunks.push(bytes)
      return
    }
    if (this.#block !== undefined && this.#block.length + bytes.length > BLOCK_BYTES) this.#seal()
    this.#block ??= { bytes: new Uint8Array(BLOCK_BYTES), length: 0 }
    this.#block.bytes.set(bytes, this.#block.length)
    this.#block.length += bytes.length
  }

  /** The oldest bytes; undefined when there are none. */
  shift(): Uint8Array | undefined {
    if (this.#chunks.length === 0) this.#seal()
    return this.#chunks.shift()
  }

  #seal(): void {
    if (this.#block === undefined) return
    this.#chunks.push(this.#block.bytes.subarray(0, this.#block.length))
    this.#block = undefined
  }
}
