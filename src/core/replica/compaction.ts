import type { CollectionId, DocumentId, Position, ReplicaId } from '../ids.ts'
import type { Cancel, Clock } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Storage } from '../interfaces/storage.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import type { DocumentRecord } from '../log/records.ts'
import type { Repairs } from './repairs.ts'

/** When the history of documents is cut. Only the owner of a collection cuts what is at home in it. */
export interface CompactionOptions {
  /** Whether this replica owns a collection: of all that share it, one should. */
  readonly owns: (collection: CollectionId) => boolean
  /** Cut past this many events since the last time. Default 128: such a document loads in some 2 ms. */
  readonly events?: number | undefined
  /** Cut past this many bytes since the last time, and past the size of the state. Default 256 KiB. */
  readonly bytes?: number | undefined
  /**
   * Cut so long after the first event since the last time. It counts anew in each process, from some seconds
   * after its start. Default: never.
   */
  readonly ageMs?: number | undefined
  /**
   * How many events since the last cut may pass while some subscriber has not acknowledged all of them.
   * Then it is cut all the same: what such a peer has written meanwhile is carried over. Default four
   * times `events`.
   */
  readonly waitEvents?: number | undefined
  /** Collections of secrets: cut after every edit, without waiting, and taken off the medium. Default none. */
  readonly withoutHistory?: ((collection: CollectionId) => boolean) | undefined
}

/** What {@link Compaction} needs of its replica. */
export interface CompactionParts {
  readonly log: EventLog
  readonly storage: Pick<Storage, 'erase' | 'shrink' | 'sizeBytes'>
  readonly acknowledgements: { received(peer: ReplicaId): Position }
  readonly clock: Clock
  readonly logger: Logger
  /** Looks again when what stood in the way of a look at the log was damage, and is repaired. */
  readonly repairs: Pick<Repairs, 'retried'>
}

interface Waiting {
  /** How many entries it had when that was found. */
  readonly entries: number
  /** Whether time alone may change it, as it does for acknowledgements. */
  readonly retry: boolean
}

const EVENTS = 128
const BYTES = 256 << 10

/** Documents that wait for acknowledgements or for their age: past this, others wait for their next edit. */
const WAITING_MAX = 10_000

/** How often documents that wait are looked at again. */
const RETRY_MS = 250

/** What an entry takes beside its bytes: its indexes, its place, its record. */
const ENTRY_BYTES = 400

/** Less than this is not worth writing files anew. */
const SHRINK_BYTES_MIN = 1 << 20

/** After a start, the documents that were due before it are looked for: then, and so many in one go. */
const SWEEP_AFTER_MS = 5_000
const SWEEP_DOCUMENTS = 500

/** Cuts histories as the options say. */
export function cutting(options: CompactionOptions): (parts: CompactionParts) => Compaction {
  return (parts) => new Compaction(parts, options)
}

/**
 * Cuts the history of documents in the background, one document at a time.
 *
 * An append costs a look at the record of each document in it. What is due is read and cut in its turn;
 * what fails is said, and tried again after the next edit.
 */
