/** What may be in the bytes that are read. */
export interface CborBounds {
  /** How many items, the nested ones included. */
  readonly itemsMax: number
  /** How deep arrays and maps may stand inside each other. */
  readonly depthMax: number
}

/** The types that items have by their first three bits, as far as they are read one by one. */
export const CBOR_UINT = 0
export const CBOR_BYTES = 2
export const CBOR_ARRAY = 4

/** What we wrote ourselves is as large as it is, and nests less than three times as deep as documents may. */
const OWN: CborBounds = { itemsMax: Number.POSITIVE_INFINITY, depthMax: 1_024 }

/** The bytes are no CBOR as it is read here. Thrown by the reader only; its callers say whose bytes it was. */
export class CborError extends Error {
  /** Whether it is only more than was allowed. */
  readonly exceeded: boolean

  constructor(message: string, exceeded = false) {
    super(message)
    this.exceeded = exceeded
  }
}

/**
 * The value of bytes that hold one item, as `encodeCbor` takes it; maps become plain objects.
 *
 * @throws CborError when they hold something else.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new CborReader(bytes)
  const value = reader.item()
  reader.end()
  return value
}

/**
 * Reads CBOR items one after the other. Strict: lengths are known beforehand, integers are below 2^53, keys
 * are texts and stand once, texts are UTF-8. There are no tags, no `undefined` and no floats but of 64 bits.
 *
 * Items are counted before anything is built from them, so what some bytes can claim is bounded by their
 * number and the bounds, and so is the recursion.
 */
export class CborReader {
  readonly #bytes: Uint8Array
  readonly #bounds: CborBounds
  #offset = 0
  #items = 0
  #depth = 0

  constructor(bytes: Uint8Array, bounds: CborBounds = OWN) {
    // A plain array: slices of a subclass, as Node's sockets give, would share memory with the whole.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#bounds = bounds
  }

  /** How many bytes have been read. */
  get offset(): number {
    return this.#offset
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length
  }

  /** @throws CborError when more follows. */
  end(): void {
    if (!this.done) throw new CborError('bytes follow the item')
  }

  /**
   * Reads the head of an item of one type: the value of a number, the length of anything else.
   *
   * @throws CborError when it is of another type.
   */
  head(type: number): number {
    const first = this.#byte()
    if (first >> 5 !== type) throw new CborError('an item is of another type')
    return this.#number(first & 31)
  }

  /** Reads a byte string: a view, not a copy. */
  view(): Uint8Array {
    return this.#run(this.head(CBOR_BYTES))
  }

  /** Reads the next item whole. What it holds shares no memory with the bytes. */
  item(): unknown {
    this.#items += 1
    if (this.#items > this.#bounds.itemsMax) {
      throw new CborError(`more than ${this.#bounds.itemsMax} items`, true)
    }
    const first = this.#byte()
    const low = first & 31
    switch (first >> 5) {
      case 0:
        return this.#number(low)
      case 1:
        return this.#negative(low)
      case 2:
        return this.#run(this.#number(low)).slice()
      case 3:
        return this.#text(this.#number(low))
      case 4:
        return this.#array(this.#number(low))
      case 5:
        return this.#map(this.#number(low))
      case 7:
        return this.#simple(low)
      default:
        throw new CborError('tags are not read')
    }
  }

  #negative(low: number): number {
    const value = -1 - this.#number(low)
    if (!Number.isSafeInteger(value)) throw new CborError('an integer is out of range')
    return value
  }

  #text(length: number): string {
    const run = this.#run(length)
    try {
      return shortText(run) ?? decoder.decode(run)
    } catch {
      throw new CborError('a text is not UTF-8')
    }
  }

  #map(length: number): Readonly<Record<string, unknown>> {
    const map: Record<string, unknown> = {}
    this.#enter(length)
    for (let left = length; left > 0; left -= 1) {
      const key = this.item()
      // What every object has by itself is no key either.
      if (typeof key !== 'string' || key in map) throw new CborError('a key is not read')
      map[key] = this.item()
    }
    this.#leave(length)
    return map
  }

  #array(length: number): readonly unknown[] {
    const items: unknown[] = []
    this.#enter(length)
    while (items.length < length) items.push(this.item())
    this.#leave(length)
    return items
  }

  /** What is empty nests nothing. */
  #enter(length: number): void {
    if (length > 0) this.#depth += 1
    if (this.#depth > this.#bounds.depthMax) {
      throw new CborError(`nested deeper than ${this.#bounds.depthMax}`, true)
    }
  }

  #leave(length: number): void {
    if (length > 0) this.#depth -= 1
  }

  #simple(low: number): unknown {
    if (low === 20) return false
    if (low === 21) return true
    if (low === 22) return null
    if (low !== 27) throw new CborError('a simple value or a short float is not read')
    const run = this.#run(8)
    return new DataView(run.buffer, run.byteOffset).getFloat64(0)
  }

  /** The number that a head holds, in itself or in the bytes behind it. */
  #number(low: number): number {
    if (low < 24) return low
    if (low > 27) throw new CborError('a length is not known')
    let value = 0
    for (let left = 1 << (low - 24); left > 0; left -= 1) value = value * 256 + this.#byte()
    if (!Number.isSafeInteger(value)) throw new CborError('an integer is out of range')
    return value
  }

  #run(length: number): Uint8Array {
    const end = this.#offset + length
    if (end > this.#bytes.length) throw cutShort()
    const run = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return run
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset]
    if (byte === undefined) throw cutShort()
    this.#offset += 1
    return byte
  }
}

/** Below this a text may be read letter by letter. */
const SHORT_TEXT_BYTES = 24

/** What most names are: a decoder takes longer to begin than to read them. */
function shortText(run: Uint8Array): string | undefined {
  if (run.length >= SHORT_TEXT_BYTES) return undefined
  let text = ''
  for (const byte of run) {
    if (byte > 127) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function cutShort(): CborError {
  return new CborError('the bytes are cut short')
}
