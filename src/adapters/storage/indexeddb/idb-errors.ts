import {
  isTidewayError,
  StorageCorruptError,
  StorageForeignError,
  StorageUnavailableError,
  type TidewayError,
} from '../../../core/errors.ts'

/** What a browser calls stored bytes that it cannot read back. */
const CORRUPT = new Set(['DataError', 'NotReadableError'])

/** The package's error for what IndexedDB threw, aborted or failed with. */
export function storageErrorOf(error: unknown, database: string): TidewayError {
  if (isTidewayError(error)) return error
  const reason = error instanceof Error ? error.name : 'unknown'
  const options = { fields: { database, reason }, cause: error }
  if (reason === 'VersionError') {
    return new StorageForeignError('the database was written by a newer version of this package', {
      database,
    })
  }
  if (CORRUPT.has(reason)) {
    return new StorageCorruptError('the browser cannot read what the database holds', options)
  }
  if (reason === 'QuotaExceededError') {
    return new StorageUnavailableError('the browser gives the database no more room', options)
  }
  return new StorageUnavailableError('the browser refused to read or write the database', options)
}
