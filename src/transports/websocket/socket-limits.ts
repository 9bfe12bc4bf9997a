import type { SocketLimits } from './connection.ts'

/** The bounds that every WebSocket transport and listener takes. */
export interface SocketLimitOptions {
  /** The largest message, either way. Default: 16 MiB. */
  readonly messageBytesMax?: number | undefined
  /** Above this many waiting bytes `send` returns false. Default: 256 KiB. */
  readonly queuedBytesMax?: number | undefined
  /** The reader's buffer. Default: 1 MiB; in browsers, which cannot hold a peer back, 16 MiB. */
  readonly inboxBytesMax?: number | undefined
  /** How long a peer may take to answer a close. Default: 10 s. */
  readonly closeMs?: number | undefined
}

const MIB = 1_024 * 1_024

/** The bounds with their defaults put in. */
export function socketLimits(
  options: SocketLimitOptions,
  inboxBytesMax: number = 16 * MIB,
): SocketLimits {
  return {
    messageBytesMax: options.messageBytesMax ?? 16 * MIB,
    queuedBytesMax: options.queuedBytesMax ?? 256 * 1_024,
    inboxBytesMax: options.inboxBytesMax ?? inboxBytesMax,
    closeMs: options.closeMs ?? 10_000,
  }
}

/** The reader's buffer where the peer can be held back. */
export const PAUSED_INBOX_BYTES_MAX: number = MIB
