import type { DocumentId } from '../ids.ts'
import type { Storage } from '../interfaces/storage.ts'
import { DOCUMENT_PREFIX } from './keys.ts'
import { type DocumentRecord, decodeRecord } from './records.ts'

/** How many names the first filter is for; each further one is for twice as many. */
const FIRST_NAMES = 4_096

/** Bits a name, and how many of them it sets: of names that are free, about two in a thousand look taken. */
const BITS = 16
const HASHES = 4

interface Filter {
  readonly words: Uint32Array
  /** How many more names it is for. */
  room: number
}

/**
 * Says of a name that no document has it, without a look into the storage, once somebody has gone through all
 * documents. It takes 2 to 4 bytes a document. Of a few names that are free it does not know that they are.
 */
export class DocumentNames {
  readonly #filters: Filter[] = []
  #isLearning = false
  #isComplete = false

  /** Whether it is certain that there is no such document. */
  isFree(document: DocumentId): boolean {
    return this.#isComplete && !this.#has(bitsOf(document))
  }

  /** A document is here now. */
  add(document: DocumentId): void {
    if (!this.#isLearning) return
    const bits = bitsOf(document)
    if (this.#has(bits)) return
    let last = this.#filters.at(-1)
    if (last === undefined || last.room === 0) {
      const room = FIRST_NAMES * 2 ** this.#filters.length
      last = { words: new Uint32Array((room * BITS) / 32), room }
      this.#filters.push(last)
    }
    last.room -= 1
    for (const bit of bits) {
      const at = placeOf(last, bit)
      last.words[at] = (last.words[at] ?? 0) | (1 << bit)
    }
  }

  /**
   * Every document whose id starts with `prefix`, in order: who goes through all of them teaches their names. Not
   * those of a shared storage, where others add some.
   */
  async *documents(
    storage: Storage,
    prefix: string,
  ): AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }> {
    const isAll = prefix === '' && !storage.supports.shared
    // Also of what is added while this goes on.
    if (isAll) this.#isLearning = true
    for await (const { key, value } of storage.scan(DOCUMENT_PREFIX + prefix)) {
      const id = key.slice(DOCUMENT_PREFIX.length)
      this.add(id)
      yield { id, record: decodeRecord<DocumentRecord>(value, 'last') }
    }
    if (isAll) this.#isComplete = true
  }

  #has(bits: readonly number[]): boolean {
    return this.#filters.some((filter) =>
      bits.every((bit) => ((filter.words[placeOf(filter, bit)] ?? 0) & (1 << bit)) !== 0),
    )
  }
}

/** In which word of a filter a bit is: the lowest five say which of the word it is. */
function placeOf({ words }: Filter, bit: number): number {
  return (bit >>> 5) & (words.length - 1)
}

/** The bits of a name, as numbers of 32 bits of which a filter takes as many as it has. */
function bitsOf(document: DocumentId): readonly number[] {
  // FNV-1a, from two beginnings.
  let a = 0x811c9dc5
  let b = 0x9e3779b9
  for (let i = 0; i < document.length; i += 1) {
    const code = document.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x01000193)
  }
  const step = mixed(b) | 1
  return Array.from({ length: HASHES }, (_, i) => (mixed(a) + Math.imul(step, i)) >>> 0)
}

/** Every bit comes to depend on every other, as in MurmurHash3. */
function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  const whole = Math.imul(half ^ (half >>> 13), 0xc2b2ae35)
  return whole ^ (whole >>> 16)
}
