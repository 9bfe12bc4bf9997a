import type { CollectionId, DocumentId } from '../ids.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import { documentKey, homeKey, homePrefix } from './keys.ts'
import { type DocumentRecord, decodeRecord } from './records.ts'

/** How many documents are looked up in one step. */
const PAGE_DOCUMENTS = 512

const NOTHING = new Uint8Array(0)

/** Documents of one collection: from the first id on, up to the second and without it. */
export interface HomeRange {
  readonly from: DocumentId
  /** `undefined`: to the end of the collection. */
  readonly to: DocumentId | undefined
}

/** What changes in the index of documents by collection when a record takes the place of another. */
export function homePuts(
  document: DocumentId,
  before: DocumentRecord | undefined,
  after: DocumentRecord | undefined,
): readonly Put[] {
  const old = homeOf(before)
  const home = homeOf(after)
  if (old === home) return []
  const puts: Put[] = []
  if (old !== undefined) puts.push({ key: homeKey(old, document), value: undefined })
  if (home !== undefined) puts.push({ key: homeKey(home, document), value: NOTHING })
  return puts
}

/** Where a document is to be found; undefined when it is not here. */
export function homeOf(record: DocumentRecord | undefined): CollectionId | undefined {
  return record === undefined || record.left ? undefined : record.collection
}

/** The documents at home in a collection, in order of their ids' UTF-8 bytes. Reads no other document. */
export async function* documentsAt(
  storage: Storage,
  collection: CollectionId,
  range: HomeRange,
): AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }> {
  const prefix = homePrefix(collection)
  const to = range.to === undefined ? undefined : prefix + range.to
  let page: DocumentId[] = []
  for await (const { key } of storage.scan(prefix, { from: prefix + range.from, to })) {
    page.push(key.slice(prefix.length))
    if (page.length < PAGE_DOCUMENTS) continue
    yield* records(storage, collection, page)
    page = []
  }
  yield* records(storage, collection, page)
}

async function* records(
  storage: Storage,
  collection: CollectionId,
  page: readonly DocumentId[],
): AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }> {
  if (page.length === 0) return
  const values = await storage.get(page.map(documentKey))
  for (const [index, id] of page.entries()) {
    const value = values[index]
    if (value === undefined) continue
    const record = decodeRecord<DocumentRecord>(value, 'last')
    // It may have moved between the two reads.
    if (homeOf(record) === collection) yield { id, record }
  }
}
