import { setTimeout as sleep } from 'node:timers/promises'
import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { SpdyConnection } from '../../spdy/connection.ts'
import type { SpdyStream } from '../../spdy/stream.ts'
import { RuntimeError } from '../index.ts'
import { connectStreams, type StreamPlace } from './engine-streams.ts'
import { readText } from './read-text.ts'

const PROTOCOL = 'portforward.k8s.io'
/** An engine says at once that nobody listens; silence for this long is taken for a connection. */
const REFUSAL_MS = 300

/** A connection to a port of a pod, through the streams of its engine. */
export class EnginePort implements ByteStream {
  readonly closed: Promise<void>
  readonly #connection: SpdyConnection
  readonly #data: SpdyStream

  private constructor(connection: SpdyConnection, data: SpdyStream) {
    this.#connection = connection
    this.#data = data
    this.closed = Promise.race([data.closed, connection.closed])
    // One connection for each port: with its stream it has nothing left to carry.
    void this.closed.then(() => connection.abort())
  }

  /**
   * Connects to a port of the pod whose engine serves its ports at `place`.
   *
   * @throws RuntimeError `Unavailable` when nobody listens there, and as {@link connectStreams} does.
   */
  static async open(place: StreamPlace, port: number, request: number): Promise<EnginePort> {
    const connection = await connectStreams(place, PROTOCOL)
    const headers = (type: string): ReadonlyMap<string, string> =>
      new Map([
        ['streamtype', type],
        ['port', String(port)],
        ['requestid', String(request)],
      ])
    try {
      const error = await connection.open(headers('error'))
      error.end()
      const data = await connection.open(headers('data'))
      // Where the connection is gone, its stream tells.
      const refusal = readText(error).catch(() => '')
      const silence = sleep(REFUSAL_MS, undefined, { ref: false })
      const message = await Promise.race([refusal, silence])
      if (message !== undefined && message !== '') throw new RuntimeError('Unavailable', message)
      const opened = new EnginePort(connection, data)
      void refusal.then((late) => {
        if (late !== '') opened.reset('REFUSED', late)
      })
      return opened
    } catch (failure) {
      connection.abort()
      if (failure instanceof RuntimeError) throw failure
      const why = failure instanceof Error ? failure.message : String(failure)
      throw new RuntimeError('Unavailable', why, { cause: failure })
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#data[Symbol.asyncIterator]()
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#data.write(bytes)
  }

  end(): void {
    this.#data.end()
  }

  reset(_code: string, _message: string): void {
    this.#data.reset()
    this.#connection.abort()
  }
}
