import type { TidewayError } from '../errors.ts'
import type { AbortOptions } from '../interfaces/abort.ts'
import type { CloseReason, Connection } from '../interfaces/transport.ts'
import type { Turn } from './answer-turns.ts'

/** Told of each message on its way. It changes nothing and never throws. */
export interface MessageObserver {
  sent(message: Uint8Array): void
  received(message: Uint8Array): void
}

/** A connection as it is, with somebody who looks on. What comes first may wait for its turn. */
export class ObservedConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
  readonly closed: Promise<CloseReason>
  readonly #connection: Connection
  readonly #observer: MessageObserver
  #turn: Turn | undefined

  /** @param turn when the first message is read; it ends with the first that is sent. */
  constructor(connection: Connection, observer: MessageObserver, turn?: Turn) {
    this.#connection = connection
    this.#observer = observer
    this.#turn = turn
    this.direction = connection.direction
    this.remoteAddress = connection.remoteAddress
    this.principal = connection.principal
    this.closed = connection.closed
  }

  send(message: Uint8Array): boolean {
    // Shown first: the bytes belong to the connection afterwards.
    this.#observer.sent(message)
    this.#turn?.end()
    this.#turn = undefined
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
    const show = (
      result: IteratorResult<Uint8Array>,
    ): IteratorResult<Uint8Array> | Promise<IteratorResult<Uint8Array>> => {
      if (result.done === true) return result
      this.#observer.received(result.value)
      const turn = this.#turn?.begin(result.value)
      return turn === undefined ? result : turn.then(() => result)
    }
    return {
      next: () => inner.next().then(show),
      return: () => inner.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    }
  }
}
