/** Every code that a {@link TidewayError} can carry. Each has a section in docs/errors.md. */
export type ErrorCode =
  | 'USAGE_INVALID_ARGUMENT'
  | 'USAGE_CLOSED'
  | 'PROTOCOL_REMOTE'
  | 'PROTOCOL_VERSION_UNSUPPORTED'
  | 'PROTOCOL_COMPRESSION_UNSUPPORTED'
  | 'PROTOCOL_LIMIT_EXCEEDED'
  | 'PROTOCOL_TIMEOUT'
  | 'PROTOCOL_DIVERGED'
  | 'ACCESS_DENIED'
  | 'ACCESS_UNAUTHENTICATED'
  | 'ACCESS_EQUIVOCATION'
  | 'ACCESS_AUTHOR'
  | 'ACCESS_QUARANTINED'
  | 'ACCESS_BUSY'
  | 'TRANSPORT_DIAL_FAILED'
  | 'TRANSPORT_CLOSED'
  | 'TRANSPORT_MESSAGE_TOO_LARGE'
  | 'TRANSPORT_BUFFER_OVERFLOW'
  | 'STORAGE_UNAVAILABLE'
  | 'STORAGE_CORRUPT'
  | 'STORAGE_CONFLICT'
  | 'STORAGE_LOCKED'
  | 'STORAGE_FOREIGN'
  | 'DOCUMENT_BROKEN'
  | 'DOCUMENT_DELETED'
  | 'DOCUMENT_COMPACTED'
  | 'DOCUMENT_TOO_LARGE'
  | 'DOCUMENT_HISTORY_MISSING'
  | 'VALUE_UNSUPPORTED'
  | 'VALUE_INVALID'

/** Details of an error: what varies, never secrets, never whole payloads. */
export type ErrorFields = Readonly<Record<string, unknown>>

const MARK = Symbol.for('tideway.error')

/**
 * Anything that goes wrong in this package and that a caller can do something about.
 *
 * `code` is stable within a major version, `message` is not; what varies is in `fields`.
 */
export abstract class TidewayError extends Error {
  readonly code: ErrorCode
  readonly fields: ErrorFields
  /** Whether the same call may succeed later without any change by the caller. */
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.fields = options.fields ?? {}
    this.retryable = options.retryable ?? false
    Object.defineProperty(this, MARK, { value: true })
  }
}

/** What an error carries beside its code and message. */
export interface ErrorOptions {
  readonly fields?: ErrorFields | undefined
  readonly retryable?: boolean | undefined
  readonly cause?: unknown
}

/** Whether `value` is an error of this package, also when it comes from another copy of it. */
export function isTidewayError(value: unknown): value is TidewayError {
  return typeof value === 'object' && value !== null && MARK in value
}

/** The caller's mistake: a bad argument or a call after close. */
export class UsageError extends TidewayError {
  constructor(
    code: 'USAGE_INVALID_ARGUMENT' | 'USAGE_CLOSED',
    message: string,
    fields?: ErrorFields,
  ) {
    super(code, message, { fields })
  }
}

/** The peer's mistake: it broke the protocol, or speaks none of our versions. */
export class ProtocolError extends TidewayError {
  constructor(
    code:
      | 'PROTOCOL_REMOTE'
      | 'PROTOCOL_VERSION_UNSUPPORTED'
      | 'PROTOCOL_LIMIT_EXCEEDED'
      | 'PROTOCOL_TIMEOUT',
    message: string,
    fields?: ErrorFields,
  ) {
    super(code, message, { fields, retryable: code === 'PROTOCOL_TIMEOUT' })
  }
}

/** The policy, or the lack of a valid identity, stood in the way. */
export class AccessError extends TidewayError {
  constructor(
    code: 'ACCESS_DENIED' | 'ACCESS_UNAUTHENTICATED' | 'ACCESS_EQUIVOCATION',
    message: string,
    fields?: ErrorFields,
  ) {
    super(code, message, { fields })
  }
}

/** A peer could not be reached, or refused the connection. */
export class DialError extends TidewayError {
  constructor(message: string, options: ErrorOptions = {}) {
    super('TRANSPORT_DIAL_FAILED', message, { retryable: true, ...options })
  }
}

/** The connection has ended. */
export class ConnectionClosedError extends TidewayError {
  constructor(message = 'the connection is closed', options: ErrorOptions = {}) {
    super('TRANSPORT_CLOSED', message, { retryable: true, ...options })
  }
}

/** A message is larger than the transport takes. */
export class MessageTooLargeError extends TidewayError {
  constructor(bytes: number, bytesMax: number) {
    super('TRANSPORT_MESSAGE_TOO_LARGE', 'the message is larger than the transport takes', {
      fields: { bytes, bytesMax },
    })
  }
}

/** A peer sent faster than we read and a buffer reached its bound. */
export class BufferOverflowError extends TidewayError {
  constructor(bytesMax: number) {
    super('TRANSPORT_BUFFER_OVERFLOW', 'the peer sent more than the buffer holds', {
      fields: { bytesMax },
      retryable: true,
    })
  }
}

/** The medium refused: full disk, read-only directory, I/O error. Nothing was written. */
export class StorageUnavailableError extends TidewayError {
  constructor(message: string, options: ErrorOptions = {}) {
    super('STORAGE_UNAVAILABLE', message, { retryable: true, ...options })
  }
}

/** Stored bytes do not match their checksum or cannot be decoded. */
export class StorageCorruptError extends TidewayError {
  constructor(message: string, options: ErrorOptions = {}) {
    super('STORAGE_CORRUPT', message, options)
  }
}

/** A conditional append found another head. */
export class StorageConflictError extends TidewayError {
  constructor(expected: number, found: number) {
    super('STORAGE_CONFLICT', 'the log has another head than expected', {
      fields: { expected, found },
      retryable: true,
    })
  }
}

/** Another process has the storage open. */
export class StorageLockedError extends TidewayError {
  constructor(message: string, options: ErrorOptions = {}) {
    super('STORAGE_LOCKED', message, options)
  }
}

/** The storage belongs to another replica, or was written by a newer version of this package. */
export class StorageForeignError extends TidewayError {
  constructor(message: string, fields?: ErrorFields) {
    super('STORAGE_FOREIGN', message, { fields })
  }
}

/** One document cannot be used: broken, deleted, too large, or given a value that it cannot hold. */
export class DocumentError extends TidewayError {
  constructor(
    code:
      | 'DOCUMENT_BROKEN'
      | 'DOCUMENT_DELETED'
      | 'DOCUMENT_COMPACTED'
      | 'DOCUMENT_TOO_LARGE'
      | 'DOCUMENT_HISTORY_MISSING'
      | 'VALUE_UNSUPPORTED'
      | 'VALUE_INVALID',
    message: string,
    fields?: ErrorFields,
    cause?: unknown,
  ) {
    super(code, message, { fields, cause })
  }
}

/** A bug in this package. Never caught on purpose; please report it. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws an {@link InvariantError} unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Ends a `switch` over a closed union: a new member that is not handled does not compile. */
export function assertNever(value: never): never {
  throw new InvariantError(`unexpected ${JSON.stringify(value)}`)
}
