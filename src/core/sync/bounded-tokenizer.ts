import { type DecodeOptions, type Token, Tokenizer, Type, tokensToObject } from 'cborg'
import { MalformedError } from './field-reader.ts'
import { DEPTH_MAX, ITEMS_MAX } from './limits.ts'

const OPTIONS: DecodeOptions = {
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  useMaps: true,
}

/**
 * Reads CBOR items from one message, one after the other, with bounds on count and depth.
 *
 * The tokens are counted before anything is built from them, so the memory that a message can claim
 * is bounded by its bytes and {@link ITEMS_MAX}, and the recursion by {@link DEPTH_MAX}.
 */
export class BoundedTokenizer {
  readonly #inner: Tokenizer
  /** For each open array or map: how many items are still to come. */
  readonly #open: number[] = []
  #items = 0

  constructor(message: Uint8Array) {
    this.#inner = new Tokenizer(message, OPTIONS)
  }

  pos(): number {
    return this.#inner.pos()
  }

  done(): boolean {
    return this.#inner.done()
  }

  next(): Token {
    const token = this.#inner.next()
    this.#items += 1
    if (this.#items > ITEMS_MAX) {
      throw new MalformedError('PROTOCOL_LIMIT_EXCEEDED', `message: more than ${ITEMS_MAX} items`)
    }
    this.#account(token)
    return token
  }

  /** The next whole item. Throws whatever the decoder throws; only its caller knows the frame. */
  item(): unknown {
    this.#open.length = 0
    const value: unknown = tokensToObject(this, OPTIONS)
    return value
  }

  #account(token: Token): void {
    const size = childCount(token)
    if (size > 0) {
      if (this.#open.length >= DEPTH_MAX) {
        throw new MalformedError(
          'PROTOCOL_LIMIT_EXCEEDED',
          `message: nested deeper than ${DEPTH_MAX}`,
        )
      }
      this.#open.push(size)
      return
    }
    for (let last = this.#open.length - 1; last >= 0; last -= 1) {
      const left = (this.#open[last] ?? 0) - 1
      this.#open[last] = left
      if (left > 0) return
      this.#open.pop()
    }
  }
}

function childCount(token: Token): number {
  if (Type.equals(token.type, Type.array)) return Number(token.value)
  if (Type.equals(token.type, Type.map)) return Number(token.value) * 2
  // A tag holds one item. No frame uses tags, and the decoder refuses them.
  return Type.equals(token.type, Type.tag) ? 1 : 0
}
