import { ConnectionClosedError } from '../core/errors.ts'
import {
  check,
  checkCode,
  checkEqual,
  isSettled,
  patternBytes,
  rejectionOf,
  thrownBy,
  within,
} from './check.ts'
import {
  burst,
  burstMessage,
  checkBurst,
  fromBothSides,
  readSome,
  readToEnd,
  type TransportCheck,
} from './transport-fixture.ts'

const SIZES: readonly number[] = [0, 1, 2, 125, 126, 127, 1_000, 65_535, 65_536, 300_000]
const HUGE_BYTES = 64 * 1_024 * 1_024

/** What sending and reading promise. */
export const messageChecks: readonly TransportCheck[] = [
  {
    name: 'messages arrive whole and in the order of the calls',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const sent = Array.from({ length: 200 }, (_, index) =>
          patternBytes(index, SIZES[index % SIZES.length] ?? 0),
        )
        const reading = readSome(far[Symbol.asyncIterator](), sent.length, context.deadlineMs)
        for (const message of sent) {
          const copy = message.slice()
          if (!near.send(copy)) await within(near.drained(), context.deadlineMs, 'drained')
        }
        const found = await reading
        for (const [index, message] of sent.entries()) {
          const same = found[index]
          check(same?.length === message.length, `message ${index} has another length`)
          check(
            same.every((byte, at) => byte === message[at]),
            `message ${index} has another content`,
          )
        }
      }),
  },
  {
    name: 'messages travel in both directions at once',
    async run(context) {
      const { dialed, accepted } = await context.connect()
      const count = 100
      for (let index = 0; index < count; index++) {
        dialed.send(patternBytes(index, 20))
        accepted.send(patternBytes(index + count, 30))
      }
      const { deadlineMs } = context
      const [there, back] = await Promise.all([
        readSome(accepted[Symbol.asyncIterator](), count, deadlineMs),
        readSome(dialed[Symbol.asyncIterator](), count, deadlineMs),
      ])
      checkEqual(there[count - 1], patternBytes(count - 1, 20), 'the last message there')
      checkEqual(back[count - 1], patternBytes(2 * count - 1, 30), 'the last message back')
    },
  },
  {
    name: 'connections to one listener do not mix',
    async run(context) {
      const pairs = []
      for (let index = 0; index < 8; index++) pairs.push(await context.connect())
      for (const [index, { dialed }] of pairs.entries()) dialed.send(Uint8Array.of(index))
      for (const [index, { accepted }] of pairs.entries()) {
        const found = await readSome(accepted[Symbol.asyncIterator](), 1, context.deadlineMs)
        checkEqual(found, [Uint8Array.of(index)], 'the message')
      }
    },
  },
  {
    name: 'a message of messageBytesMax is sent, and a larger one throws MessageTooLargeError',
    when: ({ messageBytesMax }) => messageBytesMax <= HUGE_BYTES,
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const { messageBytesMax } = context.transport.supports
        const tooLarge = new Uint8Array(messageBytesMax + 1)
        const error = thrownBy(() => near.send(tooLarge), 'sending past messageBytesMax')
        checkCode(error, 'TRANSPORT_MESSAGE_TOO_LARGE', 'sending past messageBytesMax')
        near.send(new Uint8Array(messageBytesMax))
        near.send(Uint8Array.of(1))
        const found = await readSome(far[Symbol.asyncIterator](), 2, context.deadlineMs)
        checkEqual(
          found.map(({ length }) => length),
          [messageBytesMax, 1],
          'the lengths of what arrived',
        )
      }),
  },
  {
    name: 'send returns false past the high-water mark, and drained resolves when it may go on',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        await within(near.drained(), context.deadlineMs, 'drained with nothing queued')
        const count = burst(near)
        const drained = near.drained()
        const reading = readSome(far[Symbol.asyncIterator](), count, context.deadlineMs)
        await within(drained, context.deadlineMs, 'drained while the peer reads')
        checkBurst(await reading, count)
        check(near.send(Uint8Array.of(1)), 'send returned false with nothing queued')
      }),
  },
  {
    name: 'a slow reader stops its peer',
    when: ({ readBackpressure }) => readBackpressure,
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        let sent = 0
        let isStopped = false
        while (!isStopped) {
          check(sent < 4_000, 'the peer took more than 250 MiB that nobody read')
          if (near.send(burstMessage(sent++))) continue
          isStopped = !(await isSettled(near.drained(), 300))
        }
        const iterator = far[Symbol.asyncIterator]()
        checkBurst(await readSome(iterator, sent, context.deadlineMs), sent)
        await within(near.drained(), context.deadlineMs, 'drained after everything was read')
      }),
  },
  {
    name: 'a reader that falls behind where its peer cannot be stopped fails the connection',
    when: ({ readBackpressure }) => !readBackpressure,
    async run(context) {
      const { dialed, accepted } = await context.connect()
      let sent = 0
      let isOpen = true
      accepted.closed.then(
        () => {
          isOpen = false
        },
        () => undefined,
      )
      while (isOpen) {
        check(sent < 4_000, 'the reader buffered more than 250 MiB')
        try {
          if (accepted.send(burstMessage(sent++))) continue
        } catch (error) {
          // The peer has left, and `closed` is about to say so.
          checkCode(error, 'TRANSPORT_CLOSED', 'sending to a peer that left')
          break
        }
        await accepted.drained().catch(() => undefined)
      }
      const { messages, error } = await readToEnd(dialed)
      check(messages.length > 0, 'what had arrived is yielded first')
      checkBurst(messages, messages.length)
      checkCode(error, 'TRANSPORT_BUFFER_OVERFLOW', 'what the iteration throws')
    },
  },
  {
    name: 'drained rejects when the connection ends first',
    run: async (context) => {
      await fromBothSides(context, async (near) => {
        burst(near)
        const reason = failure()
        const drained = near.drained()
        near.abort(reason)
        const error = await rejectionOf(drained, context.deadlineMs, 'drained after abort')
        check(error === reason, 'drained rejects with the reason of the abort')
        await rejectionOf(near.drained(), context.deadlineMs, 'drained of an ended connection')
      })
      await fromBothSides(context, async (near, far) => {
        burst(near)
        const drained = near.drained()
        const closing = near.close()
        const error = await rejectionOf(drained, context.deadlineMs, 'drained after close')
        checkCode(error, 'TRANSPORT_CLOSED', 'drained after close')
        far.abort(failure())
        await within(closing, context.deadlineMs, 'close while the peer aborts')
      })
      await fromBothSides(context, async (near, far) => {
        burst(near)
        const drained = near.drained().catch(() => undefined)
        far.abort(failure())
        await within(drained, context.deadlineMs, 'drained after the peer aborted')
      })
    },
  },
  {
    name: 'drained rejects with the reason of its signal',
    run: (context) =>
      fromBothSides(context, async (near) => {
        burst(near)
        const reason = { why: 'the test says so' }
        const controller = new AbortController()
        const drained = near.drained({ signal: controller.signal })
        controller.abort(reason)
        const error = await rejectionOf(drained, context.deadlineMs, 'drained after its abort')
        check(error === reason, 'drained rejects with the very reason')
        const again = near.drained({ signal: controller.signal })
        const second = await rejectionOf(again, context.deadlineMs, 'drained, aborted before')
        check(second === reason, 'drained rejects with the very reason')
      }),
  },
]

function failure(): ConnectionClosedError {
  return new ConnectionClosedError('the test aborts')
}
