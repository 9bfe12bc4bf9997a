import type { SessionOutput } from './io.ts'
import { DIVERGED_RETRY_MS, type SessionLimits } from './limits.ts'
import type { Frame } from './message.ts'

/** What the exchange needs of the session around it. */
export interface ExchangeHost {
  readonly role: 'dialer' | 'accepter'
  readonly limits: SessionLimits
  emit(output: SessionOutput): void
  /** Queues a control frame. */
  control(frame: Frame): void
  token(): number
  /** The time of what happens now. */
  now(): number
}

/** Why an exchange cannot go on. */
export interface Divergence {
  readonly code: 'PROTOCOL_DIVERGED'
  readonly message: string
  readonly retryAfterMs: number
}

/** The logs cannot be brought together now. */
export function diverged(message: string): Divergence {
  return { code: 'PROTOCOL_DIVERGED', message, retryAfterMs: DIVERGED_RETRY_MS }
}
