// What a replica in Node may use instead of the portable defaults. A subpath of its own, so that no
// browser bundle pulls in `node:`.

import { hash } from 'node:crypto'
import type { Sha256 } from '../core/interfaces/hasher.ts'

export { nodeAutomerge } from './automerge.ts'
export { nodeCompression } from './compression.ts'

/** SHA-256 by Node's own implementation, which is several times faster than one in JavaScript. */
export function nodeSha256(): Sha256 {
  return (bytes) => {
    const digest = hash('sha256', bytes, 'buffer')
    return new Uint8Array(digest.buffer, digest.byteOffset, digest.length)
  }
}
