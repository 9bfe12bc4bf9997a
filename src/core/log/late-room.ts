import type { DocumentId } from '../ids.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import { LATE_PREFIX } from './keys.ts'

/** How much a log keeps aside of events that belong to other generations than those that are here. */
export interface LateLimits {
  /** Events of one document. */
  readonly documentEvents: number
  /** Bytes of one document. */
  readonly documentBytes: number
  /** Events in all. */
  readonly events: number
  /** Bytes in all. */
  readonly bytes: number
}

/**
 * The usual bounds: of one document, a long absence of one author, and at least one event of the largest
 * size; in all, what can be read within a second when the log is opened again.
 */
export const LATE_LIMITS: LateLimits = {
  documentEvents: 4_096,
  documentBytes: 8 << 20,
  events: 16_384,
  bytes: 64 << 20,
}

/** How much of something is kept aside. */
interface Amount {
  readonly events: number
  readonly bytes: number
}

const NOTHING: Amount = { events: 0, bytes: 0 }

/**
 * What is kept aside by key, so that there is an end to what peers can have kept.
 *
 * Only what a peer brings is refused for lack of room. What was in the log before its generation was over
 * is kept aside in any case: it takes no more than it did.
 */
export class LateRoom {
  readonly #limits: LateLimits
  readonly #below: LateRoom | undefined
  /** The bytes under each key; `undefined` for one that is gone from what is below. */
  readonly #keys = new Map<string, number | undefined>()
  readonly #documents = new Map<DocumentId, Amount>()
  #all: Amount = NOTHING

  /** @param below what is kept already: what is put here comes on top of it and leaves it as it is. */
  constructor(limits: LateLimits = LATE_LIMITS, below?: LateRoom) {
    this.#limits = limits
    this.#below = below
  }

  /** Counts what a storage keeps aside. */
  static async load(storage: Storage, limits: LateLimits | undefined): Promise<LateRoom> {
    const room = new LateRoom(limits)
    for await (const { key, value } of storage.scan(LATE_PREFIX)) room.#put(key, value.length)
    return room
  }

  /** The same, for writes that are not durable yet. */
  over(): LateRoom {
    return new LateRoom(this.#limits, this)
  }

  /** Takes over what was written, as far as it is about late events. */
  apply(puts: readonly Put[]): void {
    for (const { key, value } of puts)
      if (key.startsWith(LATE_PREFIX)) this.#put(key, value?.length)
  }

  /** Whether there is room for so many bytes under a key: what is kept there already makes room. */
  fits(key: string, bytes: number): boolean {
    const before = this.#bytesOf(key)
    if (before !== undefined) return true
    const { documentEvents, documentBytes, events, bytes: bytesMax } = this.#limits
    const document = this.#amountOf(documentOf(key))
    const all = this.#amountOf(undefined)
    const fitsDocument = document.events < documentEvents && document.bytes + bytes <= documentBytes
    return fitsDocument && all.events < events && all.bytes + bytes <= bytesMax
  }

  #put(key: string, bytes: number | undefined): void {
    const before = this.#bytesOf(key)
    if (bytes === undefined && this.#below === undefined) this.#keys.delete(key)
    else this.#keys.set(key, bytes)
    const events = Number(bytes !== undefined) - Number(before !== undefined)
    const change = { events, bytes: (bytes ?? 0) - (before ?? 0) }
    this.#all = sum(this.#all, change)
    const document = documentOf(key)
    const now = sum(this.#documents.get(document) ?? NOTHING, change)
    if (now.events === 0 && now.bytes === 0) this.#documents.delete(document)
    else this.#documents.set(document, now)
  }

  #bytesOf(key: string): number | undefined {
    if (this.#keys.has(key) || this.#below === undefined) return this.#keys.get(key)
    return this.#below.#bytesOf(key)
  }

  /** Of one document, or of all. */
  #amountOf(document: DocumentId | undefined): Amount {
    const here = document === undefined ? this.#all : (this.#documents.get(document) ?? NOTHING)
    return this.#below === undefined ? here : sum(this.#below.#amountOf(document), here)
  }
}

function documentOf(key: string): DocumentId {
  return key.slice(LATE_PREFIX.length, key.indexOf('\u0000'))
}

function sum(a: Amount, b: Amount): Amount {
  return { events: a.events + b.events, bytes: a.bytes + b.bytes }
}
