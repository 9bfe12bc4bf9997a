import { CLOSE_CODES } from './close-codes.ts'
import type { SocketFace } from './connection.ts'

/** What is used of a WebSocket: that of browsers fits, and so do those of Node 22 and of `ws`. */
export interface StandardWebSocket {
  binaryType: string
  readonly bufferedAmount: number
  onopen: unknown
  onmessage: unknown
  onclose: unknown
  onerror: unknown
  /** Queues one binary message (WHATWG WebSockets, `send`). */
  send(message: Uint8Array): void
  /** Starts the closing handshake (WHATWG WebSockets, `close`). */
  close(code?: number, reason?: string): void
}

/** How much the socket itself is given at a time. What it holds cannot be taken back. */
const HANDED_BYTES_MAX = 128 * 1_024
/** How often the socket's own queue is looked at while something waits: it has no event for that. */
const POLL_MS = 4

/**
 * A standard WebSocket with a queue in front.
 *
 * The standard can neither drop what it was given nor tell when it is sent. So it is given little at
 * a time, and an abort drops the rest.
 */
export class StandardSocketFace implements SocketFace {
  readonly #socket: StandardWebSocket
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #closing: { readonly code: number; readonly reason: string } | undefined
  #onFallen: (() => void) | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(socket: StandardWebSocket) {
    this.#socket = socket
  }

  get queuedBytes(): number {
    return this.#queuedBytes + this.#socket.bufferedAmount
  }

  send(message: Uint8Array): void {
    this.#queue.push(message)
    this.#queuedBytes += message.length
    this.#feed()
  }

  close(code: number, reason: string): void {
    this.#closing = { code, reason }
    this.#feed()
  }

  terminate(code: number, reason: string): void {
    this.stop()
    this.#socket.close(permitted(code), reason)
  }

  watchQueue(onFallen: () => void): void {
    this.#onFallen = onFallen
    this.#poll()
  }

  /**
   * Looks whether more may be handed over, and tells who watches the queue.
   *
   * To be called when something has come from the peer, often an answer to what was sent: the timers
   * of a page in the background fire once a second or once a minute.
   */
  look(): void {
    this.#feed()
    const onFallen = this.#onFallen
    this.#onFallen = undefined
    onFallen?.()
  }

  /** Drops what waits and lets go of the timer: the socket has ended. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#queue = []
    this.#queuedBytes = 0
    this.#closing = undefined
    this.#onFallen = undefined
  }

  #feed(): void {
    while (this.#queue.length > 0 && this.#socket.bufferedAmount < HANDED_BYTES_MAX) {
      const message = this.#queue.shift()
      if (message === undefined) break
      this.#queuedBytes -= message.length
      this.#socket.send(message)
    }
    if (this.#queue.length > 0) {
      this.#poll()
    } else if (this.#closing !== undefined) {
      const { code, reason } = this.#closing
      this.#closing = undefined
      this.#socket.close(permitted(code), reason)
    }
  }

  #poll(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.look()
    }, POLL_MS)
  }
}

// The standard refuses every code but 1000 and those from 3000: close() would throw.
function permitted(code: number): number {
  return code === CLOSE_CODES.normal || code >= 3_000 ? code : CLOSE_CODES.aborted
}
