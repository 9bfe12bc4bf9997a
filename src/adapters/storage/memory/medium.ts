import { compareUtf8 } from '../../../core/bytes.ts'
import { StorageLockedError, StorageUnavailableError } from '../../../core/errors.ts'
import type { CollectionId, DocumentId, Position } from '../../../core/ids.ts'
import type {
  KeyRange,
  RecordPage,
  RecordQuery,
  StoredRecord,
} from '../../../core/interfaces/storage.ts'

/** One change of a medium, ready to be applied in one step. */
export type MediumChange = (medium: MediumState) => void

/** Proof that its holder has the medium open. */
export interface MediumLock {
  /** For messages only. */
  readonly opener: number
  /** The place among those who share the medium: the smallest that was free. */
  readonly slot: number
  readonly isShared: boolean
  /** Called a turn after each append by somebody else. */
  readonly tails: Set<(head: Position) => void>
}

/**
 * What a memory storage keeps, apart from the storage itself: a simulated disk.
 *
 * It outlives every storage that opens it, so a test can let a replica crash ({@link unlock}) and
 * open the same medium again. A change is *pending* from the moment it is handed over until its
 * simulated sync is done; only then is it part of the medium.
 */
export class MemoryMedium {
  readonly #state = new MediumState()
  readonly #locks = new Set<MediumLock>()
  #openers = 0
  #pending: MediumChange[] = []
  /** Settles when the newest write has, either way. Writes of all openers run one after the other. */
  #tail: Promise<unknown> = Promise.resolve()

