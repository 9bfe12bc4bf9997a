import { concatBytes } from '../../../core/bytes.ts'
import type { SharedTexts } from './shared-texts.ts'
import type { JsonObject, KubeObject } from './types.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const NOTHING: readonly never[] = []

/**
 * An object as text, in UTF-8, written so that its parts are found again without reading it: what it is, its
 * metadata with the owners of fields at its end, and everything else.
 *
 * Which fields somebody owns is most of a text, and often the same for all objects that were made alike. So
 * it is not in the text of the object itself, but between two places of it, and shared.
 */
export class ObjectText {
  /** How many bytes it has, with all that is shared. */
  readonly size: number
  /** What no other object has. */
  readonly #own: Uint8Array
  /** Where in `#own` each of `#shared` belongs. */
  readonly #cuts: readonly number[]
  readonly #shared: readonly Uint8Array[]
  // Where the metadata begins and ends in `#own`, and where in it the last field begins, the owners of fields:
  // its end where it has none.
  readonly #metadataStart: number
  readonly #metadataEnd: number
  readonly #ownersStart: number

  /** @param texts where what is shared comes from. Without it nothing is. */
  constructor(object: KubeObject, texts?: SharedTexts) {
    const { apiVersion, kind, metadata, ...rest } = object
    const { managedFields, ...plain } = metadata
    const head = `${JSON.stringify({ apiVersion, kind }).slice(0, -1)},"metadata":`
    const open = JSON.stringify(plain).slice(0, -1)
    const owners = managedFields === undefined ? undefined : new OwnersText(managedFields, texts)
    const comma = open === '{' ? '' : ','
    const owned = owners === undefined ? '' : `${comma}"managedFields":`
    const ownedBy = owners?.text ?? ''
    const others = JSON.stringify(rest)
    const tail = others === '{}' ? '}' : `,${others.slice(1)}`
    const text = `${head}${open}${owned}${ownedBy}}${tail}`
    this.#own = encoder.encode(text)
    const bytes = bytePlaces(text, this.#own.length)
    this.#metadataStart = bytes(head.length)
    const ownersStart = bytes(head.length + open.length)
    const within = head.length + open.length + owned.length
    this.#cuts = owners?.cuts.map((cut) => bytes(within + cut)) ?? NOTHING
    this.#metadataEnd = bytes(within + ownedBy.length + 1)
    this.#ownersStart = owners === undefined ? this.#metadataEnd : ownersStart
    this.#shared = owners?.shared ?? NOTHING
    this.size = this.#shared.reduce((sum, part) => sum + part.length, this.#own.length)
  }

  /** All of it, one part behind the other. The first one has at least what is before the metadata. */
  get parts(): readonly Uint8Array[] {
    return this.#between(0, this.#own.length)
  }

  /** The value of `metadata`. */
  get metadataParts(): readonly Uint8Array[] {
    return this.#between(this.#metadataStart, this.#metadataEnd)
  }

  /** The whole text, put together. */
  whole(): Uint8Array {
    return this.#shared.length === 0 ? this.#own : concatBytes([...this.parts])
  }

  /** Reads it without the owners of fields. */
  lean(): KubeObject {
    return this.#parse(this.#own.length, this.#ownersStart === this.#metadataEnd ? '' : '}')
  }

  /** Reads no more than what it is and its metadata, without the owners of fields. */
  head(): KubeObject {
    return this.#parse(this.#metadataEnd, this.#ownersStart === this.#metadataEnd ? '}' : '}}')
  }

  /** Reads all of it. */
  object(): KubeObject {
    return JSON.parse(decoder.decode(this.whole())) as KubeObject
  }

  /** What is before the owners of fields, and what is behind the metadata, up to `end`. */
  #parse(end: number, close: string): KubeObject {
    const before = decoder.decode(this.#own.subarray(0, this.#ownersStart))
    const behind = decoder.decode(this.#own.subarray(this.#metadataEnd, end))
    return JSON.parse(`${before}${close}${behind}`) as KubeObject
  }

  /** Owners are in the metadata: no cut is before it or behind it. */
  #between(start: number, end: number): readonly Uint8Array[] {
    const parts: Uint8Array[] = []
    let from = start
    for (const [index, cut] of this.#cuts.entries()) {
      parts.push(this.#own.subarray(from, cut))
      const shared = this.#shared[index]
      if (shared !== undefined) parts.push(shared)
      from = cut
    }
    parts.push(from === 0 && end === this.#own.length ? this.#own : this.#own.subarray(from, end))
    return parts
  }
}

/** `metadata.managedFields` as JSON, without what is shared of it, and where that belongs. */
class OwnersText {
  readonly cuts: number[] = []
  readonly shared: Uint8Array[] = []
  readonly text: string

  constructor(managedFields: unknown, texts: SharedTexts | undefined) {
    const isPlain = texts === undefined || !Array.isArray(managedFields)
    this.text = isPlain ? JSON.stringify(managedFields) : this.#textOf(managedFields, texts)
  }

  #textOf(owners: readonly unknown[], texts: SharedTexts): string {
    let text = '['
    for (const [index, owner] of owners.entries()) {
      if (index > 0) text += ','
      if (!hasFields(owner)) {
        text += JSON.stringify(owner)
        continue
      }
      let begin = '{'
      for (const [key, value] of Object.entries(owner)) {
        const json = JSON.stringify(value) as string | undefined
        if (json === undefined) continue
        text += `${begin}${JSON.stringify(key)}:`
        begin = ','
        const bytes = key === 'fieldsV1' ? texts.bytesOf(json) : undefined
        if (bytes === undefined) text += json
        else {
          this.cuts.push(text.length)
          this.shared.push(bytes)
        }
      }
      text += '}'
    }
    return `${text}]`
  }
}

function hasFields(owner: unknown): owner is JsonObject {
  return typeof owner === 'object' && owner !== null && Object.hasOwn(owner, 'fieldsV1')
}

/** Turns places in a text into those in its bytes. To be asked in order. */
function bytePlaces(text: string, length: number): (place: number) => number {
  // Where every character is one byte, and that is nearly everywhere, nothing has to be counted.
  if (length === text.length) return (place) => place
  let [known, bytes] = [0, 0]
  return (place) => {
    bytes += encoder.encode(text.slice(known, place)).length
    known = place
    return bytes
  }
}
