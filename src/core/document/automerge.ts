import { isWasmInitialized } from '@automerge/automerge/slim'

import { UsageError } from '../errors.ts'
import type { LoadAutomerge } from '../interfaces/load-automerge.ts'

// Automerge's own code is WebAssembly of 3.6 MB, which takes 20 MB of memory once it is compiled. Most
// documents of most replicas never need it, so it is loaded apart from the JavaScript around it.

/** As Automerge itself, one for the whole process. */
let loadNow: LoadAutomerge | undefined

/**
 * Makes sure that Automerge is there when it is needed.
 *
 * @param later loads it the first time that it is needed. Default: it is loaded at once.
 */
export async function prepareAutomerge(later: LoadAutomerge | undefined): Promise<void> {
  if (isWasmInitialized()) return
  if (later === undefined) await import('@automerge/automerge')
  else loadNow ??= later
}

/**
 * To be called before Automerge is used.
 *
 * @throws UsageError when nobody has said how it is loaded.
 */
export function needAutomerge(): void {
  if (isWasmInitialized()) return
  loadNow?.()
  if (isWasmInitialized()) return
  throw new UsageError('USAGE_INVALID_ARGUMENT', 'Automerge is not loaded: open a replica first')
}
