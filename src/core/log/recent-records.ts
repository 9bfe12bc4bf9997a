import type { Position } from '../ids.ts'
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
  #bytes = 0
  /** Everything after this position is here. Undefined before the first append. */
  #after: Position | undefined
  #head: Position = 0

  add({ records }: Batch, { first, head }: Appended): void {
    if (this.#after === undefined || this.#head !== first - 1) this.#clear(first - 1)
    for (const [index, record] of records.entries()) {
      this.#records.push({ ...record, position: first + index })
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
    for (let i = this.#indexAfter(after); i < this.#records.length; i += 1) {
      const record = this.#records[i]
      if (record === undefined || record.position > end) break
      if (collections !== undefined && !collections.includes(record.collection)) continue
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
  }

  /** The index of the first record past a position. */
  #indexAfter(position: Position): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#records[middle]?.position ?? 0) > position) high = middle
      else low = middle + 1
    }
    return low
  }

  #clear(after: Position): void {
    this.#records = []
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
  }
}
