import type { Denial } from './submission.ts'

/** Why an event that was here goes aside with its document. */
export const LEFT: Denial = {
  code: 'DOCUMENT_DELETED',
  message: 'the document left before a peer had this edit',
}

/** Why an own event goes aside with a document that left as another generation of it. */
export const PARTED: Denial = {
  code: 'DOCUMENT_DELETED',
  message: 'the document left after its history was cut elsewhere, perhaps without this edit',
}

/** Why nothing of a document that left is taken: it comes back with a join, or with a base. */
export const GONE: Denial = { code: 'DOCUMENT_DELETED', message: 'the document is no longer here' }

/** Why an own edit of an older generation is not taken. */
export const OUTDATED: Denial = {
  code: 'DOCUMENT_COMPACTED',
  message: 'the history that the edit builds on is over',
}

/** Why what was written on one of two beginnings of the same number does not count. */
export const RIVAL: Denial = {
  code: 'DOCUMENT_COMPACTED',
  message: 'the history that the edit builds on lost against another of the same number',
}

/** Why a state that edits are only in does not count any more. */
export const OUTRUN: Denial = {
  code: 'DOCUMENT_COMPACTED',
  message: 'the state that the document began with lost against another, which lacks edits in it',
}

/** Why an own edit of a log that went back does not count after a cut. */
export const BEHIND: Denial = {
  code: 'DOCUMENT_COMPACTED',
  message: 'the log went back before the edit, and the history that it builds on is over',
}

/** Why an edit of another generation is not kept. */
export const FULL: Denial = {
  code: 'DOCUMENT_COMPACTED',
  message: 'no more edits of another generation of the document are kept aside',
}

/** Why an own edit is not taken where another one stands. */
export const TAKEN: Denial = {
  code: 'ACCESS_EQUIVOCATION',
  message: 'another event of this writer stands at the same place',
}

/** Why an own edit that was made under an older epoch is not taken. */
export const RETIRED: Denial = {
  code: 'STORAGE_UNAVAILABLE',
  message: 'the log lost its end and goes on under another epoch: the edit is to be made again',
}

/** Why an own edit is not taken before the one that it follows. */
export const UNFOUNDED: Denial = {
  code: 'STORAGE_UNAVAILABLE',
  message: 'the edit builds on one that was not stored',
}
