import {
  ConnectionClosedError,
  MessageTooLargeError,
  type TidewayError,
} from '../../core/errors.ts'
import type { AbortOptions } from '../../core/interfaces/abort.ts'
import type { CloseReason, Connection } from '../../core/interfaces/transport.ts'
import { DrainGate } from '../drain-gate.ts'
import { Inbox } from '../inbox.ts'

/** What a message counts beside its bytes, so that empty messages are bounded too. */
const MESSAGE_OVERHEAD_BYTES = 64

/** The bounds of a connection, and how its deliveries get their turn. */
export interface MemoryConnectionLimits {
  readonly messageBytesMax: number
  /** Above this many waiting bytes `send` returns false. */
  readonly queuedBytesMax: number
  /** A reader that has this many bytes unread gets no more until it reads. */
  readonly inboxBytesMax: number
  readonly schedule: (deliver: () => void) => void
}

/** How one end of a pair is seen by the other. */
export interface MemoryEndpoint {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
}

/** Two connections, each the other's peer: what the first sends, the second yields. */
export function connectionPair(
  limits: MemoryConnectionLimits,
  first: MemoryEndpoint,
  second: MemoryEndpoint,
): readonly [Connection, Connection] {
  const a = new MemoryConnection(limits, first)
  const b = new MemoryConnection(limits, second)
  a.join(b)
  b.join(a)
  return [a, b]
}

/**
 * One end of a pair.
 *
 * A message waits in the sender's queue until a scheduled turn moves it to the reader's inbox; each
 * turn moves the oldest one, so no scheduler can change their order. States: open, closing (the queue
 * is sent first), ended.
 */
class MemoryConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
  readonly closed: Promise<CloseReason>
  readonly #limits: MemoryConnectionLimits
  readonly #gate = new DrainGate()
  readonly #inbox: Inbox<Uint8Array>
  #resolveClosed: (reason: CloseReason) => void = () => undefined
  #peer: MemoryConnection | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #isTurnDue = false
  #closing: Promise<void> | undefined
  #isEnded = false

  constructor(limits: MemoryConnectionLimits, endpoint: MemoryEndpoint) {
    this.direction = endpoint.direction
    this.remoteAddress = endpoint.remoteAddress
    this.principal = endpoint.principal
    this.#limits = limits
    this.#inbox = new Inbox(sizeOf, { onTaken: () => this.#peer?.scheduleTurn() })
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  join(peer: MemoryConnection): void {
    this.#peer = peer
  }

  send(message: Uint8Array): boolean {
    if (this.#isEnded || this.#closing !== undefined) throw new ConnectionClosedError()
    const { messageBytesMax } = this.#limits
    if (message.length > messageBytesMax) {
      throw new MessageTooLargeError(message.length, messageBytesMax)
    }
    this.#queue.push(message)
    this.#queuedBytes += sizeOf(message)
    this.scheduleTurn()
    return !this.#isFull
  }

  drained(options: AbortOptions = {}): Promise<void> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason)
    if (this.#closing !== undefined) return Promise.reject(new ConnectionClosedError())
    if (!this.#isEnded && !this.#isFull) return Promise.resolve()
    return this.#gate.wait(options)
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.closed.then(() => undefined)
      this.#gate.end(new ConnectionClosedError())
      this.scheduleTurn()
    }
    return this.#closing
  }

  abort(reason: TidewayError): void {
    if (this.#isEnded) return
    this.#end({ type: 'failed', error: reason })
    const peer = this.#peer
    this.#limits.schedule(() => peer?.peerFailed(reason))
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.#inbox.read()
  }

  /** Has the oldest message delivered soon; also called by the peer when its inbox has room again. */
  scheduleTurn(): void {
    if (this.#isTurnDue || this.#isEnded) return
    this.#isTurnDue = true
    this.#limits.schedule(() => {
      this.#isTurnDue = false
      this.#takeTurn()
    })
  }

  /** The peer closed in good order, after everything it had queued. */
  peerClosed(): void {
    this.#end(this.#closing === undefined ? { type: 'remote', reason: '' } : { type: 'local' })
  }

  /** The peer aborted. */
  peerFailed(cause: TidewayError): void {
    const error = new ConnectionClosedError('the peer aborted the connection', { cause })
    this.#end({ type: 'failed', error })
  }

  get #isFull(): boolean {
    return this.#queuedBytes > this.#limits.queuedBytesMax
  }

  #takeTurn(): void {
    const peer = this.#peer
    if (this.#isEnded || peer === undefined) return
    const message = this.#queue[0]
    if (message === undefined) {
      if (this.#closing === undefined) return
      this.#end({ type: 'local' })
      peer.peerClosed()
      return
    }
    // The peer's reader is slow: its inbox calls for the next turn.
    if (peer.#inbox.bytes >= this.#limits.inboxBytesMax) return
    this.#queue.shift()
    this.#queuedBytes -= sizeOf(message)
    peer.#inbox.push(message)
    if (!this.#isFull) this.#gate.open()
    if (this.#queue.length > 0 || this.#closing !== undefined) this.scheduleTurn()
  }

  #end(reason: CloseReason): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#queue = []
    this.#queuedBytes = 0
    const error = reason.type === 'failed' ? reason.error : undefined
    this.#inbox.end(error)
    this.#gate.end(error ?? new ConnectionClosedError())
    this.#resolveClosed(reason)
  }
}

function sizeOf(message: Uint8Array): number {
  return message.length + MESSAGE_OVERHEAD_BYTES
}
