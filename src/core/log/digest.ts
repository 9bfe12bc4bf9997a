import { utf8 } from '../bytes.ts'
import type { DocumentId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'

/** The number of bytes of a digest. */
export const DIGEST_BYTES = 16

const MODULUS = 1n << 128n

/**
 * The digest of a set of entries: the sum, modulo 2^128, of one hash an entry. Adding and removing an
 * entry is O(1), the order does not matter, and the sum of several collections is the digest of them
 * together.
 */
export class Digest {
  #sum: bigint

  constructor(sum = 0n) {
    this.#sum = sum
  }

  add(term: bigint): void {
    this.#sum = (this.#sum + term) % MODULUS
  }

  subtract(term: bigint): void {
    this.#sum = (this.#sum - term + MODULUS) % MODULUS
  }

  get sum(): bigint {
    return this.#sum
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(DIGEST_BYTES)
    let rest = this.#sum
    for (let i = DIGEST_BYTES - 1; i >= 0; i -= 1) {
      bytes[i] = Number(rest & 0xffn)
      rest >>= 8n
    }
    return bytes
  }

  static of(bytes: Uint8Array): Digest {
    return new Digest(toNumber(bytes.subarray(0, DIGEST_BYTES)))
  }
}

/** What one entry adds to the digest of its collection. `name` is the event's hash or the entry's kind. */
export function digestTerm(
  document: DocumentId,
  generation: number,
  name: string,
  sha256: Sha256,
): bigint {
  return toNumber(sha256(utf8(`${document}\n${generation}\n${name}`)).subarray(0, DIGEST_BYTES))
}

function toNumber(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}
