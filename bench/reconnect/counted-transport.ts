import type { Connection, Transport } from 'tideway'

import type { Counter } from '../counting.ts'

/** A transport whose connections count what passes. */
export function countedTransport(inner: Transport, counter: Counter): Transport {
  return {
    name: inner.name,
    supports: inner.supports,
    dial: async (address, options) =>
      countedConnection(await inner.dial(address, options), counter),
  }
}

function countedConnection(inner: Connection, counter: Counter): Connection {
  return {
    direction: inner.direction,
    remoteAddress: inner.remoteAddress,
    principal: inner.principal,
    closed: inner.closed,
    send(message) {
      counter.up(message.length)
      return inner.send(message)
    },
    drained: (options) => inner.drained(options),
    close: () => inner.close(),
    abort: (reason) => inner.abort(reason),
    async *[Symbol.asyncIterator]() {
      for await (const message of inner) {
        counter.down(message.length)
        yield message
      }
    },
  }
}
