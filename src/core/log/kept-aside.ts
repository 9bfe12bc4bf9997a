import { InvariantError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Storage } from '../interfaces/storage.ts'
import { rejectedPrefix } from './keys.ts'
import { decodeRecord, type LateRecord, type RejectedRecord } from './records.ts'

/** An event that does not count where it is, with its document and its hash. */
export type KeptAside<T> = T & { readonly document: DocumentId; readonly hash: string }

/** Every event that is kept aside under a prefix, in order of key. `field` is one that each record has. */
export async function* keptAside<T extends RejectedRecord | LateRecord>(
  storage: Storage,
  prefix: string,
  field: keyof T & string,
): AsyncIterable<KeptAside<T>> {
  for await (const { key, value } of storage.scan(prefix)) {
    const [document, name] = key.slice(prefix.length).split('\u0000')
    // Late events have more in front of it.
    const hash = name?.split('/').at(-1)
    if (document === undefined || hash === undefined)
      throw new InvariantError('a key of an event that is kept aside is broken')
    yield { document, hash, ...decodeRecord<T>(value, field) }
  }
}

/** What was refused in a document, by hash. */
export async function refusedOf(
  storage: Storage,
  document: DocumentId,
): Promise<ReadonlySet<string>> {
  const refused = new Set<string>()
  const prefix = rejectedPrefix(document)
  for await (const { key } of storage.scan(prefix)) refused.add(key.slice(prefix.length))
  return refused
}
