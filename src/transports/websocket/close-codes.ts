/**
 * Close codes of RFC 6455 section 7.4, and ours from the private range.
 *
 * Codes from 1005, 1006 and 1015 are only ever reported, never sent: a WebSocket refuses them.
 */
export const CLOSE_CODES: {
  readonly normal: 1000
  readonly goingAway: 1001
  readonly unsupported: 1003
  readonly noStatus: 1005
  readonly abnormal: 1006
  readonly tooLarge: 1009
  readonly aborted: 4000
  readonly overflow: 4001
  readonly timeout: 4002
} = {
  /** Closed in good order. */
  normal: 1000,
  /** The listener is shutting down. */
  goingAway: 1001,
  /** A text message: only binary ones carry our protocol. */
  unsupported: 1003,
  /** Closed without a code. Reported only. */
  noStatus: 1005,
  /** The socket ended without a close frame. Reported only. */
  abnormal: 1006,
  /** A message is past the limit. */
  tooLarge: 1009,
  /** The peer called abort(). */
  aborted: 4000,
  /** The peer's reader could not keep up and its platform cannot hold us back. */
  overflow: 4001,
  /** A keep-alive or a close was not answered in time. */
  timeout: 4002,
}

/** The most that a close frame holds beside its code. */
const REASON_BYTES_MAX = 123

/** `reason` cut to what a close frame holds, never inside a character. */
export function closeReasonText(reason: string): string {
  const bytes = new TextEncoder().encode(reason)
  if (bytes.length <= REASON_BYTES_MAX) return new TextDecoder().decode(bytes)
  let end = REASON_BYTES_MAX
  // Bytes 10xxxxxx continue a character: the cut goes before the one that starts it.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return new TextDecoder().decode(bytes.subarray(0, end))
}

/** Whether the peer ended the connection in good order. */
export function isGoodOrder(code: number): boolean {
  return (
    code === CLOSE_CODES.normal || code === CLOSE_CODES.goingAway || code === CLOSE_CODES.noStatus
  )
}
