import type { Denial } from './submission.ts'

// Why a plan takes no edit, or sets one aside.

/** An edit stood in a document that left before a peer had it. */
export const LEFT: Denial = {
  code: 'DOCUMENT_DELETED',
  message: 'the document left before a peer had this edit',
}

/** An edit of a document that left. */
export const GONE: Denial = { code: 'DOCUMENT_DELETED', message: 'the document is no longer here' }

/** An edit of a generation that is over. */
export const OUTDATED: Denial = {
  code: 'DOCUMENT_COMPACTED',
  message: 'the history that the edit builds on is over',
}

/** An edit at a place where another one stands. */
export const TAKEN: Denial = {
  code: 'ACCESS_EQUIVOCATION',
  message: 'another event of this writer stands at the same place',
}

/** An edit of an epoch that is over. */
export const RETIRED: Denial = {
  code: 'STORAGE_UNAVAILABLE',
  message: 'the log lost its end and goes on under another epoch: the edit is to be made again',
}

/** An edit after one that is not here. */
export const UNFOUNDED: Denial = {
  code: 'STORAGE_UNAVAILABLE',
  message: 'the edit builds on one that was not stored',
}
