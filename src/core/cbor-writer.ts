import { utf8 } from './bytes.ts'

/** What is kept for the next item, so that a small one costs one allocation. */
const SCRATCH_BYTES = 4_096

let scratch = new Uint8Array(SCRATCH_BYTES)

/**
 * One value as one CBOR item, in the one form that it has: heads as short as they can be, keys in order
 * of length and then of letters, integers past 2^53-1 and fractions as floats of 64 bits.
 *
 * Takes `null`, booleans, numbers, texts, bytes, arrays, and objects with ASCII keys, of which those with
 * `undefined` are left out.
 *
 * @throws TypeError for anything else, and for `undefined` in an array: it would not be read again.
 */
export function encodeCbor(value: unknown): Uint8Array {
  const writer = new Writer(scratch)
  const bytes = writer.write(value).finish()
  // What one large item took is not held for the next.
  if (writer.bytes.length <= 16 * SCRATCH_BYTES) scratch = writer.bytes
  return bytes
}

class Writer {
  bytes: Uint8Array<ArrayBuffer>
  #length = 0

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.#length)
  }

  write(value: unknown): this {
    if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'boolean') this.#byte(value ? 0xf5 : 0xf4)
    else if (value === null) this.#byte(0xf6)
    else if (value instanceof Uint8Array) this.#run(2, value)
    else if (Array.isArray(value)) {
      this.#head(4, value.length)
      for (const item of value) this.write(item)
    } else if (typeof value === 'object') this.#map(value)
    else throw new TypeError(`CBOR has no form for ${typeof value}`)
    return this
  }

  #map(value: object): void {
    const items = value as Readonly<Record<string, unknown>>
    const keys = Object.keys(items).filter((key) => items[key] !== undefined)
    keys.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    this.#head(5, keys.length)
    for (const key of keys) this.write(key).write(items[key])
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value < 0) this.#head(1, -1 - value)
      else this.#head(0, value)
      return
    }
    this.#byte(0xfb)
    const at = this.#reserve(8)
    new DataView(this.bytes.buffer).setFloat64(at, value)
  }

  #text(text: string): void {
    const start = this.#length
    this.#head(3, text.length)
    const at = this.#reserve(text.length)
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i)
      if (code > 127) {
        this.#length = start
        this.#run(3, utf8(text))
        return
      }
      this.bytes[at + i] = code
    }
  }

  #run(type: number, run: Uint8Array): void {
    this.#head(type, run.length)
    const at = this.#reserve(run.length)
    this.bytes.set(run, at)
  }

  /** The head of an item: its type, and its number in as few bytes as hold it. */
  #head(type: number, value: number): void {
    if (value < 24) {
      this.#byte((type << 5) | value)
      return
    }
    const power = value < 0x100 ? 0 : value < 0x1_0000 ? 1 : value < 0x1_0000_0000 ? 2 : 3
    this.#byte((type << 5) | (24 + power))
    const width = 1 << power
    const at = this.#reserve(width)
    let rest = value
    for (let i = at + width - 1; i >= at; i -= 1) {
      this.bytes[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }

  #byte(byte: number): void {
    const at = this.#reserve(1)
    this.bytes[at] = byte
  }

  /** Where the next bytes go: to be called before `bytes` is looked at, which may be others then. */
  #reserve(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.#length))
      larger.set(this.bytes.subarray(0, at))
      this.bytes = larger
    }
    return at
  }
}
