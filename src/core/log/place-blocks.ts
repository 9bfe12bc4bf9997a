import { fromHex, toHex } from '../bytes.ts'
import { StorageCorruptError } from '../errors.ts'
import type { ActorId, DocumentId, EventHash } from '../ids.ts'
import type { Put } from '../interfaces/storage.ts'
import { sequenceKey, sequencePrefix } from './keys.ts'

/** Places of one writer that stand under one key when one append fills all of them: 1 to 16, 17 to 32, and so on. */
export const BLOCK_PLACES = 16

const HASH_BYTES = 32

/** A place in a document, and what stands there. */
export interface PlaceTaken {
  readonly actor: ActorId
  readonly sequence: number
  readonly hash: EventHash
}

/** The first place of the block that a place is in. */
export function blockStart(sequence: number): number {
  return sequence - ((sequence - 1) % BLOCK_PLACES)
}

/** (document, actor, a block of sequences) -> the hashes that stand there, one after the other. */
export function blockKey(document: DocumentId, actor: ActorId, sequence: number): string {
  const first = blockStart(sequence)
  return `${sequenceKey(document, actor, first)}-${first + BLOCK_PLACES - 1}`
}

/** What writes a block. `hashes` are those of all its places, in order. */
export function putBlock(
  document: DocumentId,
  actor: ActorId,
  first: number,
  hashes: readonly EventHash[],
): Put {
  return { key: blockKey(document, actor, first), value: fromHex(hashes.join('')) }
}

/**
 * The places that stand under one key of a document, a single place or a block.
 *
 * @throws StorageCorruptError when the value is not one hash for each.
 */
export function placesUnder(
  document: DocumentId,
  key: string,
  value: Uint8Array,
): readonly PlaceTaken[] {
  const [actor = '', range = ''] = key.slice(sequencePrefix(document).length).split('/')
  const count = range.includes('-') ? BLOCK_PLACES : 1
  const first = Number.parseInt(range, 10)
  if (value.length !== count * HASH_BYTES || !Number.isSafeInteger(first)) {
    throw new StorageCorruptError('the places of a document cannot be read', {
      fields: { document, actor },
    })
  }
  return Array.from({ length: count }, (_, index) => {
    const hash = toHex(value.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES))
    return { actor, sequence: first + index, hash }
  })
}
