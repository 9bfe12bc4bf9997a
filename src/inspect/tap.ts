import type { Connection, Listener, Transport } from '../core/interfaces/transport.ts'
import { ObservedConnection } from '../core/replica/observed-connection.ts'
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
    dial: async (address, abort) => tapped(await transport.dial(address, abort), print, options),
  }
}

/** A listener that prints what passes over the connections that it accepts. See {@link tap}. */
export function tapListener(listener: Listener, print: Print, options: TapOptions = {}): Listener {
  return {
    addresses: listener.addresses,
    close: () => listener.close(),
    async *[Symbol.asyncIterator]() {
      for await (const connection of listener) yield tapped(connection, print, options)
    },
  }
}

function tapped(connection: Connection, print: Print, options: TapOptions): Connection {
  const show = (sign: string, message: Uint8Array): void => {
    try {
      for (const line of describeMessage(message, options))
        print(`${sign} ${connection.remoteAddress} ${line}`)
    } catch {
      // The printer's trouble.
    }
  }
  return new ObservedConnection(connection, {
    sent: (message) => show('>', message),
    received: (message) => show('<', message),
  })
}
