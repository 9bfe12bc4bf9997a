/** What a writer begins with, and by how much at least it grows. */
const FIRST_BYTES = 4096

/** Writes protobuf into one buffer. */
export class ProtobufWriter {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #end = 0

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** A number: what a field that is no message begins with, or is. Whole, below 2^53 in size. */
  varint(value: number): void {
    this.#reserve(10)
    // Negative numbers are ten bytes, as two's complement of 64 bits.
    let rest = value < 0 ? BigInt.asUintN(64, BigInt(value)) : BigInt(value)
    if (value >= 0 && value < 2 ** 31) {
      let small = value
      while (small >= 0x80) {
        this.#bytes[this.#end++] = (small & 0x7f) | 0x80
        small >>>= 7
      }
      this.#bytes[this.#end++] = small
      return
    }
    while (rest >= 0x80n) {
      this.#bytes[this.#end++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#bytes[this.#end++] = Number(rest)
  }

  /** A field that is a number. */
  number(field: number, value: number): void {
    this.varint(field << 3)
    this.varint(value)
  }

  /** A field that is a floating point number. */
  double(field: number, value: number): void {
    this.varint((field << 3) | 1)
    this.#reserve(8)
    this.#end = this.#bytes.writeDoubleLE(value, this.#end)
  }

  /** A field that is text. */
  text(field: number, value: string): void {
    this.varint((field << 3) | 2)
    const length = Buffer.byteLength(value)
    this.varint(length)
    this.#reserve(length)
    this.#bytes.write(value, this.#end)
    this.#end += length
  }

  /** A field that is bytes. */
  bytes(field: number, value: Uint8Array): void {
    this.varint((field << 3) | 2)
    this.varint(value.length)
    this.raw(value)
  }

  /** A field that is a message, written by `write`. */
  message(field: number, write: () => void): void {
    this.varint((field << 3) | 2)
    this.#reserve(1)
    const place = this.#end
    this.#end += 1
    write()
    const length = this.#end - place - 1
    const extra = sizeOf(length) - 1
    this.#reserve(extra)
    if (extra > 0) this.#bytes.copyWithin(place + 1 + extra, place + 1, this.#end)
    this.#end = place
    this.varint(length)
    this.#end += length
  }

  /** Everything written so far. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#end))
  }

  #reserve(more: number): void {
    if (this.#end + more <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + more))
    this.#bytes.copy(grown, 0, 0, this.#end)
    this.#bytes = grown
  }
}

/** How many bytes a length takes. */
function sizeOf(length: number): number {
  let size = 1
  for (let rest = length; rest >= 0x80; rest >>>= 7) size += 1
  return size
}
