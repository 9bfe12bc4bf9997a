import { utf8 } from '../bytes.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'

/** The number of bytes of a digest. */
export const DIGEST_BYTES = 16

const DIGEST_BITS = DIGEST_BYTES * 8
const HALF_BITS = 64n

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
    this.#sum = BigInt.asUintN(DIGEST_BITS, this.#sum + term)
  }

  subtract(term: bigint): void {
    this.#sum = BigInt.asUintN(DIGEST_BITS, this.#sum - term)
  }

  get sum(): bigint {
    return this.#sum
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(DIGEST_BYTES)
    const view = new DataView(bytes.buffer)
    view.setBigUint64(0, this.#sum >> HALF_BITS)
    view.setBigUint64(8, BigInt.asUintN(64, this.#sum))
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

/**
 * How much the digest of a collection counts for where several are compared in one number: where a document is
 * at home makes a difference too. Odd, so that it can be undone.
 */
export function homeWeight(collection: CollectionId, sha256: Sha256): bigint {
  return toNumber(sha256(utf8(collection)).subarray(0, DIGEST_BYTES)) | 1n
}

function toNumber(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, DIGEST_BYTES)
  return (view.getBigUint64(0) << HALF_BITS) | view.getBigUint64(8)
}
