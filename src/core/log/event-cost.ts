/** Operations of one event: some for each field of the largest object that is allowed. */
export const EVENT_OPERATIONS_MAX: number = 1 << 18

/** Bytes of all keys of one event as they are when it is loaded, repeated ones counted each time. */
const KEY_BYTES_MAX = 1 << 23

/** Counters of operations past this leave no room for edits to come. */
const COUNTER_MAX = 2 ** 31

const HEADER_BYTES = 9
const HASH_BYTES = 32

/** What the low three bits of a column's number say about its bytes. */
const BOOLEAN = 4
const TEXT = 5
const RAW = 7
const COMPRESSED = 8

/**
 * What is wrong with an event's columns, or undefined when loading it costs no more than such an event
 * may. Columns hold runs, so sixty bytes can stand for any number of operations.
 *
 * @param bytes an event whose header has been read: exactly one change chunk.
 */
export function eventExcess(bytes: Uint8Array): 'unreadable' | 'too large' | undefined {
  try {
    return new EventColumns(bytes).isBounded() ? undefined : 'too large'
  } catch (error) {
    if (error instanceof RangeError) return 'unreadable'
    throw error
  }
}

class EventColumns {
  readonly #bytes: Uint8Array
  #offset = HEADER_BYTES
  /** Of the column that is being read. */
  #rows = 0
  #keyBytes = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** @throws RangeError when the columns do not follow their format. */
  isBounded(): boolean {
    this.#unsigned()
    this.#skip(this.#unsigned() * HASH_BYTES)
    this.#skip(this.#unsigned())
    this.#unsigned()
    const counter = this.#unsigned()
    this.#signed()
    this.#skip(this.#unsigned())
    for (let others = this.#unsigned(); others > 0; others -= 1) this.#skip(this.#unsigned())
    // Pairs of a number and a length, read here and again below: most events have a dozen of them.
    const count = this.#unsigned()
    const pairs = this.#offset
    for (let left = count * 2; left > 0; left -= 1) this.#unsigned()
    let column = this.#offset
    let pair = pairs
    for (let left = count; left > 0; left -= 1) {
      this.#offset = pair
      const spec = this.#unsigned()
      const length = this.#unsigned()
      pair = this.#offset
      this.#offset = column
      if (!this.#isColumnBounded(spec, length)) return false
      column += length
    }
    return counter <= COUNTER_MAX
  }

  #isColumnBounded(spec: number, length: number): boolean {
    const end = this.#offset + length
    if (end > this.#bytes.length || (spec & COMPRESSED) !== 0) throw new RangeError('column')
    const type = spec & 7
    if (type === RAW) {
      this.#offset = end
      return true
    }
    this.#rows = 0
    this.#keyBytes = 0
    while (this.#offset < end) {
      if (type === BOOLEAN) this.#rows += this.#unsigned()
      else this.#run(type)
      if (this.#rows > EVENT_OPERATIONS_MAX || this.#keyBytes > KEY_BYTES_MAX) return false
    }
    if (this.#offset !== end) throw new RangeError('column')
    return true
  }

  /** One run: n times the same value, n different values, or n times none. */
  #run(type: number): void {
    const count = this.#signed()
    if (count === 0) {
      this.#rows += this.#unsigned()
    } else if (count > 0) {
      this.#rows += count
      this.#keyBytes += this.#value(type) * count
    } else {
      this.#rows -= count
      for (let left = -count; left > 0; left -= 1) this.#keyBytes += this.#value(type)
    }
  }

  /** Passes over one value; of a text, returns its bytes. */
  #value(type: number): number {
    if (type !== TEXT) {
      this.#passNumber()
      return 0
    }
    const length = this.#unsigned()
    this.#skip(length)
    return length
  }

  #passNumber(): void {
    while (this.#byte() >= 0x80);
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw new RangeError('end')
    this.#offset += 1
    return byte
  }

  #skip(length: number): void {
    this.#offset += length
    if (this.#offset > this.#bytes.length) throw new RangeError('end')
  }

  #unsigned(): number {
    let value = 0
    for (let shift = 1; shift < 2 ** 53; shift *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * shift
      if (byte < 0x80 && Number.isSafeInteger(value)) return value
    }
    throw new RangeError('number')
  }

  #signed(): number {
    let value = 0
    for (let shift = 1; shift < 2 ** 53; shift *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * shift
      if (byte >= 0x80) continue
      const signed = (byte & 0x40) === 0 ? value : value - shift * 128
      if (Number.isSafeInteger(signed)) return signed
      break
    }
    throw new RangeError('number')
  }
}
