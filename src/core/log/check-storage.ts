import { isTidewayError } from '../errors.ts'
import type { CollectionId, DocumentId, Position } from '../ids.ts'
import type { RecordQuery, Storage, StoredRecord } from '../interfaces/storage.ts'

/** How much is read at once. */
const PAGE_BYTES_MAX = 1 << 20

/** What {@link checkStorage} found. */
export interface StorageDamage {
  /** How many records and values are intact. */
  readonly records: number
  readonly values: number
  /** Records that are damaged or missing, in order. A `drop` of these leaves every read whole. */
  readonly positions: readonly Position[]
  /** Intact records that reads by collection or by document do not give, in order: as good as lost. */
  readonly unindexed: readonly Position[]
  /** Keys of which the value is damaged. A put of something else, or of nothing, ends that. */
  readonly keys: readonly string[]
}

/** Options of {@link checkStorage}. */
export interface CheckStorageOptions {
  /** Whether to read everything by collection and by document too, which takes three times as long. Default: true. */
  readonly indexes?: boolean | undefined
}

/**
 * Reads all that a storage holds and says what of it is damaged, without stopping at the first damage and
 * without changing anything. What is appended meanwhile is not looked at.
 *
 * @throws the storage's error when it cannot be read at all, or tells of damage without its place.
 */
export async function checkStorage(
  storage: Storage,
  options: CheckStorageOptions = {},
): Promise<StorageDamage> {
  const head = await storage.head()
  const collections = new Map<CollectionId, number>()
  const documents = new Map<DocumentId, number>()
  const positions: Position[] = []
  let records = 0
  for await (const found of walk(storage, { upTo: head })) {
    if (typeof found === 'number') {
      positions.push(found)
      continue
    }
    records += 1
    collections.set(found.collection, (collections.get(found.collection) ?? 0) + 1)
    documents.set(found.document, (documents.get(found.document) ?? 0) + 1)
  }
  const missed = new Set<Position>()
  if (options.indexes !== false) {
    for (const [collection, count] of collections) {
      await compare(storage, { collections: [collection], upTo: head }, count, missed)
    }
    for (const [document, count] of documents) {
      await compare(storage, { document, upTo: head }, count, missed)
    }
  }
  for (const position of positions) missed.delete(position)
  const unindexed = [...missed].sort((a, b) => a - b)
  return { records, positions, unindexed, ...(await checkValues(storage)) }
}

/** Adds to `missed` what a read by an index does not give of what a read of the whole log does. */
async function compare(
  storage: Storage,
  query: Pick<RecordQuery, 'document' | 'collections' | 'upTo'>,
  count: number,
  missed: Set<Position>,
): Promise<void> {
  const given = new Set<Position>()
  for await (const found of walk(storage, query)) {
    if (typeof found === 'object') given.add(found.position)
  }
  if (given.size === count) return
  const { document, collections, upTo } = query
  for await (const found of walk(storage, { upTo })) {
    if (typeof found === 'number' || given.has(found.position)) continue
    const isAsked =
      document === undefined
        ? collections?.includes(found.collection) === true
        : found.document === document
    if (isAsked) missed.add(found.position)
  }
}

/** Every record that a query matches, and the positions of those that are damaged, in order. */
async function* walk(
  storage: Storage,
  query: Pick<RecordQuery, 'document' | 'collections' | 'upTo'>,
): AsyncGenerator<StoredRecord | Position> {
  let after = 0
  /** Read up to before it first: a page that meets damage gives nothing at all. */
  let damaged: Position | undefined
  while (true) {
    const upTo = damaged === undefined ? query.upTo : damaged - 1
    try {
      const page = await storage.read({ ...query, after, upTo, bytesMax: PAGE_BYTES_MAX })
      yield* page.records
      after = page.upTo
      if (!page.end) continue
    } catch (error) {
      damaged = positionOf(error, after)
      continue
    }
    if (damaged === undefined) return
    yield damaged
    after = damaged
    damaged = undefined
  }
}

async function checkValues(storage: Storage): Promise<Pick<StorageDamage, 'values' | 'keys'>> {
  const keys: string[] = []
  let values = 0
  for (let from: string | undefined; ; ) {
    try {
      for await (const { key } of storage.scan('', from === undefined ? {} : { from })) {
        values += 1
        // The smallest key after this one.
        from = `${key}\u0000`
      }
      return { values, keys }
    } catch (error) {
      const key = fieldOf(error, 'key')
      if (typeof key !== 'string') throw error
      keys.push(key)
      from = `${key}\u0000`
    }
  }
}

/** Where the damage is that a read after `after` met. */
function positionOf(error: unknown, after: Position): Position {
  const position = fieldOf(error, 'position')
  if (typeof position !== 'number' || position <= after) throw error
  return position
}

function fieldOf(error: unknown, field: string): unknown {
  const isDamage = isTidewayError(error) && error.code === 'STORAGE_CORRUPT'
  return isDamage ? error.fields[field] : undefined
}
