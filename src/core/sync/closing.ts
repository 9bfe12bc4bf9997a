import type { ErrorCode } from '../errors.ts'
import type { SessionClose } from './io.ts'
import type { CloseFrame } from './message.ts'

/** The code of CLOSE in good order. */
const CLOSED = 'CLOSED'

/** A reason to end a session, as far as it is known. */
export interface Ending {
  readonly code: SessionClose['code']
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs?: number | undefined
}

/** Why a session that the peer is told about ends, in its words. */
export function closeFrame(ending: Ending): CloseFrame {
  const { code, message, retryable, retryAfterMs } = ending
  const wireCode = code === 'LOCAL' || code === 'REMOTE' ? CLOSED : code
  return { type: 'close', code: wireCode, message, retryable, retryAfterMs }
}

/** What the peer said about its reason. A code of a later version is handed on as it is. */
export function reasonOf(frame: CloseFrame): SessionClose {
  const { code, message, retryable, retryAfterMs } = frame
  const known = code !== CLOSED && /^[A-Z_]+$/.test(code)
  return { code: known ? (code as ErrorCode) : 'REMOTE', message, retryable, retryAfterMs }
}
