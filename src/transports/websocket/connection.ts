import {
  BufferOverflowError,
  ConnectionClosedError,
  MessageTooLargeError,
  ProtocolError,
  type TidewayError,
} from '../../core/errors.ts'
import type { AbortOptions } from '../../core/interfaces/abort.ts'
import type { CloseReason, Connection } from '../../core/interfaces/transport.ts'
import { DrainGate } from '../drain-gate.ts'
import { Inbox } from '../inbox.ts'
import { CLOSE_CODES, closeReasonText, isGoodOrder } from './close-codes.ts'

/** What a message counts beside its bytes, so that empty messages are bounded too. */
const MESSAGE_OVERHEAD_BYTES = 64

/** The bounds of one connection. */
export interface SocketLimits {
  /** The largest message, either way. */
  readonly messageBytesMax: number
  /** Above this many waiting bytes `send` returns false. */
  readonly queuedBytesMax: number
  /** The reader's buffer. When it is full the peer is held back or, where that cannot be, the connection fails. */
  readonly inboxBytesMax: number
  /** How long the peer may take to answer a close before the socket is ended anyway, in ms. */
  readonly closeMs: number
}

/** What a connection asks of a WebSocket, of whichever kind. */
export interface SocketFace {
  /** Bytes handed to {@link send} and not yet to the network. */
  readonly queuedBytes: number
  send(message: Uint8Array): void
  /** Sends a close frame after what is queued. */
  close(code: number, reason: string): void
  /** Ends the socket now, with a close frame if that costs no wait. */
  terminate(code: number, reason: string): void
  /** Stops reading from the network. Absent where the platform cannot. */
  readonly pause?: (() => void) | undefined
  readonly resume?: (() => void) | undefined
  /** Watches `queuedBytes` and calls back when it may have fallen: while somebody waits for that. */
  watchQueue(onFallen: () => void): void
}

/** Who is at the other end. */
export interface SocketEndpoint {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
}

/**
 * One WebSocket as a Connection.
 *
 * Whoever owns the socket reports what happens to it: {@link handleMessage}, {@link handleText},
 * {@link handleEnd}, {@link handleFailure}.
 */
