import { check, checkCode, checkEqual, rejectionOf, within } from './check.ts'
import { fromBothSides, readSome, type TransportCheck } from './transport-fixture.ts'

/** What dialling and listening promise. */
export const openingChecks: readonly TransportCheck[] = [
  {
    name: 'one side dials and the other accepts',
    async run(context) {
      const { dialed, accepted } = await context.connect()
      checkEqual([dialed.direction, accepted.direction], ['outbound', 'inbound'], 'the directions')
      check(dialed.remoteAddress.length > 0, 'the dialled side knows a remote address')
      check(accepted.remoteAddress.length > 0, 'the accepted side knows a remote address')
      check(context.listener.addresses.length > 0, 'a listener knows where it can be dialled')
    },
  },
  {
    name: 'dial rejects with DialError when the peer cannot be reached',
    async run({ transport, listener, address, deadlineMs }) {
      await listener.close()
      const error = await rejectionOf(transport.dial(address), deadlineMs, 'a dial to nobody')
      checkCode(error, 'TRANSPORT_DIAL_FAILED', 'a dial to nobody')
    },
  },
  {
    name: 'dial rejects with the reason of its signal',
    async run({ transport, address, deadlineMs, connect }) {
      const reason = { why: 'the test says so' }
      const before = transport.dial(address, { signal: AbortSignal.abort(reason) })
      const first = await rejectionOf(before, deadlineMs, 'a dial aborted before')
      check(first === reason, 'dial rejects with the very reason')
      const controller = new AbortController()
      const dialing = transport.dial(address, { signal: controller.signal })
      controller.abort(reason)
      const second = await rejectionOf(dialing, deadlineMs, 'a dial aborted meanwhile')
      check(second === reason, 'dial rejects with the very reason')
      await connect()
    },
  },
  {
    name: 'a connection that opens after its dial was aborted is closed at once',
    async run({ transport, listener, address, deadlineMs, accept }) {
      for (let round = 0; round < 10; round++) {
        const controller = new AbortController()
        const dialing = transport.dial(address, { signal: controller.signal })
        for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setTimeout(resolve))
        controller.abort(new Error('the test gives up'))
        // Won by the dial: then the abort came too late to matter.
        await dialing.then((connection) => connection.close()).catch(() => undefined)
      }
      const closing = new Promise((resolve) => setTimeout(resolve, 100)).then(() =>
        listener.close(),
      )
      while (true) {
        const connection = await within(accept(), deadlineMs, 'the end of the listener')
        if (connection === undefined) break
        await within(connection.closed, deadlineMs, 'closed of a connection nobody wants')
      }
      await closing
    },
  },
  {
    name: 'an abort after the dial leaves the connection open',
    async run({ transport, address, deadlineMs, accept }) {
      const controller = new AbortController()
      const dialing = transport.dial(address, { signal: controller.signal })
      const dialed = await within(dialing, deadlineMs, 'the dial')
      const accepted = await within(accept(), deadlineMs, 'accepting')
      controller.abort(new Error('too late'))
      dialed.send(Uint8Array.of(9))
      check(accepted !== undefined, 'the listener accepts')
      const found = await readSome(accepted[Symbol.asyncIterator](), 1, deadlineMs)
      checkEqual(found, [Uint8Array.of(9)], 'the message')
    },
  },
  {
    name: 'closing a listener ends its iteration and leaves accepted connections open',
    async run(context) {
      const { listener, deadlineMs } = context
      const { dialed, accepted } = await context.connect()
      const ended = context.accept()
      await within(Promise.all([listener.close(), listener.close()]), deadlineMs, 'two closes')
      checkEqual(await within(ended, deadlineMs, 'the iteration'), undefined, 'the iteration')
      dialed.send(Uint8Array.of(1))
      accepted.send(Uint8Array.of(2))
      const there = await readSome(accepted[Symbol.asyncIterator](), 1, deadlineMs)
      const back = await readSome(dialed[Symbol.asyncIterator](), 1, deadlineMs)
      checkEqual([there, back], [[Uint8Array.of(1)], [Uint8Array.of(2)]], 'the messages')
    },
  },
  {
    name: 'a connection that has ended does not disturb the next',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        near.send(Uint8Array.of(1))
        await readSome(far[Symbol.asyncIterator](), 1, context.deadlineMs)
        await within(far.close(), context.deadlineMs, 'close')
        const next = await context.connect()
        next.dialed.send(Uint8Array.of(3))
        const found = await readSome(next.accepted[Symbol.asyncIterator](), 1, context.deadlineMs)
        checkEqual(found, [Uint8Array.of(3)], 'the message')
      }),
  },
]
