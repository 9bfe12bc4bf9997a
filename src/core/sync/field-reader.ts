import { fromHex, toHex, utf8 } from '../bytes.ts'
import type { CollectionId, DocumentId, Epoch, EventHash, Position } from '../ids.ts'
import { COLLECTION_BYTES_MAX, DOCUMENT_BYTES_MAX } from './limits.ts'

/** What a peer did wrong: the code to close with, and which field of which frame was wrong. */
export interface Violation {
  readonly code: 'PROTOCOL_REMOTE' | 'PROTOCOL_LIMIT_EXCEEDED'
  readonly message: string
}

/** Thrown inside the decoder only, and turned into a {@link Violation} at its edge. */
export class MalformedError extends Error {
  readonly violation: Violation

  constructor(code: Violation['code'], message: string) {
    super(message)
    this.violation = { code, message }
  }
}

/** Takes the items of a frame one by one and checks each. Items that are never taken are ignored. */
export class FieldReader {
  readonly #items: readonly unknown[]
  readonly #frame: string
  #next: number

  constructor(frame: string, items: readonly unknown[], next = 0) {
    this.#frame = frame
    this.#items = items
    this.#next = next
  }

  /** Whether another item is there. Optional fields stand at the end. */
  get more(): boolean {
    return this.#next < this.#items.length
  }

  fail(field: string, wrong: string): never {
    throw new MalformedError('PROTOCOL_REMOTE', `${this.#frame}: ${field} ${wrong}`)
  }

  exceed(field: string, wrong: string): never {
    throw new MalformedError('PROTOCOL_LIMIT_EXCEEDED', `${this.#frame}: ${field} ${wrong}`)
  }

  uint(field: string): number {
    const value = this.#take(field)
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      this.fail(field, 'is not an unsigned integer up to 2^53-1')
    }
    return value
  }

  position(field: string): Position {
    return this.uint(field)
  }

  boolean(field: string): boolean {
    const value = this.#take(field)
    if (typeof value !== 'boolean') this.fail(field, 'is not a boolean')
    return value
  }

  text(field: string, bytesMax: number, bytesMin = 0): string {
    return this.checkText(field, this.#take(field), bytesMax, bytesMin)
  }

  checkText(field: string, value: unknown, bytesMax: number, bytesMin = 0): string {
    if (typeof value !== 'string') this.fail(field, 'is not a text')
    // A text of n UTF-16 units has at most 3n bytes: most texts need not be measured.
    if (value.length * 3 > bytesMax && utf8(value).length > bytesMax) {
      this.exceed(field, `is longer than ${bytesMax} bytes`)
    }
    if (value.length < bytesMin) this.fail(field, 'is empty')
    return value
  }

  bytes(field: string, bytesMax: number): Uint8Array {
    return this.checkBytes(field, this.#take(field), bytesMax)
  }

  checkBytes(field: string, value: unknown, bytesMax: number): Uint8Array {
    if (!(value instanceof Uint8Array)) this.fail(field, 'is not a byte string')
    if (value.length > bytesMax) this.exceed(field, `is longer than ${bytesMax} bytes`)
    return value
  }

  fixedBytes(field: string, length: number): Uint8Array {
    const value = this.#take(field)
    if (!(value instanceof Uint8Array) || value.length !== length) {
      this.fail(field, `is not a byte string of ${length} bytes`)
    }
    return value
  }

  /** A byte string, or undefined where the peer wrote null. */
  optionalBytes(field: string, bytesMax: number): Uint8Array | undefined {
    const value = this.#take(field)
    return value === null ? undefined : this.checkBytes(field, value, bytesMax)
  }

  epoch(field: string): Epoch {
    return toHex(this.fixedBytes(field, 8))
  }

  optionalEpoch(field: string): Epoch | undefined {
    if (this.#items[this.#next] !== null) return this.epoch(field)
    this.#next += 1
    return undefined
  }

  optionalHash(field: string): EventHash | undefined {
    if (this.#items[this.#next] !== null) return toHex(this.fixedBytes(field, 32))
    this.#next += 1
    return undefined
  }

  /** A name that becomes part of a key: a control character in it could make it that of another. */
  name(field: string, bytesMax: number): string {
    return this.checkName(field, this.#take(field), bytesMax)
  }

  checkName(field: string, value: unknown, bytesMax: number): string {
    const text = this.checkText(field, value, bytesMax, 1)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    if (/[\u0000-\u001f]/.test(text)) this.fail(field, 'holds a control character')
    return text
  }

  collection(field: string): CollectionId {
    return this.name(field, COLLECTION_BYTES_MAX)
  }

  document(field: string): DocumentId {
    return this.name(field, DOCUMENT_BYTES_MAX)
  }

  /** A nested array, whatever is in it. */
  array(field: string, lengthMax: number): readonly unknown[] {
    const value = this.#take(field)
    if (!Array.isArray(value)) this.fail(field, 'is not an array')
    if (value.length > lengthMax) this.exceed(field, `has more than ${lengthMax} items`)
    return value
  }

  /** A nested array of arrays: one reader for each. */
  records(field: string, lengthMax: number): readonly FieldReader[] {
    return this.array(field, lengthMax).map((item) => {
      if (!Array.isArray(item)) this.fail(field, 'holds an item that is not an array')
      return new FieldReader(`${this.#frame}.${field}`, item)
    })
  }

  /** A nested array of names of collections. */
  collections(field: string, lengthMax: number): readonly CollectionId[] {
    const names = this.array(field, lengthMax)
    return names.map((name) => this.checkName(field, name, COLLECTION_BYTES_MAX))
  }

  /** A nested array of indexes below `end`. */
  indexes(field: string, end: number): readonly number[] {
    return this.array(field, end).map((value) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value >= end) {
        this.fail(field, 'holds an index out of range')
      }
      return value
    })
  }

  /** A text, or undefined where the peer wrote null. */
  optionalText(field: string, bytesMax: number): string | undefined {
    const value = this.#take(field)
    return value === null ? undefined : this.checkText(field, value, bytesMax)
  }

  /** The next item, whatever it is. */
  item(field: string): unknown {
    return this.#take(field)
  }

  #take(field: string): unknown {
    if (this.#next >= this.#items.length) this.fail(field, 'is missing')
    const value = this.#items[this.#next]
    this.#next += 1
    return value
  }
}

/** The 8 bytes of an epoch on the wire. */
export function epochBytes(epoch: Epoch): Uint8Array {
  return fromHex(epoch)
}
