import { describe, expect, test } from 'vitest'
import { type TransportPlace, transportSuite } from '../../../src/compliance/index.ts'
import { ConnectionClosedError } from '../../../src/core/errors.ts'
import type { Connection, Listener, Transport } from '../../../src/core/interfaces/transport.ts'
import { MemoryHub } from '../../../src/transports/memory/index.ts'
import { failingChecks } from './failing-checks.ts'

type Alter = (connection: Connection) => Partial<Connection>

interface Fault {
  readonly fault: string
  readonly alter: Alter
  readonly fails: readonly string[]
}

const FAULTS: readonly Fault[] = [
  {
    fault: 'swaps two messages',
    alter: (connection) => {
      let held: Uint8Array | undefined
      let count = 0
      return {
        send: (message) => {
          count += 1
          if (count === 77) {
            held = message
            return true
          }
          const isReady = connection.send(message)
          if (held !== undefined) connection.send(held)
          held = undefined
          return isReady
        },
      }
    },
    fails: ['messages arrive whole and in the order of the calls'],
  },
  {
    fault: 'loses one message',
    alter: (connection) => {
      let count = 0
      return {
        send: (message) => {
          count += 1
          return count === 150 ? true : connection.send(message)
        },
      }
    },
    fails: ['messages arrive whole and in the order of the calls'],
  },
  {
    fault: 'never says that it is full',
    alter: (connection) => ({
      send: (message) => {
        connection.send(message)
        return true
      },
    }),
    fails: [
      'send returns false past the high-water mark, and drained resolves when it may go on',
      'a slow reader stops its peer',
      'drained rejects when the connection ends first',
      'drained rejects with the reason of its signal',
      'close sends what is queued',
      'abort drops what is queued',
      'abort is harmless after close and cuts a close short',
    ],
  },
  {
    fault: 'leaves drained waiting when the connection ends',
    alter: (connection) => ({
      drained: (options) =>
        new Promise((resolve, reject) => {
          connection.drained(options).then(resolve, (error: unknown) => {
            if (options?.signal?.aborted === true) reject(error)
          })
        }),
    }),
    fails: ['drained rejects when the connection ends first'],
  },
  {
    fault: 'rejects with an error of its own when drained is aborted',
    alter: (connection) => ({
      drained: async (options) => {
        try {
          await connection.drained(options)
        } catch (error) {
          throw options?.signal?.aborted === true ? new Error('aborted') : error
        }
      },
    }),
    fails: ['drained rejects with the reason of its signal'],
  },
  {
    fault: 'drops what is queued at close',
    alter: (connection) => ({
      close: () => {
        connection.abort(new ConnectionClosedError())
        return connection.close()
      },
    }),
    fails: [
      'messages that arrived before the close are yielded first, then the iteration ends',
      'close sends what is queued',
      'abort is harmless after close and cuts a close short',
      'both sides may close at once',
    ],
  },
  {
    fault: 'closes anew at each call',
    alter: (connection) => ({ close: async () => connection.close() }),
    fails: ['a second close returns the same promise'],
  },
  {
    fault: 'swallows what is sent after the end',
    alter: (connection) => ({
      send: (message) => {
        try {
          return connection.send(message)
        } catch (error) {
          if (error instanceof ConnectionClosedError) return true
          throw error
        }
      },
    }),
    fails: ['send throws ConnectionClosedError once the connection is closing or has ended'],
  },
  {
    fault: 'refuses an abort whose reason is long',
    alter: (connection) => ({
      abort: (reason) => {
        if (reason.message.length > 123) throw new RangeError('the reason is too long')
        connection.abort(reason)
      },
    }),
    fails: ['abort never throws, whatever its reason says'],
  },
  {
    fault: 'sends what is queued before it aborts',
    alter: (connection) => ({
      abort: (reason) => {
        setTimeout(() => connection.abort(reason), 100)
      },
    }),
    fails: [
      'drained rejects when the connection ends first',
      'send throws ConnectionClosedError once the connection is closing or has ended',
      'abort drops what is queued',
    ],
  },
  {
    fault: 'forgets what arrived when it is closed from afar',
    alter: (connection) => ({
      async *[Symbol.asyncIterator]() {
        const iterator = connection[Symbol.asyncIterator]()
        let isOver = false
        void connection.closed.then(() => {
          isOver = true
        })
        while (true) {
          const next = await iterator.next()
          if (next.done === true || isOver) return
          yield next.value
        }
      },
    }),
    fails: [
      'messages that arrived before the close are yielded first, then the iteration ends',
      'close sends what is queued',
      'messages that arrived before an abort are yielded first',
      'a connection is read by one consumer, once',
    ],
  },
  {
    fault: 'ends the iteration quietly when the connection fails',
    alter: (connection) => {
      let isRead = false
      return {
        [Symbol.asyncIterator]() {
          if (isRead) throw new Error('there is a reader')
          isRead = true
          const iterator = connection[Symbol.asyncIterator]()
          return {
            next: () => iterator.next().catch(() => ({ done: true, value: undefined }) as const),
          }
        },
      }
    },
    fails: [
      'abort ends the connection now, and both iterations throw',
      'messages that arrived before an abort are yielded first',
      'a connection is read by one consumer, once',
    ],
  },
]

