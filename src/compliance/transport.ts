import { ConnectionClosedError } from '../core/errors.ts'
import type { Connection } from '../core/interfaces/transport.ts'
import { check, type DeadlineMs, type TestFunction, within } from './check.ts'
import { endingChecks } from './transport-ending.ts'
import type { TransportCheck, TransportContext, TransportPlace } from './transport-fixture.ts'
import { messageChecks } from './transport-messages.ts'
import { openingChecks } from './transport-opening.ts'

/** Options of {@link transportSuite}. */
export interface TransportSuiteOptions {
  /** Registers one check with the test runner. */
  readonly test: TestFunction
  /** Makes a transport and a listener for it. Called once for each check. */
  readonly factory: () => TransportPlace | Promise<TransportPlace>
  /** How long one step may take before it counts as hanging. Default: 10 s. */
  readonly deadlineMs?: DeadlineMs | undefined
}

const CHECKS: readonly TransportCheck[] = [...openingChecks, ...messageChecks, ...endingChecks]

/**
 * Checks every promise of Transport, Connection and Listener against one implementation.
 *
 * A promise that the implementation does not make (`supports`) passes unchecked.
 */
export function transportSuite(options: TransportSuiteOptions): void {
  const deadlineMs = options.deadlineMs ?? 10_000
  for (const each of CHECKS) {
    options.test(each.name, async () => {
      const place = await options.factory()
      try {
        await runCheck(each, place, deadlineMs)
      } finally {
        await place.dispose()
      }
    })
  }
}

async function runCheck(
  { when, run }: TransportCheck,
  place: TransportPlace,
  deadlineMs: DeadlineMs,
): Promise<void> {
  const { transport, listener } = place
  if (when?.(transport.supports) === false) return
  const address = place.address ?? listener.addresses[0]
  check(address !== undefined, 'a listener knows where it can be dialled')
  const opened: Connection[] = []
  const iterator = listener[Symbol.asyncIterator]()
  const accept = async () => {
    const next = await iterator.next()
    if (next.done === true) return undefined
    opened.push(next.value)
    return next.value
  }
  const connect = async () => {
    const [dialed, accepted] = await within(
      Promise.all([transport.dial(address), accept()]),
      deadlineMs,
      'dialling and accepting',
    )
    opened.push(dialed)
    check(accepted !== undefined, 'the listener accepts')
    return { dialed, accepted }
  }
  const context: TransportContext = { transport, listener, address, deadlineMs, connect, accept }
  try {
    await run(context)
  } finally {
    const reason = new ConnectionClosedError('the check is over')
    for (const connection of opened) connection.abort(reason)
    await within(listener.close(), deadlineMs, 'closing the listener')
  }
}
