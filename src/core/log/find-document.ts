import type { DocumentId, Position } from '../ids.ts'
import type { RecordQuery, Storage } from '../interfaces/storage.ts'
import type { EventLog } from './event-log.ts'
import { DIGEST_PREFIX } from './keys.ts'
import type { DocumentRecord } from './records.ts'
import { damagedPosition } from './repair.ts'

type Documents = AsyncIterable<{ readonly id: DocumentId; readonly record: DocumentRecord }>

/**
 * The document of a position that cannot be read. The indexes of a storage still know the entry: that by
 * collection says in which one it stands, so that only the documents at home there are looked at, one
 * read each. All others are where it is not found there: its document may have moved since.
 */
export async function documentOf(
  log: Pick<EventLog, 'documents' | 'documentsAt'>,
  storage: Storage,
  position: Position,
): Promise<DocumentId | undefined> {
  for await (const { key } of storage.scan(DIGEST_PREFIX)) {
    const collection = key.slice(DIGEST_PREFIX.length)
    if (!(await isDamage(storage, position, { collections: [collection] }))) continue
    const documents = log.documentsAt(collection, { from: '', to: undefined })
    const found = await among(documents, storage, position)
    if (found !== undefined) return found
    break
  }
  return await among(log.documents(), storage, position)
}

async function among(
  documents: Documents,
  storage: Storage,
  position: Position,
): Promise<DocumentId | undefined> {
  for await (const { id, record } of documents) {
    if (record.last < position) continue
    if (await isDamage(storage, position, { document: id })) return id
  }
  return undefined
}

/** Whether what is damaged at a position is among what is asked for. */
async function isDamage(
  storage: Storage,
  position: Position,
  which: Pick<RecordQuery, 'collections' | 'document'>,
): Promise<boolean> {
  try {
    await storage.read({ ...which, after: position - 1, upTo: position, bytesMax: 1 })
    return false
  } catch (error) {
    return damagedPosition(error) === position
  }
}
