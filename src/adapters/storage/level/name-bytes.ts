/** The names that are in use at one time are few, and each is written three times a record. */
const KEPT_MAX = 1_024

const encoder = new TextEncoder()
const kept = new Map<string, Uint8Array>()

/** The UTF-8 bytes of a document's or collection's name. Shared: not to be changed. */
export function nameBytes(name: string): Uint8Array {
  const known = kept.get(name)
  if (known !== undefined) return known
  if (kept.size >= KEPT_MAX) kept.clear()
  const bytes = encoder.encode(name)
  kept.set(name, bytes)
  return bytes
}
