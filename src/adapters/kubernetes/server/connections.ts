import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { Patience } from './pieces.ts'
import { replyStatus, send } from './respond.ts'
import { StatusError, toStatus } from './status.ts'

/** How long clients may take, how many they may be, how much may wait for them. Times in milliseconds. */
export interface ConnectionLimits {
  /**
   * Connections at once. Past it those that are idle are closed, and who comes then is told to come back
   * (429); far past it connections are refused unheard.
   */
  readonly connectionsMax: number
  /** For a TLS handshake. */
  readonly handshakeMs: number
  /** For the headers of a request, and for the first byte of a connection. */
  readonly headersMs: number
  /** For a whole request, its body included. */
  readonly requestMs: number
  /** For the reader of an answer to take anything of what is written. Watches and logs may be left unread. */
  readonly stallMs: number
  /** Bytes of objects that changed, waiting for the reader of a watch. Past it the watch is cut. */
  readonly watchBytesMax: number
}

/** What holds for those that are not given. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  connectionsMax: 4_096,
  handshakeMs: 10_000,
  headersMs: 30_000,
  requestMs: 60_000,
  stallMs: 60_000,
  watchBytesMax: 64 * 1024 * 1024,
}

/** How many connections past the limit get an answer. */
const REFUSED_MAX = 64

/** How often connections are looked at that are late, at the most. */
const CHECK_MS_MAX = 5_000

/** How long who sent nonsense gets to read what is said of it. */
const LINGER_MS = 1_000

/** The options of an HTTPS server that keep to limits. */
export function timeoutsOf(limits: ConnectionLimits): {
  readonly handshakeTimeout: number
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly connectionsCheckingInterval: number
} {
  const { handshakeMs, headersMs, requestMs } = limits
  return {
    handshakeTimeout: handshakeMs,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(CHECK_MS_MAX, headersMs / 4, requestMs / 4),
  }
}

/** Gives requests to `serve`, as long as there are not too many connections. */
export function acceptConnections(
  server: Server,
  { connectionsMax, stallMs }: ConnectionLimits,
  clock: Clock,
  logger: Logger,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  const refused = new WeakSet<Duplex>()
  const responses = new WeakMap<Duplex, ServerResponse>()
  let open = 0
  server.maxConnections = connectionsMax + REFUSED_MAX
  server.on('connection', (socket: Socket) => {
    open += 1
    socket.once('close', () => {
      open -= 1
    })
    // Whoever waits on an idle connection opens another when it needs one.
    if (open > connectionsMax) server.closeIdleConnections()
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    if (open > connectionsMax) refused.add(socket)
  })
  server.on('request', (request, response) => {
    responses.set(request.socket, response)
    if (refused.has(request.socket)) void refuse(request, response, { clock, stallMs })
    else serve(request, response)
  })
  server.on('drop', () => {
    logger.debug('a connection was refused: there are too many', { connectionsMax })
  })
  server.on('tlsClientError', (error) => {
    logger.debug('a TLS handshake failed', { error: error.message })
  })
  server.on('clientError', (error: Error & { readonly code?: string }, socket) => {
    const response = responses.get(socket)
    const isAnswered = response?.headersSent === true && !response.writableFinished
    if (!socket.writable || isAnswered) {
      socket.destroy()
      return
    }
    socket.on('error', () => socket.destroy())
    socket.end(answerTo(error.code))
    const cancel = clock.schedule(LINGER_MS, () => socket.destroy())
    socket.once('close', cancel)
  })
}

async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  patience: Patience,
): Promise<void> {
  const why = 'too many connections are open, please try again later'
  const error = new StatusError('TooManyRequests', why, { retryAfterSeconds: 1 })
  response.setHeader('Connection', 'close')
  response.on('error', () => response.destroy())
  const reply = replyStatus(toStatus(error, () => undefined))
  await send(request, response, reply, patience).catch(() => response.destroy())
}

/** What is no request, or none in time, is answered with a Status too. */
function answerTo(code: string | undefined): string {
  const [status, text, message] =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, 'Request Timeout', 'the request was not complete in time']
      : code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'Request Header Fields Too Large', 'the headers of the request are too large']
        : [400, 'Bad Request', 'the request is no HTTP that could be understood']
  const reason = status === 408 ? 'Timeout' : 'BadRequest'
  const body = JSON.stringify({
    ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' },
    ...{ message, reason, code: status },
  })
  const lines = [
    `HTTP/1.1 ${status} ${text}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
