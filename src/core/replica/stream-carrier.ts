import type { SyncSession } from '../sync/session.ts'
import type { StreamCarrier } from './peer-stream.ts'

/** Tells a session something, and does what it then says; undefined when the session is over. */
export type Tell = <T>(input: (nowMs: number) => T) => T | undefined

/** How the streams of a link reach its session. */
export function carrierOf(session: SyncSession, tell: Tell): StreamCarrier {
  return {
    write: (stream, bytes) => tell((now) => session.writeStream(stream, bytes, now)) ?? false,
    end: (stream) => tell((now) => session.endStream(stream, now)),
    reset: (stream, code, message) =>
      tell((now) => session.resetStream(stream, code, message, now)),
    consumed: (stream, bytes) => tell((now) => session.consumed(stream, bytes, now)),
  }
}