export class Compaction {
  readonly #parts: CompactionParts
  readonly #options: CompactionOptions
  readonly #events: number
  readonly #bytes: number
  readonly #due = new Set<DocumentId>()
  /** Documents that could not be cut yet. */
  readonly #waiting = new Map<DocumentId, Waiting>()
  /** When documents that are not due have got their first event since the last cut. */
  readonly #aging = new Map<DocumentId, number>()
  /** Where the oldest entry stands that holds something of a document without history. */
  readonly #oldest = new Map<DocumentId, Position>()
  /** About how much was written since the storage gave back room, and whether it is about to. */
  #written = 0
  #shrinking = false
  readonly #cancels = new Set<Cancel>()
  #retry: Cancel | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(parts: CompactionParts, options: CompactionOptions) {
    this.#parts = parts
    this.#options = options
    this.#events = options.events ?? EVENTS
    this.#bytes = options.bytes ?? BYTES
    const { log, clock } = parts
    this.#cancels.add(
      log.onAppended((entries) => {
        this.#measure(entries)
        if (options.withoutHistory !== undefined) for (const entry of entries) this.#track(entry)
        const documents = new Set(entries.map(({ document }) => document))
        for (const document of documents) this.#look(document, log.known(document))
      }),
    )
    this.#cancels.add(clock.schedule(SWEEP_AFTER_MS, () => void this.#sweep()))
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#retry?.()
    for (const cancel of this.#cancels) cancel()
    this.#due.clear()
    await this.#running
  }

  /** Where history is dropped, files are written anew once as much was written as half of them hold. */
  #measure(entries: readonly StoredEntry[]): void {
    for (const { bytes } of entries) this.#written += bytes.length + ENTRY_BYTES
    const isCut = entries.some(({ kind }) => kind === 'base')
    if (!isCut || this.#shrinking || this.#written < SHRINK_BYTES_MIN) return
    this.#shrinking = true
    void this.#shrink()
  }

  /** Never rejects. */
  async #shrink(): Promise<void> {
    const { log, storage, logger } = this.#parts
    try {
      await log.barrier(() => Promise.resolve())
      const size = (await storage.sizeBytes?.()) ?? 0
      if (this.#closed || this.#written < size / 2) return
      this.#written = 0
      await storage.shrink?.()
    } catch (error) {
      if (!this.#closed) logger.warn('the storage could not give back room', { error })
    } finally {
      this.#shrinking = false
    }
  }

  /** Where a document without history begins anew, what was before goes off the medium. */
  #track({ kind, document, collection, position }: StoredEntry): void {
    if (this.#options.withoutHistory?.(collection) !== true) return
    const first = this.#oldest.get(document)
    if (kind !== 'base') {
      if (first === undefined && this.#oldest.size < WAITING_MAX)
        this.#oldest.set(document, position)
      return
    }
    this.#oldest.set(document, position)
    if (first !== undefined) void this.#erase(first, position - 1)
  }

  /** Never rejects. */
  async #erase(first: Position, last: Position): Promise<void> {
    const { log, storage, logger } = this.#parts
    try {
      // What the base took the place of has been dropped by then.
      await log.barrier(() => Promise.resolve())
      await storage.erase?.(first, last)
    } catch (error) {
      if (!this.#closed) logger.warn('what was dropped is still on the medium', { error })
    }
  }

  #look(document: DocumentId, record: DocumentRecord | undefined): void {
    if (this.#closed || record === undefined || record.left) return
    if (!this.#options.owns(record.collection)) return
    const seen = this.#waiting.get(document)
    // While it waits, it is looked at from time to time, not after each edit.
    if (seen !== undefined && record.entries - seen.entries < this.#events / 4) return
    if (this.#isDue(record)) this.#enqueue(document)
    else this.#age(document, record)
  }

  #isDue(record: DocumentRecord): boolean {
    const { entries, bytes } = grown(record)
    if (this.#options.withoutHistory?.(record.collection) === true) return entries > 0
    const bytesMax = Math.max(this.#bytes, record.begun?.bytes ?? 0)
    return entries >= this.#events || bytes >= bytesMax
  }

  #age(document: DocumentId, record: DocumentRecord): void {
    const { ageMs } = this.#options
    if (ageMs === undefined || grown(record).entries === 0) return
    if (this.#aging.has(document) || this.#aging.size >= WAITING_MAX) return
    this.#aging.set(document, this.#parts.clock.monotonicMs())
    this.#later()
  }

  #enqueue(document: DocumentId): void {
    this.#due.add(document)
    this.#running ??= this.#run()
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    // Not in the turn in which the append is told: its listeners come first.
    await Promise.resolve()
    for (const document of this.#due) {
      this.#due.delete(document)
      try {
        await this.#parts.repairs.retried(() => this.#work(document))
      } catch (error) {
        if (!this.#closed)
          this.#parts.logger.warn('the history of a document could not be cut', { document, error })
      }
    }
    this.#running = undefined
  }

  async #work(document: DocumentId): Promise<void> {
    const { log } = this.#parts
    const record = await log.record(document)
    if (this.#closed) return
    if (record === undefined || record.left) {
      this.#waiting.delete(document)
      this.#aging.delete(document)
      return
    }
    if (!(await this.#mayCut(document, record))) {
      this.#wait(document, { entries: record.entries, retry: true })
      return this.#later()
    }
    this.#waiting.delete(document)
    this.#aging.delete(document)
    await log.commit({ type: 'cut', document, generation: record.generation })
    const after = log.known(document)
    // Its state is too large for one change: it goes on with its history.
    if (after?.generation === record.generation)
      this.#wait(document, { entries: after.entries, retry: false })
  }

  #wait(document: DocumentId, waiting: Waiting): void {
    if (this.#waiting.has(document) || this.#waiting.size < WAITING_MAX)
      this.#waiting.set(document, waiting)
  }

  async #mayCut(document: DocumentId, record: DocumentRecord): Promise<boolean> {
    const { collection } = record
    if (this.#options.withoutHistory?.(collection) === true) {
      const [oldest] = await this.#parts.log.readDocument(document)
      if (oldest !== undefined) this.#oldest.set(document, oldest.position)
      return true
    }
    const waitEvents = this.#options.waitEvents ?? 4 * this.#events
    if (grown(record).entries >= waitEvents) return true
    const { log, acknowledgements } = this.#parts
    const peers = [...log.peers()]
      .filter(({ complete }) => complete.includes(collection))
      .map(({ replica, acked }) => {
        return { replica, acked: Math.max(acked, acknowledgements.received(replica)) }
      })
    if (peers.every(({ acked }) => acked >= record.last)) return true
    const newest = new Map<ReplicaId | undefined, Position>()
    for (const { from, position } of await log.readDocument(document)) newest.set(from, position)
    return peers.every(({ replica, acked }) => {
      for (const [from, position] of newest) if (from !== replica && position > acked) return false
      return true
    })
  }

  /** Looks again at what waits, after a while. */
  #later(): void {
    if (this.#closed || this.#retry !== undefined) return
    this.#retry = this.#parts.clock.schedule(RETRY_MS, () => {
      this.#retry = undefined
      for (const [document, { retry }] of this.#waiting) if (retry) this.#enqueue(document)
      const { ageMs = 0 } = this.#options
      const before = this.#parts.clock.monotonicMs() - ageMs
      for (const [document, sinceMs] of this.#aging) {
        if (sinceMs > before) break
        this.#enqueue(document)
      }
      if (this.#aging.size > 0) this.#later()
    })
  }

  /** Finds what was due when the last process ended, and what ages. Never rejects. */
  async #sweep(): Promise<void> {
    const { log, clock, logger } = this.#parts
    try {
      let count = 0
      for await (const { id, record } of log.documents()) {
        if (this.#closed) return
        this.#look(id, record)
        count += 1
        if (count % SWEEP_DOCUMENTS === 0) {
          await new Promise<void>((resolve) => {
            this.#cancels.add(clock.schedule(0, resolve))
          })
        }
      }
    } catch (error) {
      if (!this.#closed) logger.warn('documents with too much history were not found', { error })
    }
  }
}

/** What came since the generation began. */
function grown({ entries, bytes, begun }: DocumentRecord): {
  readonly entries: number
  readonly bytes: number
} {
  return { entries: entries - (begun?.entries ?? 0), bytes: bytes - (begun?.bytes ?? 0) }
}
