import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { LoadAutomerge } from '../core/interfaces/load-automerge.ts'

/**
 * Loads Automerge's WebAssembly when the first document needs it: for a replica that is to take little memory. That
 * document waits for it, a tenth of a second or two, and so does everything else.
 */
export function nodeAutomerge(): LoadAutomerge {
  const require = createRequire(import.meta.url)
  // By the file of the import: what `require` itself would find is another copy of Automerge.
  return () => require(fileURLToPath(import.meta.resolve('@automerge/automerge')))
}
