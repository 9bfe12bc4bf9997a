import type { Connection, Transport } from '../../src/core/interfaces/transport.ts'

/** What went over the connections of a {@link metered} transport. */
export interface Meter {
  /** Messages and bytes of those who dialled. */
  out: number
  outBytes: number
  /** Messages and bytes of those who answered. */
  in: number
  inBytes: number
  connections: number
  /** Messages of either side that followed one of the other: two are a round trip. */
  turns: number
}

/** Counts what goes over the connections that a transport dials. */
export function metered(transport: Transport): {
  readonly transport: Transport
  readonly meter: Meter
} {
  const meter: Meter = { out: 0, outBytes: 0, in: 0, inBytes: 0, connections: 0, turns: 0 }
  const counted: Transport = {
    ...{ name: transport.name, supports: transport.supports },
    dial: async (address, options) => {
      meter.connections += 1
      return meteredConnection(await transport.dial(address, options), meter)
    },
  }
  return { transport: counted, meter }
}

function meteredConnection(connection: Connection, meter: Meter): Connection {
  let last: 'in' | 'out' | undefined
  const count = (way: 'in' | 'out', bytes: number): void => {
    meter[way] += 1
    meter[`${way}Bytes`] += bytes
    if (last !== way) meter.turns += 1
    last = way
  }
  return new Proxy(connection, {
    get(target, name) {
      if (name === 'send') {
        return (message: Uint8Array) => {
          count('out', message.length)
          return target.send(message)
        }
      }
      if (name === Symbol.asyncIterator) {
        return async function* () {
          for await (const message of target) {
            count('in', message.length)
            yield message
          }
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
