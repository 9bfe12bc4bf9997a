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
