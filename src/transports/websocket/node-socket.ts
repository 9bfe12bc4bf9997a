import type { WebSocket } from 'ws'
import { ConnectionClosedError, ProtocolError, type TidewayError } from '../../core/errors.ts'
import { CLOSE_CODES } from './close-codes.ts'
import {
  SocketConnection,
  type SocketEndpoint,
  type SocketFace,
  type SocketLimits,
} from './connection.ts'

const PING_MS = 15_000
const PONG_MS = 10_000
const SEND_OPTIONS = { binary: true, compress: false }
const TOO_LONG: readonly string[] = [
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
]

/** How a silent peer is found out. */
export interface KeepAliveOptions {
  /** Time after which a peer that was not heard of is pinged. 0 pings never. Default: 15 s. */
  readonly pingMs?: number | undefined
  /** How long the answer may take. Default: 10 s. */
  readonly pongMs?: number | undefined
}

/** Makes a Connection of an open socket of `ws`. From here on the connection owns it. */
export function nodeConnection(
  socket: WebSocket,
  endpoint: SocketEndpoint,
  limits: SocketLimits,
  keepAlive: KeepAliveOptions,
): SocketConnection {
  const beat = new RestingBeat(socket, keepAlive)
  const connection = new SocketConnection(new NodeSocketFace(socket, beat), endpoint, limits)
  socket.on('message', (bytes, isBinary) => {
    if (isBinary) connection.handleMessage(plainBytes(bytes as Buffer))
    else connection.handleText()
  })
  socket.on('error', (error) => {
    connection.handleFailure(CLOSE_CODES.aborted, connectionErrorOf(error, limits))
  })
  socket.on('close', (code, reason) => connection.handleEnd(code, reason.toString()))
  keepAwake(socket, connection, keepAlive)
  connection.closed.then(() => beat.stop(), nothing)
  return connection
}

/** A socket of `ws` as a connection sees it. One object a connection, as there may be very many. */
class NodeSocketFace implements SocketFace {
  readonly #socket: WebSocket
  readonly #beat: RestingBeat
  #onFallen: (() => void) | undefined
  readonly #onWritten = (): void => {
    const call = this.#onFallen
    this.#onFallen = undefined
    call?.()
  }

  constructor(socket: WebSocket, beat: RestingBeat) {
    this.#socket = socket
    this.#beat = beat
  }

  get queuedBytes(): number {
    return this.#socket.bufferedAmount
  }

  send(message: Uint8Array): void {
    this.#socket.send(message, SEND_OPTIONS, this.#onWritten)
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  terminate(code: number, reason: string): void {
    // With nothing queued the close frame leaves at once and tells the peer why.
    if (this.#socket.bufferedAmount === 0) this.#socket.close(code, reason)
    this.#socket.terminate()
  }

  pause(): void {
    this.#socket.pause()
    this.#beat.start()
  }

  resume(): void {
    this.#beat.stop()
    this.#socket.resume()
  }

  watchQueue(callback: () => void): void {
    this.#onFallen = callback
  }
}

/**
 * Tells the peer that we live while our reader rests.
 *
 * A socket that is not read answers no ping either, and the peer would take a slow reader for a dead
 * one. A pong that nobody asked for is allowed (RFC 6455, section 5.5.3) and counts as an answer.
 */
class RestingBeat {
  readonly #socket: WebSocket
  readonly #beatMs: number
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(socket: WebSocket, { pingMs = PING_MS, pongMs = PONG_MS }: KeepAliveOptions) {
    this.#socket = socket
    // At least two in the time that a peer with the same options waits for its answer.
    this.#beatMs = Math.max(1, Math.min(pingMs > 0 ? pingMs : PING_MS, pongMs) / 2)
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#socket.pong(undefined, undefined, nothing)
    }, this.#beatMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function nothing(): undefined {
  return undefined
}

function keepAwake(
  socket: WebSocket,
  connection: SocketConnection,
  { pingMs = PING_MS, pongMs = PONG_MS }: KeepAliveOptions,
): void {
  if (pingMs <= 0) return
  let pongTimer: ReturnType<typeof setTimeout> | undefined
  const onAnswer = () => {
    clearTimeout(pongTimer)
    pongTimer = undefined
  }
  // Who was heard of since need not be asked: on a metered link questions are most of what passes.
  let isHeard = false
  const onHeard = () => {
    isHeard = true
  }
  const pingTimer = setInterval(() => {
    const wasHeard = isHeard
    isHeard = false
    if (wasHeard) return
    // While we do not read, no answer can come in.
    if (connection.isPaused || connection.isEnded || pongTimer !== undefined) return
    socket.ping(undefined, undefined, nothing)
    pongTimer = setTimeout(() => {
      pongTimer = undefined
      if (connection.isPaused) return
      connection.handleFailure(
        CLOSE_CODES.timeout,
        new ConnectionClosedError('the peer did not answer a keep-alive', { fields: { pongMs } }),
      )
    }, pongMs)
  }, pingMs)
  socket.on('pong', onAnswer)
  socket.on('message', onAnswer)
  socket.on('message', onHeard)
  socket.on('ping', onHeard)
  connection.closed.then(() => {
    clearInterval(pingTimer)
    clearTimeout(pongTimer)
  }, nothing)
}

function connectionErrorOf(error: Error, limits: SocketLimits): TidewayError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (TOO_LONG.includes(code)) {
    return new ProtocolError('PROTOCOL_LIMIT_EXCEEDED', 'the peer sent a message past the limit', {
      bytesMax: limits.messageBytesMax,
    })
  }
  if (code.startsWith('WS_ERR_')) {
    return new ProtocolError('PROTOCOL_REMOTE', 'the peer broke the WebSocket protocol', { code })
  }
  return new ConnectionClosedError('the connection broke', { fields: { code }, cause: error })
}

// A small message is a slice of a large network read: kept as it is, it would keep all of that alive.
function plainBytes(bytes: Buffer): Uint8Array {
  if (bytes.length * 2 < bytes.buffer.byteLength) return new Uint8Array(bytes)
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
