import { UsageError } from '../../core/errors.ts'
import type { Position } from '../../core/ids.ts'
import type { Batch, RecordQuery } from '../../core/interfaces/storage.ts'

/** The longest document id, in UTF-8 bytes. */
export const DOCUMENT_ID_BYTES_MAX: number = 512
/** The longest collection id, in UTF-8 bytes. */
export const COLLECTION_ID_BYTES_MAX: number = 256
/** The longest key of the key-value side, in UTF-8 bytes. */
export const KEY_BYTES_MAX: number = 4_096

const encoder = new TextEncoder()

// Half a surrogate pair has no UTF-8 form: two different texts would share one key.
const LONE_SURROGATE = /\p{Surrogate}/u

/** @throws UsageError when a batch breaks the bounds that every storage shares. */
export function checkBatch(batch: Batch): void {
  for (const record of batch.records) {
    checkText('record.document', record.document, DOCUMENT_ID_BYTES_MAX)
    checkText('record.collection', record.collection, COLLECTION_ID_BYTES_MAX)
    checkBytes('record.bytes', record.bytes)
  }
  for (const put of batch.puts) {
    checkText('put.key', put.key, KEY_BYTES_MAX)
    if (put.value !== undefined) checkBytes('put.value', put.value)
  }
  for (const field of ['expectedHead', 'expectedRevision'] as const) {
    if (batch[field] !== undefined) checkPosition(field, batch[field])
  }
}

/** @throws UsageError when a query asks for something that cannot be. */
export function checkQuery(query: RecordQuery): void {
  checkPosition('after', query.after)
  if (query.upTo !== undefined) checkPosition('upTo', query.upTo)
  if (!(query.bytesMax >= 0)) throw invalid('bytesMax', 'a number of bytes, 0 or more')
  if (query.document !== undefined && query.collections !== undefined) {
    throw invalid('document', 'not given together with collections')
  }
}

/** @throws UsageError when a key cannot name a value. */
export function checkKey(key: string): void {
  checkText('key', key, KEY_BYTES_MAX)
}

/** @throws UsageError when `position` is not a whole number from 0 to 2^53 - 1. */
export function checkPosition(field: string, position: Position): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw invalid(field, 'a whole number from 0 to 2^53 - 1')
  }
}

function checkText(field: string, text: string, bytesMax: number): void {
  if (typeof text !== 'string' || text === '') throw invalid(field, 'a text that is not empty')
  if (LONE_SURROGATE.test(text)) throw invalid(field, 'well-formed Unicode')
  // Three bytes a UTF-16 unit is the most that UTF-8 takes, so most texts need no encoding here.
  if (text.length * 3 > bytesMax && encoder.encode(text).length > bytesMax) {
    throw invalid(field, `at most ${bytesMax} UTF-8 bytes`)
  }
}

function checkBytes(field: string, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw invalid(field, 'a Uint8Array')
}

function invalid(field: string, allowed: string): UsageError {
  return new UsageError('USAGE_INVALID_ARGUMENT', 'an argument of a storage call is not allowed', {
    field,
    allowed,
  })
}
