import type { TidewayError } from '../errors.ts'
import type { AbortOptions } from '../interfaces/abort.ts'
import type { CloseReason, Connection } from '../interfaces/transport.ts'
import type { LinkMeter } from './measures-link.ts'

/** A connection as it is, with its messages counted on the way. */
export class MeteredConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
  readonly closed: Promise<CloseReason>
  readonly #connection: Connection
  readonly #meter: LinkMeter

  constructor(connection: Connection, meter: LinkMeter) {
    this.#connection = connection
    this.#meter = meter
    this.direction = connection.direction
    this.remoteAddress = connection.remoteAddress
    this.principal = connection.principal
    this.closed = connection.closed
  }

  send(message: Uint8Array): boolean {
    // Counted first: the bytes belong to the connection afterwards.
    this.#meter.sent(message.length)
    return this.#connection.send(message)
  }

  drained(options?: AbortOptions): Promise<void> {
    return this.#connection.drained(options)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  abort(reason: TidewayError): void {
    this.#connection.abort(reason)
  }

  // By hand: a generator would be one more step for each message, and memory for each idle connection.
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const inner = this.#connection[Symbol.asyncIterator]()
    const count = (result: IteratorResult<Uint8Array>): IteratorResult<Uint8Array> => {
      if (result.done !== true) this.#meter.received(result.value.length)
      return result
    }
    return {
      next: () => inner.next().then(count),
      return: () => inner.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }
  }
}
