import type { Duplex } from 'node:stream'
import { SpdyConnection } from '../../../spdy/connection.ts'
import type { SpdyStream } from '../../../spdy/stream.ts'
import type { StreamHost } from './host.ts'
import { IdleWatch, STREAM_LINGER_MS } from './idle.ts'

/** A SPDY connection that is watched over by the server. */
export interface SpdyLine {
  readonly connection: SpdyConnection
  /** Something was sent. */
  touch(): void
  /** Says goodbye and waits until the client has closed it, for a while. */
  finish(): Promise<void>
}

/** Speaks SPDY on a socket until it closes, or is idle for too long, or the server closes. */
export function spdyLine(
  socket: Duplex,
  accept: (stream: SpdyStream) => boolean,
  host: StreamHost,
): SpdyLine {
  let touch: () => void = () => undefined
  const connection = new SpdyConnection({ socket, accept, onActivity: () => touch() })
  const idle = new IdleWatch(host.clock, connection, host.idleMs)
  touch = () => idle.touch()
  const release = host.keep(() => connection.abort())
  void connection.closed.then(() => {
    idle.close()
    release()
  })
  return {
    connection,
    touch,
    async finish() {
      connection.end()
      const cancel = host.clock.schedule(STREAM_LINGER_MS, () => connection.abort())
      await connection.closed
      cancel()
    },
  }
}
