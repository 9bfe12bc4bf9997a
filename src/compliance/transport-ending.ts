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
  checkBurst,
  fromBothSides,
  readSome,
  readToEnd,
  type TransportCheck,
} from './transport-fixture.ts'

/** What close, abort and the peer's leaving promise. */
export const endingChecks: readonly TransportCheck[] = [
  {
    name: 'messages that arrived before the close are yielded first, then the iteration ends',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const sent = Array.from({ length: 50 }, (_, index) => patternBytes(index, 10))
        for (const message of sent) near.send(message.slice())
        const { deadlineMs } = context
        await within(near.close(), deadlineMs, 'close')
        checkEqual(await within(near.closed, deadlineMs, 'closed'), { type: 'local' }, 'closed')
        const reason = await within(far.closed, deadlineMs, 'closed at the other side')
        checkEqual(reason.type, 'remote', 'closed at the other side')
        const there = await within(readToEnd(far), deadlineMs, 'reading to the end')
        checkEqual(there, { messages: sent, error: undefined }, 'what the other side reads')
        const here = await within(readToEnd(near), deadlineMs, 'reading to the end')
        checkEqual(here, { messages: [], error: undefined }, 'what this side reads')
      }),
  },
  {
    name: 'close sends what is queued',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const count = burst(near)
        const closing = near.close()
        const { messages, error } = await within(readToEnd(far), context.deadlineMs, 'reading')
        checkBurst(messages, count)
        checkEqual(error, undefined, 'what the iteration throws')
        await within(closing, context.deadlineMs, 'close')
        checkEqual(await near.closed, { type: 'local' }, 'closed')
      }),
  },
  {
    name: 'a second close returns the same promise',
    run: (context) =>
      fromBothSides(context, async (near) => {
        const first = near.close()
        check(near.close() === first, 'close returned another promise')
        await within(first, context.deadlineMs, 'close')
        check(near.close() === first, 'close returned another promise after the end')
      }),
  },
  {
    name: 'send throws ConnectionClosedError once the connection is closing or has ended',
    async run(context) {
      await fromBothSides(context, async (near, far) => {
        const closing = near.close()
        checkCode(sendError(near), 'TRANSPORT_CLOSED', 'send after close')
        await within(closing, context.deadlineMs, 'close')
        checkCode(sendError(near), 'TRANSPORT_CLOSED', 'send after the end')
        await within(far.closed, context.deadlineMs, 'closed at the other side')
        checkCode(sendError(far), 'TRANSPORT_CLOSED', 'send after the peer left')
      })
      await fromBothSides(context, async (near) => {
        near.abort(failure())
        checkCode(sendError(near), 'TRANSPORT_CLOSED', 'send after abort')
      })
    },
  },
  {
    name: 'abort ends the connection now, and both iterations throw',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const reason = failure()
        const { deadlineMs } = context
        near.abort(reason)
        const here = await within(near.closed, deadlineMs, 'closed after abort')
        check(here.type === 'failed' && here.error === reason, 'closed tells the reason')
        const there = await within(far.closed, deadlineMs, 'closed at the other side')
        check(there.type === 'failed', 'the other side has failed as well')
        const nearRead = await within(readToEnd(near), deadlineMs, 'reading after abort')
        check(nearRead.error === reason, 'the iteration throws the reason')
        const farRead = await within(readToEnd(far), deadlineMs, 'reading at the other side')
        check(farRead.error === there.error, 'the iteration throws what closed tells')
      }),
  },
  {
    name: 'messages that arrived before an abort are yielded first',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const sent = [1, 2, 3].map((index) => patternBytes(index, 10))
        for (const message of sent) near.send(message.slice())
        // An empty exchange behind them: what was sent before it has arrived.
        far.send(Uint8Array.of(1))
        await readSome(near[Symbol.asyncIterator](), 1, context.deadlineMs)
        await new Promise((resolve) => setTimeout(resolve, 50))
        const reason = failure()
        far.abort(reason)
        const { messages, error } = await within(readToEnd(far), context.deadlineMs, 'reading')
        checkEqual(messages, sent, 'what is read after the abort')
        check(error === reason, 'the iteration throws the reason')
      }),
  },
  {
    name: 'abort drops what is queued',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const count = burst(near)
        near.abort(failure())
        const { messages } = await within(readToEnd(far), context.deadlineMs, 'reading')
        check(messages.length < count, 'every message arrived although the connection was aborted')
        checkBurst(messages, messages.length)
      }),
  },
  {
    name: 'abort never throws, whatever its reason says',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        near.abort(new ConnectionClosedError('ü🚢'.repeat(200)))
        near.abort(failure())
        const reason = await within(near.closed, context.deadlineMs, 'closed after abort')
        check(reason.type === 'failed', 'closed tells a failure')
        const there = await within(far.closed, context.deadlineMs, 'closed at the other side')
        check(there.type === 'failed', 'the other side has failed as well')
      }),
  },
  {
    name: 'abort is harmless after close and cuts a close short',
    async run(context) {
      const { deadlineMs } = context
      await fromBothSides(context, async (near) => {
        await within(near.close(), deadlineMs, 'close')
        near.abort(failure())
        checkEqual(await near.closed, { type: 'local' }, 'closed')
      })
      await fromBothSides(context, async (near, far) => {
        burst(near)
        const closing = near.close()
        near.abort(failure())
        await within(closing, deadlineMs, 'a close cut short')
        await within(readToEnd(far), deadlineMs, 'reading at the other side')
        await within(far.closed, deadlineMs, 'closed at the other side')
      })
    },
  },
  {
    name: 'both sides may close at once',
    async run(context) {
      const { dialed, accepted } = await context.connect()
      const { deadlineMs } = context
      await within(Promise.all([dialed.close(), accepted.close()]), deadlineMs, 'both closes')
      for (const connection of [dialed, accepted]) {
        check((await connection.closed).type !== 'failed', 'a close in good order is no failure')
      }
    },
  },
  {
    name: 'closed stays pending while the connection is open',
    run: (context) =>
      fromBothSides(context, async (near) => {
        check(!(await isSettled(near.closed)), 'closed resolved before the connection ended')
        near.abort(failure())
        const first = await within(near.closed, context.deadlineMs, 'closed')
        check((await near.closed) === first, 'closed resolved twice')
      }),
  },
  {
    name: 'a connection is read by one consumer, once',
    run: (context) =>
      fromBothSides(context, async (near, far) => {
        const iterator = near[Symbol.asyncIterator]()
        thrownBy(() => near[Symbol.asyncIterator](), 'a second consumer')
        far.send(Uint8Array.of(5))
        const found = await readSome(iterator, 1, context.deadlineMs)
        checkEqual(found, [Uint8Array.of(5)], 'what the first consumer reads')
        const waiting = iterator.next()
        const reason = failure()
        near.abort(reason)
        const error = await rejectionOf(waiting, context.deadlineMs, 'a read that waits')
        check(error === reason, 'a read that waits rejects with the reason')
      }),
  },
]

function failure(): ConnectionClosedError {
  return new ConnectionClosedError('the test aborts')
}

function sendError(connection: { send(message: Uint8Array): boolean }): unknown {
  return thrownBy(() => connection.send(Uint8Array.of(1)), 'send')
}
