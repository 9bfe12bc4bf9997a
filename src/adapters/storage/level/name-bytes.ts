/** The names that are in use at one time are few, and each is written three times a record. */
const KEPT_MAX = 1_024

const encoder = new TextEncoder()

/** Bytes made of a text, kept while they are in use. */
export function keptBytes(make: (text: string) => Uint8Array): (text: string) => Uint8Array {
  const kept = new Map<string, Uint8Array>()
  return (text) => {
    const known = kept.get(text)
    if (known !== undefined) return known
    if (kept.size >= KEPT_MAX) kept.clear()
    const bytes = make(text)
    kept.set(text, bytes)
    return bytes
  }
}

/** The UTF-8 bytes of a document's or collection's name. Shared: not to be changed. */
export const nameBytes: (name: string) => Uint8Array = keptBytes((name) => encoder.encode(name))
