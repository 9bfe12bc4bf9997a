import { TwoGenerations } from './two-generations.ts'

/** How many characters of texts are remembered, twice at most. */
const REMEMBERED_CHARACTERS_MAX = 128 * 1024

/** What is shorter takes about as much to be told apart from the text around it. */
const SHARED_CHARACTERS_MIN = 128

const encoder = new TextEncoder()

/**
 * The bytes of texts that many objects have in common, as those that were made alike have the owners of their
 * fields: whoever brings a text that was brought lately is given the same bytes.
 *
 * What is forgotten stays with those who have it, and goes with the last of them.
 */
export class SharedTexts {
  readonly #bytes: TwoGenerations<string, Uint8Array> = new TwoGenerations(
    REMEMBERED_CHARACTERS_MAX,
    ({ length }) => length,
  )

  /** The bytes of a text in UTF-8, which may not be written to; undefined when it is not worth it. */
  bytesOf(text: string): Uint8Array | undefined {
    if (text.length < SHARED_CHARACTERS_MIN || text.length > REMEMBERED_CHARACTERS_MAX) {
      return undefined
    }
    const known = this.#bytes.get(text)
    if (known !== undefined) return known
    const bytes = encoder.encode(text)
    this.#bytes.put(text, bytes)
    return bytes
  }
}
