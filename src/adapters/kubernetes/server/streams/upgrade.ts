import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { badRequest, StatusError } from '../status.ts'

/** The socket of a request that asks for another protocol, until somebody takes it over. */
export interface Upgrade {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly socket: Duplex
  /** The first bytes after the request. */
  readonly head: Buffer
}

/** A message of a client that is longer ends its connection. Those of kubectl have up to 32 KiB. */
const MESSAGE_BYTES_MAX = 1024 * 1024

const chosen = new WeakMap<IncomingMessage, string>()

const server = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MESSAGE_BYTES_MAX,
  handleProtocols: () => false,
})
server.on('headers', (lines, request) => {
  const protocol = chosen.get(request) ?? ''
  if (protocol !== '') lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
})
// A request that is not well-formed is answered by closing its socket.
server.on('wsClientError', (_error, socket) => socket.destroy())

/** Whether a request asks for a WebSocket, or for SPDY. @throws StatusError 400 for anything else. */
export function upgradeKind({ request }: Upgrade): 'websocket' | 'spdy' {
  const wanted = (request.headers.upgrade ?? '').toLowerCase()
  if (wanted === 'websocket') return 'websocket'
  if (wanted.includes('spdy/3.1')) return 'spdy'
  throw badRequest('unable to upgrade: missing upgrade headers in request')
}

/** The protocols that a client offers for its WebSocket, the one it likes best first. */
export function offeredProtocols({ request }: Upgrade): readonly string[] {
  return listOf(request.headers['sec-websocket-protocol'])
}

/**
 * Opens a WebSocket with a protocol that was agreed on; empty for none. Nothing can be answered over
 * HTTP any more.
 *
 * @throws StatusError 400 when the request is no proper one for a WebSocket.
 */
export async function openWebSocket(upgrade: Upgrade, protocol: string): Promise<WebSocket> {
  const { request, head } = upgrade
  const key = request.headers['sec-websocket-key'] ?? ''
  const version = request.headers['sec-websocket-version']
  const isProper = request.method === 'GET' && /^[+/0-9A-Za-z]{22}==$/.test(key)
  if (!isProper || (version !== '13' && version !== '8'))
    throw badRequest('the request for a WebSocket is not well-formed')
  chosen.set(request, protocol)
  // Names such as `SPDY/3.1+portforward.k8s.io` are none by the letter of the standard.
  delete request.headers['sec-websocket-protocol']
  const socket = takeSocket(upgrade)
  return await new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the client left')))
    server.handleUpgrade(request, socket, head, (webSocket) => {
      // Whoever reads is told when it closes.
      webSocket.on('error', () => undefined)
      resolve(webSocket)
    })
  })
}

/**
 * The protocol that both sides know, of those that a client of SPDY offers.
 *
 * @throws StatusError 400 when it offers none, 403 when none fits.
 */
export function negotiateSpdy({ request }: Upgrade, known: readonly string[]): string {
  const header = 'X-Stream-Protocol-Version'
  const offered = listOf(request.headers['x-stream-protocol-version'])
  if (offered.length === 0)
    throw badRequest(`unable to upgrade: header ${header} does not exist in request`)
  const found = offered.find((protocol) => known.includes(protocol))
  if (found !== undefined) return found
  const lists = `client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`
  throw new StatusError('Forbidden', `unable to upgrade: unable to negotiate protocol: ${lists}`)
}

/** Switches to SPDY with a protocol that was agreed on, and gives the socket. */
export function openSpdy(upgrade: Upgrade, protocol: string): Duplex {
  const socket = takeSocket(upgrade)
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    `X-Stream-Protocol-Version: ${protocol}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  if (upgrade.head.length > 0) socket.unshift(upgrade.head)
  return socket
}

/** From here on the HTTP server has nothing to do with the socket. */
export function takeSocket({ response, socket }: Upgrade): Duplex {
  response.statusCode = 101
  if (socket instanceof Socket) {
    response.detachSocket(socket)
    socket.setTimeout(0)
    socket.setNoDelay(true)
  }
  socket.on('error', () => socket.destroy())
  // For those who wait for the end of the answer, such as the audit.
  socket.once('close', () => response.emit('close'))
  return socket
}

function listOf(header: string | readonly string[] | undefined): readonly string[] {
  return [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