export class SocketConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress: string
  readonly principal: string | undefined
  readonly closed: Promise<CloseReason>
  readonly #socket: SocketFace
  readonly #limits: SocketLimits
  readonly #gate = new DrainGate()
  readonly #inbox: Inbox<Uint8Array>
  #resolveClosed: (reason: CloseReason) => void = () => undefined
  #isPaused = false
  #isEnded = false
  #hasDropped = false
  #closing: Promise<void> | undefined
  #closeTimer: ReturnType<typeof setTimeout> | undefined

  constructor(socket: SocketFace, endpoint: SocketEndpoint, limits: SocketLimits) {
    this.direction = endpoint.direction
    this.remoteAddress = endpoint.remoteAddress
    this.principal = endpoint.principal
    this.#socket = socket
    this.#limits = limits
    this.#inbox = new Inbox(sizeOf, { onTaken: () => this.#resumeIfRoom() })
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  /** Whether reading is stopped because the reader is slow: then no answer can be expected either. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  send(message: Uint8Array): boolean {
    if (this.#isEnded || this.#closing !== undefined) throw new ConnectionClosedError()
    const { messageBytesMax } = this.#limits
    if (message.length > messageBytesMax) {
      throw new MessageTooLargeError(message.length, messageBytesMax)
    }
    this.#socket.send(message)
    return !this.#isFull
  }

  drained(options: AbortOptions = {}): Promise<void> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason)
    if (this.#closing !== undefined) return Promise.reject(new ConnectionClosedError())
    if (!this.#isEnded && !this.#isFull) return Promise.resolve()
    const waiting = this.#gate.wait(options)
    if (!this.#isEnded) this.#watchQueue()
    return waiting
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.closed.then(() => undefined)
      if (!this.#isEnded) this.#startClose()
    }
    return this.#closing
  }

  abort(reason: TidewayError): void {
    if (this.#isEnded) return
    this.#terminate(CLOSE_CODES.aborted, reason)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.#inbox.read()
  }

  /** A whole binary message arrived. */
  handleMessage(message: Uint8Array): void {
    if (this.#isEnded || this.#hasDropped) return
    const { messageBytesMax, inboxBytesMax } = this.#limits
    if (message.length > messageBytesMax) {
      this.#terminate(
        CLOSE_CODES.tooLarge,
        new ProtocolError('PROTOCOL_LIMIT_EXCEEDED', 'the peer sent a message past the limit', {
          bytes: message.length,
          bytesMax: messageBytesMax,
        }),
      )
      return
    }
    if (this.#inbox.bytes < inboxBytesMax) this.#inbox.push(message)
    else this.#handleOverflow(message)
    if (this.#inbox.bytes >= inboxBytesMax && this.#closing === undefined) this.#pause()
  }

  /** A text message arrived: nobody who speaks our protocol sends one. */
  handleText(): void {
    if (this.#isEnded) return
    const error = new ProtocolError('PROTOCOL_REMOTE', 'the peer sent a text message')
    this.#terminate(CLOSE_CODES.unsupported, error)
  }

  /** The socket has closed, with what the peer's close frame said (1006 when there was none). */
  handleEnd(code: number, reason: string): void {
    if (this.#isEnded) return
    if (isGoodOrder(code)) {
      this.#end(this.#closing === undefined ? { type: 'remote', reason } : { type: 'local' })
      return
    }
    const message =
      code === CLOSE_CODES.abnormal
        ? 'the connection broke'
        : 'the peer closed the connection because of an error'
    this.#end({
      type: 'failed',
      error: new ConnectionClosedError(message, { fields: { code, reason } }),
    })
  }

  /** The socket cannot go on: it is ended, and the connection has failed with `error`. */
  handleFailure(code: number, error: TidewayError): void {
    if (!this.#isEnded) this.#terminate(code, error)
  }

  get #isFull(): boolean {
    return this.#socket.queuedBytes > this.#limits.queuedBytesMax
  }

  #watchQueue(): void {
    this.#socket.watchQueue(() => {
      if (this.#isEnded) return
      if (!this.#isFull) this.#gate.open()
      else if (this.#gate.isAwaited) this.#watchQueue()
    })
  }

  #startClose(): void {
    this.#gate.end(new ConnectionClosedError())
    // The peer's answer comes after what it still has to say, so reading must go on.
    this.#resume()
    this.#closeTimer = setTimeout(() => {
      this.#terminate(
        CLOSE_CODES.timeout,
        new ConnectionClosedError('the peer did not answer the close in time', {
          fields: { closeMs: this.#limits.closeMs },
        }),
      )
    }, this.#limits.closeMs)
    this.#socket.close(CLOSE_CODES.normal, '')
  }

  #handleOverflow(message: Uint8Array): void {
    if (this.#closing !== undefined) {
      // We are leaving and said so. What does not fit is dropped, and so is all that follows it.
      this.#hasDropped = true
    } else if (this.#socket.pause === undefined) {
      const error = new BufferOverflowError(this.#limits.inboxBytesMax)
      this.#terminate(CLOSE_CODES.overflow, error)
    } else {
      // Paused already: one network read can hold several messages, and those still come.
      this.#inbox.push(message)
    }
  }

  #pause(): void {
    if (this.#isPaused || this.#socket.pause === undefined) return
    this.#isPaused = true
    this.#socket.pause()
  }

  #resumeIfRoom(): void {
    if (this.#inbox.bytes < this.#limits.inboxBytesMax) this.#resume()
  }

  #resume(): void {
    if (!this.#isPaused || this.#isEnded) return
    this.#isPaused = false
    this.#socket.resume?.()
  }

  #terminate(code: number, error: TidewayError): void {
    this.#end({ type: 'failed', error })
    this.#socket.terminate(code, closeReasonText(error.message))
  }

  #end(reason: CloseReason): void {
    this.#isEnded = true
    clearTimeout(this.#closeTimer)
    const error = reason.type === 'failed' ? reason.error : undefined
    this.#inbox.end(error)
    this.#gate.end(error ?? new ConnectionClosedError())
    this.#resolveClosed(reason)
  }
}

function sizeOf(message: Uint8Array): number {
  return message.length + MESSAGE_OVERHEAD_BYTES
}