describe('the transport suite', () => {
  test('passes a transport that keeps every promise', async () => {
    const failing = await failingChecks((check) =>
      transportSuite({ test: check, factory: () => place(() => ({})) }),
    )
    expect(failing).toEqual([])
  })

  test.each(FAULTS)('fails a connection that $fault', async ({ alter, fails }) => {
    const failing = await failingChecks((check) =>
      transportSuite({ test: check, factory: () => place(alter), deadlineMs: 2_000 }),
    )
    expect(failing).toEqual(fails)
  })

  test('fails a transport that forgets why a dial was aborted', async () => {
    const failing = await failingChecks((check) =>
      transportSuite({ test: check, factory: () => place(() => ({}), forgetReason) }),
    )
    expect(failing).toEqual(['dial rejects with the reason of its signal'])
  })

  test('fails a transport that keeps a connection whose dial was aborted', async () => {
    const failing = await failingChecks((check) =>
      transportSuite({
        test: check,
        factory: () => place(() => ({}), keepLate),
        deadlineMs: 2_000,
      }),
    )
    expect(failing).toEqual([
      'a connection that opens after its dial was aborted is closed at once',
    ])
  })

  test('fails a listener that closes what it has accepted', async () => {
    const failing = await failingChecks((check) =>
      transportSuite({ test: check, factory: closingPlace, deadlineMs: 2_000 }),
    )
    expect(failing).toEqual([
      'closing a listener ends its iteration and leaves accepted connections open',
    ])
  })
})

function place(
  alter: Alter,
  alterTransport: (transport: Transport) => Transport = (transport) => transport,
): TransportPlace {
  const hub = new MemoryHub({ messageBytesMax: 1_024 * 1_024 })
  const listener = hub.listen('memory:here')
  const transport = hub.transport()
  return {
    transport: alterTransport({
      ...transport,
      dial: async (address, options) => altered(await transport.dial(address, options), alter),
    }),
    listener: alteredListener(listener, (connection) => altered(connection, alter)),
    dispose: async () => undefined,
  }
}

function closingPlace(): TransportPlace {
  const { transport, listener, dispose } = place(() => ({}))
  const accepted: Connection[] = []
  const noting = alteredListener(listener, (connection) => {
    accepted.push(connection)
    return connection
  })
  return {
    transport,
    listener: {
      ...noting,
      close: async () => {
        await noting.close()
        for (const connection of accepted) await connection.close()
      },
    },
    dispose,
  }
}

function forgetReason(transport: Transport): Transport {
  return {
    ...transport,
    dial: async (address, options) => {
      try {
        return await transport.dial(address, options)
      } catch (error) {
        throw options?.signal?.aborted === true ? new Error('aborted') : error
      }
    },
  }
}

// Opens although nobody waits any more, and leaves the connection open.
function keepLate(transport: Transport): Transport {
  return {
    ...transport,
    dial: (address, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason)
          return
        }
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
        transport
          .dial(address)
          .then((connection) => setTimeout(() => resolve(connection), 5), reject)
      }),
  }
}

function alteredListener(
  listener: Listener,
  alter: (connection: Connection) => Connection,
): Listener {
  return {
    addresses: listener.addresses,
    close: () => listener.close(),
    async *[Symbol.asyncIterator]() {
      for await (const connection of listener) yield alter(connection)
    },
  }
}

function altered(connection: Connection, alter: Alter): Connection {
  return {
    direction: connection.direction,
    remoteAddress: connection.remoteAddress,
    principal: connection.principal,
    closed: connection.closed,
    send: (message) => connection.send(message),
    drained: (options) => connection.drained(options),
    close: () => connection.close(),
    abort: (reason) => connection.abort(reason),
    [Symbol.asyncIterator]: () => connection[Symbol.asyncIterator](),
    ...alter(connection),
  }
}
