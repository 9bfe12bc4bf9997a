import type { TidewayError } from '../core/errors.ts'
import type { AbortOptions } from '../core/interfaces/abort.ts'
import type { CloseReason, Connection, Listener, Transport } from '../core/interfaces/transport.ts'
import { type DescribeOptions, describeMessage } from './describe.ts'

/** How what passes is shown. */
export type TapOptions = DescribeOptions

/** Prints one line. What it throws is ignored: looking on must not change what happens. */
type Print = (line: string) => void

/**
 * A transport that prints what passes over its connections: `>` before what is sent, `<` before what
 * comes, with the address of the other side. It changes nothing else.
 */
export function tap(transport: Transport, print: Print, options: TapOptions = {}): Transport {
  return {
    name: transport.name,
    supports: transport.supports,
    dial: async (address, abort) =>
      new TappedConnection(await transport.dial(address, abort), print, options),
  }
}

/** A listener that prints what passes over the connections that it accepts. See {@link tap}. */
export function tapListener(listener: Listener, print: Print, options: TapOptions = {}): Listener {
  return {
    addresses: listener.addresses,
    close: () => listener.close(),
    async *[Symbol.asyncIterator]() {
      for await (const connection of listener)
        yield new TappedConnection(connection, print, options)
    },
  }
}

class TappedConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
  readonly closed: Promise<CloseReason>
  readonly #connection: Connection
  readonly #show: (sign: string, message: Uint8Array) => void

  constructor(connection: Connection, print: Print, options: DescribeOptions) {
    this.#connection = connection
    this.direction = connection.direction
    this.remoteAddress = connection.remoteAddress
    this.principal = connection.principal
    this.closed = connection.closed
    this.#show = (sign, message) => {
      try {
        for (const line of describeMessage(message, options))
          print(`${sign} ${this.remoteAddress} ${line}`)
      } catch {
        // The printer's trouble.
      }
    }
  }

  send(message: Uint8Array): boolean {
    this.#show('>', message)
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

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const message of this.#connection) {
      this.#show('<', message)
      yield message
    }
  }
}