  /**
   * @param isShared whether others may open the medium too, as long as they say the same.
   * @throws StorageLockedError while another storage has the medium open.
   */
  lock(isShared: boolean = false): MediumLock {
    for (const { opener, ...other } of this.#locks) {
      if (isShared && other.isShared) continue
      throw new StorageLockedError('another storage has this medium open', { fields: { opener } })
    }
    const taken = new Set([...this.#locks].map(({ slot }) => slot))
    let slot = 0
    while (taken.has(slot)) slot += 1
    this.#openers += 1
    const lock: MediumLock = { opener: this.#openers, slot, isShared, tails: new Set() }
    this.#locks.add(lock)
    return lock
  }

  /** Ends the lock in good order. Harmless when it has been taken away already. */
  release(lock: MediumLock): void {
    this.#locks.delete(lock)
  }

  /**
   * Every opener crashed: their locks end, what they had pending is lost, and whatever they still try is
   * refused.
   *
   * @param pendingKept how many pending changes, oldest first, had reached the disk although nobody
   * was told: the case of a crash between a write and its acknowledgement.
   */
  unlock(pendingKept: number = 0): void {
    for (const change of this.#pending.slice(0, pendingKept)) change(this.#state)
    this.#pending = []
    this.#locks.clear()
    this.#tail = Promise.resolve()
  }

  /** Runs one write behind all that were handed over before, by any opener. */
  inOrder<Result>(write: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(write)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** Changes that were handed over and not yet applied. */
  get pendingCount(): number {
    return this.#pending.length
  }

  /** Hands over a change that {@link commit} applies later. */
  begin(lock: MediumLock, change: MediumChange): void {
    this.#assertHeld(lock)
    this.#pending.push(change)
  }

  /** Applies a pending change, and tells the other openers when it is an append. */
  commit(lock: MediumLock, change: MediumChange): void {
    this.#assertHeld(lock)
    this.cancel(change)
    const { revision } = this.#state
    change(this.#state)
    if (this.#state.revision === revision) return
    const { head } = this.#state
    for (const other of this.#locks) {
      if (other === lock) continue
      for (const tell of other.tails) queueMicrotask(() => other.tails.has(tell) && tell(head))
    }
  }

  /** Forgets a pending change: its sync failed. */
  cancel(change: MediumChange): void {
    this.#pending = this.#pending.filter((other) => other !== change)
  }

  /** The state, for reading. */
  state(lock: MediumLock): MediumState {
    this.#assertHeld(lock)
    return this.#state
  }

  /** Damages one record at rest: reading it fails from here on. For tests of that case. */
  corrupt(position: Position): void {
    this.#state.damaged.add(position)
  }

  #assertHeld(lock: MediumLock): void {
    if (this.#locks.has(lock)) return
    throw new StorageUnavailableError('the medium was taken from this storage by a crash', {
      fields: { opener: lock.opener },
      retryable: false,
    })
  }
}

/** Records, their indexes, and key-values. Every method is one step: nothing in it waits. */
export class MediumState {
  readonly damaged: Set<Position> = new Set<Position>()
  readonly #records = new Map<Position, StoredRecord>()
  readonly #positions: Position[] = []
  readonly #byCollection = new Map<CollectionId, Position[]>()
  readonly #byDocument = new Map<DocumentId, Position[]>()
  readonly #values = new Map<string, Uint8Array>()
  #head: Position = 0
  /** How many appends there were. */
  revision = 0

  get head(): Position {
    return this.#head
  }

  append(record: StoredRecord): void {
    this.#head = record.position
    this.#records.set(record.position, record)
    this.#positions.push(record.position)
    listOf(this.#byCollection, record.collection).push(record.position)
    listOf(this.#byDocument, record.document).push(record.position)
  }

  drop(positions: ReadonlySet<Position>): void {
    const collections = new Set<CollectionId>()
    const documents = new Set<DocumentId>()
    for (const position of positions) {
      this.damaged.delete(position)
      const record = this.#records.get(position)
      if (record === undefined) continue
      this.#records.delete(position)
      collections.add(record.collection)
      documents.add(record.document)
    }
    removeAll(this.#positions, positions)
    for (const id of collections) removeAll(listOf(this.#byCollection, id), positions)
    for (const id of documents) removeAll(listOf(this.#byDocument, id), positions)
  }

  put(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, value)
  }

  value(key: string): Uint8Array | undefined {
    return this.#values.get(key)
  }

  /** The keys of a range that start with `prefix`, in order of their UTF-8 bytes. */
  keys(prefix: string, { from, to }: KeyRange = {}): readonly string[] {
    const found: string[] = []
    for (const key of this.#values.keys()) {
      if (!key.startsWith(prefix)) continue
      if (from !== undefined && compareUtf8(key, from) < 0) continue
      if (to === undefined || compareUtf8(key, to) < 0) found.push(key)
    }
    return found.sort(compareUtf8)
  }

  /** One page, and the position of the first damaged record in its way, if there is one. */
  page(query: RecordQuery): { readonly page: RecordPage; readonly damaged: Position | undefined } {
    const upTo = Math.max(query.after, Math.min(query.upTo ?? this.#head, this.#head))
    const records: StoredRecord[] = []
    let bytes = 0
    for (const position of this.#matching(query, upTo)) {
      if (records.length > 0 && bytes >= query.bytesMax) {
        const last = records.at(-1)?.position ?? query.after
        return { page: { records, upTo: last, end: false }, damaged: undefined }
      }
      const record = this.#records.get(position)
      if (record === undefined || this.damaged.has(position)) {
        return { page: { records, upTo, end: false }, damaged: position }
      }
      bytes += record.bytes.length
      records.push({ ...record, bytes: record.bytes.slice() })
    }
    return { page: { records, upTo, end: true }, damaged: undefined }
  }

  *#matching(query: RecordQuery, upTo: Position): Iterable<Position> {
    const lists = this.#lists(query)
    const cursors = lists.map((list) => firstAfter(list, query.after))
    while (true) {
      let best = -1
      let position: Position = Number.POSITIVE_INFINITY
      for (let index = 0; index < lists.length; index++) {
        const next = lists[index]?.[cursors[index] ?? 0]
        if (next !== undefined && next < position) {
          best = index
          position = next
        }
      }
      if (best < 0 || position > upTo) return
      cursors[best] = (cursors[best] ?? 0) + 1
      yield position
    }
  }

  #lists(query: RecordQuery): readonly (readonly Position[])[] {
    if (query.document !== undefined) return [this.#byDocument.get(query.document) ?? []]
    if (query.collections === undefined) return [this.#positions]
    return [...new Set(query.collections)].map((id) => this.#byCollection.get(id) ?? [])
  }
}

function listOf(index: Map<string, Position[]>, id: string): Position[] {
  const found = index.get(id)
  if (found !== undefined) return found
  const made: Position[] = []
  index.set(id, made)
  return made
}

function removeAll(list: Position[], positions: ReadonlySet<Position>): void {
  let kept = 0
  for (const position of list) {
    if (!positions.has(position)) list[kept++] = position
  }
  list.length = kept
}

// Binary search: the index of the first position above `after` in an ascending list.
function firstAfter(list: readonly Position[], after: Position): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle] ?? 0) > after) high = middle
    else low = middle + 1
  }
  return low
}
