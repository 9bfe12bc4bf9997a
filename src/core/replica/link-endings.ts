import { isTidewayError, ProtocolError, type TidewayError } from '../errors.ts'
import type { SessionClose } from '../sync/io.ts'
import type { Failure } from '../sync/session.ts'

/** The end of a connection whose peer knows more of our log than there is. */
export const LOST_TAIL: SessionClose = {
  code: 'STORAGE_CORRUPT',
  message: 'the end of the log was lost: it goes on under another epoch',
  retryable: true,
  retryAfterMs: undefined,
}

/** The end of the connections that speak of the log under the epoch that it had. */
export const OTHER_EPOCH: SessionClose = {
  code: 'LOCAL',
  message: 'the log goes on under another epoch',
  retryable: true,
  retryAfterMs: undefined,
}

/** What went wrong in answering a session, as an error that a peer can be told. */
export function asError(error: unknown): TidewayError {
  if (isTidewayError(error)) return error
  return new ProtocolError(
    'PROTOCOL_REMOTE',
    error instanceof Error ? error.message : 'unknown failure',
  )
}

/** The same, where a storage that is damaged may be repaired by the next time. */
export function asFailure(error: unknown): Failure {
  const { code, message, retryable } = asError(error)
  return { code, message, retryable: retryable || code === 'STORAGE_CORRUPT' }
}
