import { ByteReader } from '../log/event.ts'

// The columns of an Automerge change: runs of equal values, runs of nothing, and runs of values that differ.
// Numbers are LEB128, signed ones in two's complement.

/** How much room there is at first, and how much is kept for what is written next. */
const FIRST_BYTES = 512
const KEPT_BYTES_MAX = 65_536
/** Longer texts are left to the encoder, in UTF-16 units. */
const ONE_BY_ONE_MAX = 64

/** Bytes that are put together one after another. */
export class ByteSink {
  #bytes = new Uint8Array(FIRST_BYTES)
  length = 0

  /** Begins anew. */
  clear(): void {
    this.length = 0
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = new Uint8Array(FIRST_BYTES)
  }

  /** What was written so far: valid until more is written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  /** A whole number from 0 to 2^53-1. */
  unsigned(value: number): void {
    this.#reserve(8)
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#push((rest % 0x80) | 0x80)
    this.#push(rest)
  }

  /** A whole number of up to 53 bits and a sign. */
  signed(value: number): void {
    this.#reserve(8)
    for (let rest = value; ; ) {
      const next = Math.floor(rest / 0x80)
      const low = rest - next * 0x80
      if ((next === 0 && low < 0x40) || (next === -1 && low >= 0x40)) return this.#push(low)
      this.#push(low | 0x80)
      rest = next
    }
  }

  /** Eight bytes, little-endian. */
  float(value: number): void {
    this.#reserve(8)
    new DataView(this.#bytes.buffer).setFloat64(this.length, value, true)
    this.length += 8
  }

  /** UTF-8 without its length. @returns how many bytes it has. */
  text(value: string): number {
    const { length } = value
    this.#reserve(length * 3)
    if (length > ONE_BY_ONE_MAX) return this.#encoded(value)
    // Most texts are short and ASCII: a call of the encoder takes longer, and makes two objects.
    for (let i = 0; i < length; i += 1) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return this.#encoded(value)
      this.#bytes[this.length + i] = code
    }
    this.length += length
    return length
  }

  /** UTF-8 behind its length. */
  key(value: string): void {
    const before = this.length
    this.unsigned(value.length)
    if (this.text(value) === value.length) return
    // Not only ASCII: its length is another one.
    this.length = before
    keySink.clear()
    keySink.text(value)
    this.unsigned(keySink.length)
    this.raw(keySink.bytes)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  #encoded(value: string): number {
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.length))
    this.length += written
    return written
  }

  #push(byte: number): void {
    this.#bytes[this.length] = byte
    this.length += 1
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return
    const grown = new Uint8Array((this.length + count) * 2)
    grown.set(this.bytes)
    this.#bytes = grown
  }
}

const encoder = new TextEncoder()
const keySink = new ByteSink()

/** Writes a column of what `valueIn` says of each item; one of nothing at all stays empty, and is left out. */
export function writeRuns<Item, Value extends number | string>(
  sink: ByteSink,
  items: readonly Item[],
  valueIn: (item: Item) => Value | undefined,
  write: (value: Value) => void,
): void {
  const valueAt = (index: number): Value | undefined => valueIn(items[index] as Item)
  /** Values before `from` that differ from their neighbours, and are not written yet. */
  let single = 0
  const writeSingle = (end: number): void => {
    if (single > 0) sink.signed(-single)
    for (let at = end - single; at < end; at += 1) write(valueAt(at) as Value)
    single = 0
  }
  const count = items.length
  for (let from = 0; from < count; ) {
    const value = valueAt(from)
    let end = from + 1
    while (end < count && valueAt(end) === value) end += 1
    if (value === undefined && end - from === count) return
    if (value !== undefined && end - from === 1) single += 1
    else writeSingle(from)
    if (value === undefined) {
      sink.unsigned(0)
      sink.unsigned(end - from)
    } else if (end - from > 1) {
      sink.signed(end - from)
      write(value)
    }
    from = end
  }
  writeSingle(count)
}

/** Writes a column of numbers as the steps between them. */
export function writeSteps(sink: ByteSink, values: readonly (number | undefined)[]): void {
  let before = 0
  const steps = values.map((value) => {
    if (value === undefined) return undefined
    const step = value - before
    before = value
    return step
  })
  writeRuns(
    sink,
    steps,
    (step) => step,
    (step) => sink.signed(step),
  )
}

/** Writes a column of booleans: how many are false, then how many true, and so on. */
export function writeBooleans<Item>(
  sink: ByteSink,
  items: readonly Item[],
  isTrue: (item: Item) => boolean,
): void {
  let current = false
  let run = 0
  for (const item of items) {
    if (isTrue(item) !== current) {
      sink.unsigned(run)
      current = !current
      run = 0
    }
    run += 1
  }
  if (run > 0) sink.unsigned(run)
}

/** A column as it is read, value by value. One that is too short goes on with nothing. */
export class RunColumn<Value> {
  readonly #source: ByteReader
  readonly #read: () => Value
  /** How many values of the run are left, and whether each of them is written. */
  #left = 0
  #isEach = false
  #value: Value | undefined

  constructor(source: ByteReader, read: () => Value) {
    this.#source = source
    this.#read = read
  }

  get done(): boolean {
    return this.#left === 0 && this.#source.done
  }

  /** The next value; undefined for nothing. */
  next(): Value | undefined {
    while (this.#left === 0) {
      if (this.#source.done) return undefined
      this.#begin()
    }
    this.#left -= 1
    return this.#isEach ? this.#read() : this.#value
  }

  #begin(): void {
    const length = this.#source.signed()
    this.#isEach = length < 0
    this.#value = length > 0 ? this.#read() : undefined
    this.#left = length === 0 ? this.#source.unsigned() : Math.abs(length)
  }
}

/** A column of steps as the numbers that they lead to. */
export class StepColumn {
  readonly #steps: RunColumn<number>
  #value = 0

  constructor(source: ByteReader) {
    this.#steps = new RunColumn(source, () => source.signed())
  }

  /** The next number; undefined for nothing. */
  next(): number | undefined {
    const step = this.#steps.next()
    if (step === undefined) return undefined
    this.#value += step
    return this.#value
  }
}

/**
 * Bytes of which many are texts. All of them are decoded in one piece: for each text alone the decoder takes
 * longer than for all of a column, and needs an object.
 */
export class TextSource {
  readonly #bytes: Uint8Array
  readonly source: ByteReader
  /** Each byte that is ASCII in its place, and something else in the place of each other one. */
  readonly #ascii: string
  readonly #isAscii: boolean

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.source = new ByteReader(bytes)
    this.#isAscii = isAscii(bytes, 0, bytes.length)
    this.#ascii = decoder.decode(this.#isAscii ? bytes : bytes.map((byte) => byte & 0x7f))
  }

  /** The text of the next so many bytes. */
  text(length: number): string {
    const start = this.source.skip(length)
    const end = start + length
    if (this.#isAscii || isAscii(this.#bytes, start, end)) return this.#ascii.slice(start, end)
    return decoder.decode(this.#bytes.subarray(start, end))
  }
}

const decoder = new TextDecoder(undefined, { ignoreBOM: true })

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] ?? 0) > 0x7f) return false
  return true
}
