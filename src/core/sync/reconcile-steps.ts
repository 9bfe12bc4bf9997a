import type { CollectionId, DocumentId, Position } from '../ids.ts'
import type { WireEntry } from './io.ts'
import type { DocumentState, RangeAnswer, RangeQuestion, Want } from './reconcile-frames.ts'

/**
 * What a session needs of our log to find where it differs from the peer's. Collections are shared ones;
 * what the peer refused is left out everywhere. None of it has to be of one moment: what changes
 * meanwhile shows up as a difference too many, never as one too few.
 */
export type ReconcileStep =
  /** Asker: the first questions, one for each collection, with its fingerprint. */
  | { readonly type: 'begin'; readonly collections: readonly CollectionId[] }
  /** Answerer: what we hold in the first of these ranges: at least one, until `bytesMax` is reached. */
  | {
      readonly type: 'ranges'
      readonly ranges: readonly RangeQuestion[]
      readonly bytesMax: number
    }
  /** Asker: compare what the peer holds with what we hold. */
  | { readonly type: 'compare'; readonly compares: readonly Comparison[] }
  /** Asker: how the first of these documents stand here: at least one, until `bytesMax` is reached. */
  | {
      readonly type: 'states'
      readonly collection: CollectionId
      readonly documents: readonly DocumentId[]
      readonly bytesMax: number
    }
  /** Answerer: what the peer lacks of these documents, and what we lack. */
  | {
      readonly type: 'entries'
      readonly collection: CollectionId
      readonly documents: readonly DocumentState[]
    }

/** A range, and what the peer says about it. */
export interface Comparison {
  readonly range: RangeQuestion
  readonly answer: RangeAnswer
}

/** A document that is not the same at both sides, or is at one side only. */
export interface Difference {
  readonly collection: CollectionId
  readonly document: DocumentId
}

/** What came of a {@link ReconcileStep}, of the same type. */
export type ReconcileResult =
  | { readonly type: 'begin'; readonly ranges: readonly RangeQuestion[] }
  /** `cost` is how many documents were looked at. */
  | { readonly type: 'ranges'; readonly answers: readonly RangeAnswer[]; readonly cost: number }
  | {
      readonly type: 'compare'
      /** Parts that differ. */
      readonly ranges: readonly RangeQuestion[]
      readonly differences: readonly Difference[]
      /** What was not looked at yet, because there is much. */
      readonly rest: readonly Comparison[]
    }
  | {
      readonly type: 'states'
      readonly documents: readonly DocumentState[]
      /** How many of the documents are dealt with by `documents` and `leaves`. */
      readonly taken: number
      /** Documents that went where the peer does not see them: it is told that they left. */
      readonly leaves: readonly Delivery[]
    }
  /** `cost` is how many documents and entries were looked at. */
  | {
      readonly type: 'entries'
      readonly wants: readonly Want[]
      readonly deliveries: readonly Delivery[]
      readonly cost: number
    }

/** Entries of one document that the peer lacks. */
export interface Delivery {
  readonly document: DocumentId
  /** The collection in whose exchange they are sent. When it is not its home, the peer is told of the leave. */
  readonly collection: CollectionId
  /** With a join in front. */
  readonly whole: boolean
  /** The names of the entries, 8 bytes each. undefined: all that count. */
  readonly names: Uint8Array | undefined
}

/** Where the reading of deliveries goes on. */
export interface DeliveryCursor {
  /** How many deliveries are done. */
  readonly index: number
  /** How many entries of the next one. */
  readonly entries: number
}

/** A page of deliveries. */
export interface DeliveryAnswer {
  readonly entries: readonly WireEntry[]
  /** undefined: nothing is left. */
  readonly next: DeliveryCursor | undefined
}

/** How far a session is with finding differences; for people and tests. */
export interface ReconcileProgress {
  /** How often it was begun by this side. */
  readonly runs: number
  readonly questions: number
  readonly differences: number
  readonly running: boolean
}

/** A position in no log: entries that answer a question have none. */
export const NO_POSITION: Position = 0
