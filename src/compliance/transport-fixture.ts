import type {
  Connection,
  Listener,
  Transport,
  TransportFeatures,
} from '../core/interfaces/transport.ts'
import { check, type DeadlineMs, patternBytes, within } from './check.ts'

/** A transport and a listener that it can reach, with nothing connected yet. */
export interface TransportPlace {
  readonly transport: Transport
  readonly listener: Listener
  /** Where `listener` is reached. Default: the first of its addresses. */
  readonly address?: string | undefined
  /** Removes everything. Called last. */
  dispose(): Promise<void>
}

/** Both ends of one connection. */
export interface Pair {
  readonly dialed: Connection
  readonly accepted: Connection
}

/** What one check works with. */
export interface TransportContext {
  readonly transport: Transport
  readonly listener: Listener
  readonly address: string
  readonly deadlineMs: DeadlineMs
  /** Dials and accepts. */
  connect(): Promise<Pair>
  /** The next connection that the listener accepts, or undefined when it has closed. */
  accept(): Promise<Connection | undefined>
}

/** One promise of the transport interfaces and how it is checked. */
export interface TransportCheck {
  /** A sentence of the interfaces' comments. */
  readonly name: string
  /** Whether the promise applies. Default: always. */
  readonly when?: (supports: TransportFeatures) => boolean
  run(context: TransportContext): Promise<void>
}

/** Runs a check twice, each time on a new connection: from the dialler's side and from the other. */
export async function fromBothSides(
  context: TransportContext,
  run: (near: Connection, far: Connection) => Promise<void>,
): Promise<void> {
  const first = await context.connect()
  await run(first.dialed, first.accepted)
  const second = await context.connect()
  await run(second.accepted, second.dialed)
}

/** What one reader has seen. */
export interface Transcript {
  readonly messages: readonly Uint8Array[]
  /** What the iteration threw, if it did. */
  readonly error: unknown
}

/** Reads a connection to its end. */
export async function readToEnd(connection: Connection): Promise<Transcript> {
  const messages: Uint8Array[] = []
  try {
    for await (const message of connection) messages.push(message)
    return { messages, error: undefined }
  } catch (error) {
    return { messages, error }
  }
}

/** Reads until `count` messages have come. */
export async function readSome(
  iterator: AsyncIterator<Uint8Array>,
  count: number,
  deadlineMs: DeadlineMs,
): Promise<readonly Uint8Array[]> {
  const messages: Uint8Array[] = []
  while (messages.length < count) {
    const next = await within(iterator.next(), deadlineMs, `message ${messages.length + 1}`)
    check(next.done !== true, 'the iteration ended before every message had come')
    messages.push(next.value)
  }
  return messages
}

const BURST_MESSAGES_MAX = 1_000
const BURST_MESSAGE_BYTES = 64 * 1_024

/** Sends in one turn until `send` returns false. @returns how many were sent. */
export function burst(connection: Connection): number {
  for (let sent = 1; sent <= BURST_MESSAGES_MAX; sent++) {
    if (!connection.send(burstMessage(sent - 1))) return sent
  }
  check(false, 'send never returned false: there is no high-water mark')
}

/** The message that {@link burst} sends as number `index`, from 0. */
export function burstMessage(index: number): Uint8Array {
  const message = new Uint8Array(BURST_MESSAGE_BYTES)
  message.set(patternBytes(index, 64))
  return message
}

/** @throws ComplianceError unless `messages` is what {@link burst} sent. */
export function checkBurst(messages: readonly Uint8Array[], count: number): void {
  check(messages.length === count, `of ${count} messages ${messages.length} arrived`)
  for (const [index, message] of messages.entries()) {
    const start = patternBytes(index, 64)
    const isSame =
      message.length === BURST_MESSAGE_BYTES && start.every((byte, at) => byte === message[at])
    check(isSame, 'a message arrived changed or out of order')
  }
}
