import type { CollectionId, DocumentId } from '../ids.ts'

// What two sides say to find where they differ. The one who asks is the asker, whichever side it is;
// the one who answers keeps nothing from one question to the next.

/** Documents of one collection, by id: from `from` on, up to `to` and without it. */
export interface DocumentRange {
  readonly collection: CollectionId
  /** Empty: from the first one on. */
  readonly from: DocumentId
  /** undefined: to the last one. */
  readonly to: DocumentId | undefined
}

/** A range, and the asker's fingerprint of it. */
export interface RangeQuestion extends DocumentRange {
  /** undefined: it is known to differ. */
  readonly fingerprint: Uint8Array | undefined
  /** How many splits led to it. For the asker alone, it does not travel. Default: 0. */
  readonly depth?: number | undefined
}

/** What the answerer holds in a range that was asked about. */
export type RangeAnswer =
  | { readonly kind: 'equal' }
  /** Some documents: each of them. */
  | { readonly kind: 'documents'; readonly documents: readonly DocumentMark[] }
  /** Many documents: ranges that follow each other and fill the one that was asked about. */
  | { readonly kind: 'parts'; readonly parts: readonly RangePart[] }

/** A document and its fingerprint. */
export interface DocumentMark {
  readonly document: DocumentId
  readonly fingerprint: Uint8Array
}

/** One part of a range: from the end of the part before, up to `to`. */
export interface RangePart {
  /** undefined: to the last document of the collection. Only the last part may say so. */
  readonly to: DocumentId | undefined
  readonly fingerprint: Uint8Array
}

/** How a document stands at the asker. */
export interface DocumentState {
  readonly document: DocumentId
  /**
   * `here`: at home in the collection; `none`: never heard of; `left`: it was here and left; else the
   * collection that is its home.
   */
  readonly home: 'here' | 'none' | 'left' | { readonly collection: CollectionId }
  readonly generation: number
  /** How often it was given another home. */
  readonly moves: number
  /** The names of its entries, 8 bytes each, in any order. undefined: too many to say. */
  readonly names: Uint8Array | undefined
}

/** What the answerer lacks of a document. */
export interface Want {
  readonly document: DocumentId
  /** With a join in front: here it left, or is at home elsewhere. */
  readonly whole: boolean
  /** The names of the entries, as in {@link DocumentState}. undefined: all of them. */
  readonly names: Uint8Array | undefined
}

/** What do you hold in these ranges? */
export interface AskRangesFrame {
  readonly type: 'ask-ranges'
  readonly question: number
  readonly ranges: readonly RangeQuestion[]
}

/** The answers for the first of the ranges that were asked about, at least one. */
export interface TellRangesFrame {
  readonly type: 'tell-ranges'
  readonly question: number
  readonly answers: readonly RangeAnswer[]
}

/** This is what we hold of these documents: send us what we lack, and say what you lack. */
export interface AskEntriesFrame {
  readonly type: 'ask-entries'
  readonly question: number
  readonly collection: CollectionId
  readonly documents: readonly DocumentState[]
}

/** What the answerer lacks. */
export interface TellEntriesFrame {
  readonly type: 'tell-entries'
  readonly question: number
  /** What the asker lacks follows in EVENTS. */
  readonly follows: boolean
  readonly wants: readonly Want[]
}

export type ReconcileFrame = AskRangesFrame | TellRangesFrame | AskEntriesFrame | TellEntriesFrame
