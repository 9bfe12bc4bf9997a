import type { CollectionId, Position } from '../ids.ts'
import type {
  Appended,
  Batch,
  RecordPage,
  RecordQuery,
  Storage,
  StoredRecord,
} from '../interfaces/storage.ts'

/** How much of the end of the log stays in memory: what peers that keep up will ask for next. */
const RECENT_BYTES_MAX = 1 << 20
const RECENT_RECORDS_MAX = 4_096

/**
 * A storage that remembers the newest records. Who reads the end of the log, as every peer does after
 * each append, gets it without a look at the medium. A storage that others append to stays as it is.
 */
export function withRecentRecords(storage: Storage): Storage {
  if (storage.supports.shared) return storage
  const recent = new RecentRecords()
  const { sizeBytes } = storage
  return {
    ...(sizeBytes === undefined ? {} : { sizeBytes: () => sizeBytes.call(storage) }),
    name: storage.name,
    supports: storage.supports,
    append: async (batch) => {
      const appended = await storage.append(batch)
      recent.add(batch, appended)
      return appended
    },
    head: () => storage.head(),
    read: (query) => {
      const page = recent.read(query)
      return page === undefined ? storage.read(query) : Promise.resolve(page)
    },
    get: (keys) => storage.get(keys),
    scan: (prefix, range) => storage.scan(prefix, range),
    drop: (positions) => {
      recent.drop(positions)
      return storage.drop(positions)
    },
    close: () => storage.close(),
  }
}

/** The newest records of a log, without a gap up to its head. */
class RecentRecords {
  #records: StoredRecord[] = []
  /** The same records: a peer that shares one collection of many looks at no others. */
  readonly #byCollection = new Map<CollectionId, StoredRecord[]>()
  #bytes = 0
  /** Everything after this position is here. Undefined before the first append. */
  #after: Position | undefined
  #head: Position = 0

  add({ records }: Batch, { first, head }: Appended): void {
    if (this.#after === undefined || this.#head !== first - 1) this.#clear(first - 1)
    for (const [index, record] of records.entries()) {
      const stored = { ...record, position: first + index }
      this.#records.push(stored)
      this.#file(stored)
      this.#bytes += record.bytes.length
    }
    this.#head = head
    this.#trim()
  }

  /** Undefined when only the storage can tell. */
  read({ after, upTo, collections, document, bytesMax }: RecordQuery): RecordPage | undefined {
    if (document !== undefined || this.#after === undefined || after < this.#after) return undefined
    const end = Math.min(upTo ?? this.#head, this.#head)
    if (after >= end) return { records: [], upTo: Math.max(after, end), end: true }
    const records: StoredRecord[] = []
    let bytes = 0
    const { list, first } = this.#since(after, collections)
    for (let i = first; i < list.length; i += 1) {
      const record = list[i]
      if (record === undefined || record.position > end) break
      if (records.length > 0 && bytes >= bytesMax) {
        return { records, upTo: records.at(-1)?.position ?? after, end: false }
      }
      records.push(record)
      bytes += record.bytes.length
    }
    return { records, upTo: end, end: true }
  }

  drop(positions: readonly Position[]): void {
    const gone = new Set(positions)
    this.#records = this.#records.filter(({ position, bytes }) => {
      if (!gone.has(position)) return true
      this.#bytes -= bytes.length
      return false
    })
    this.#fileAll()
  }

  /** A list in order of position, and where in it the records of some collections past a position begin. */
  #since(
    after: Position,
    collections: readonly CollectionId[] | undefined,
  ): { readonly list: readonly StoredRecord[]; readonly first: number } {
    const all = this.#records
    const first = indexAfter(all, after)
    if (collections === undefined) return { list: all, first }
    // Whichever is less to look at: what is new, or the collections.
    if (all.length - first <= collections.length) {
      const shared = all.slice(first).filter(({ collection }) => collections.includes(collection))
      return { list: shared, first: 0 }
    }
    const [only] = collections
    if (collections.length === 1 && only !== undefined) {
      const list = this.#byCollection.get(only) ?? []
      return { list, first: indexAfter(list, after) }
    }
    const lists = [...new Set(collections)].map((name) => this.#byCollection.get(name) ?? [])
    const list = lists.flatMap((records) => records.slice(indexAfter(records, after)))
    return { list: list.sort((a, b) => a.position - b.position), first: 0 }
  }

  #file(record: StoredRecord): void {
    const list = this.#byCollection.get(record.collection)
    if (list === undefined) this.#byCollection.set(record.collection, [record])
    else list.push(record)
  }

  #fileAll(): void {
    this.#byCollection.clear()
    for (const record of this.#records) this.#file(record)
  }

  #clear(after: Position): void {
    this.#records = []
    this.#byCollection.clear()
    this.#bytes = 0
    this.#after = after
  }

  /** Lets the oldest go, half at once: one by one each would move all the others. */
  #trim(): void {
    if (this.#bytes <= RECENT_BYTES_MAX && this.#records.length <= RECENT_RECORDS_MAX) return
    let count = 0
    let left = this.#bytes
    const isTooMuch = () =>
      left > RECENT_BYTES_MAX / 2 || this.#records.length - count > RECENT_RECORDS_MAX / 2
    while (count < this.#records.length && isTooMuch()) {
      left -= this.#records[count]?.bytes.length ?? 0
      count += 1
    }
    this.#after = this.#records[count - 1]?.position ?? this.#after
    this.#records.splice(0, count)
    this.#bytes = left
    this.#fileAll()
  }
}

/** The index of the first record past a position. */
function indexAfter(records: readonly StoredRecord[], position: Position): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((records[middle]?.position ?? 0) > position) high = middle
    else low = middle + 1
  }
  return low
}
