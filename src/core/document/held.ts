import type { Heads } from '../ids.ts'
import type { OpenDocument } from './open-document.ts'

/** A document that somebody holds, with the promise of its last local edit. */
export interface Held {
  document: OpenDocument
  /** Local edits so far are durable. */
  durable: Promise<void>
  /** Called after each change of the value, local or remote. */
  readonly listeners: Set<(change: HeldChange) => void>
  holders: number
  pending: number
  /** Why no edit is taken now: an append failed, or the document is being read again. */
  failure: unknown
  /** Under way while the document is being read again. */
  reloading: Promise<void> | undefined
  /** What of the budget it takes. */
  bytes: number
}

/** What changed in a document that somebody holds. */
export interface HeldChange {
  readonly origin: 'local' | 'remote'
  readonly heads: Heads
  readonly deleted: boolean
}

/** How many documents stay ready for the next edit; of others that nobody holds only the events stay. */
const READY_MAX = 128

/** Those of the loaded documents that were used last. */
export class ReadyDocuments {
  readonly #held = new Set<Held>()

  /** @returns the one that rests in its place, if one does. */
  use(held: Held): Held | undefined {
    this.#held.delete(held)
    this.#held.add(held)
    const [oldest] = this.#held
    if (oldest === undefined || this.#held.size <= READY_MAX) return undefined
    this.#held.delete(oldest)
    // Who still holds it gives it back later, and makes it one of the last again.
    if (oldest.holders > 0) return undefined
    oldest.document.rest()
    return oldest
  }

  /** It is no longer loaded. */
  drop(held: Held): void {
    this.#held.delete(held)
  }
}
