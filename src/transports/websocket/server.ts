import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { ConnectionClosedError, UsageError } from '../../core/errors.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { Connection, Listener } from '../../core/interfaces/transport.ts'
import { Inbox } from '../inbox.ts'
import { type KeepAliveOptions, nodeConnection } from './node-socket.ts'
import { PAUSED_INBOX_BYTES_MAX, type SocketLimitOptions, socketLimits } from './socket-limits.ts'
import { type Admission, admit, refuse } from './upgrade.ts'

export { type DialCredentials, type NodeWebSocketOptions, nodeWebSocket } from './node.ts'

/** Options of {@link webSocketServer}. */
export interface WebSocketServerOptions extends SocketLimitOptions, KeepAliveOptions {
  /** An HTTP or HTTPS server of the caller, who also starts and stops it. Default: one of our own. */
  readonly server?: Server | undefined
  /** Where our own server listens. Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** The port of our own server. Default: 0, a free one. */
  readonly port?: number | undefined
  /** The path of the upgrade request. Default: `/`. */
  readonly path?: string | undefined
  /** Certificates and the like: our own server then speaks TLS. */
  readonly tls?: ServerOptions | undefined
  /**
   * Who sent an upgrade request; runs before anything else is accepted. `undefined` refuses it with 401,
   * a rejection with 503. Default: everybody may connect, and `principal` is undefined.
   */
  readonly authenticate?:
    | ((request: IncomingMessage) => string | undefined | Promise<string | undefined>)
    | undefined
  /** How long `authenticate` may take. Default: 10 s. */
  readonly authenticateMs?: number | undefined
  /** Upgrades being authenticated and connections not yet accepted; more get 503. Default: 1,024. */
  readonly backlogMax?: number | undefined
  /** Open connections; more get 503. Default: 100,000. */
  readonly connectionsMax?: number | undefined
  /** Gets the failures that nobody waits for. Default: they are dropped. */
  readonly logger?: Logger | undefined
}

/**
 * Listens for WebSocket connections with the package `ws`.
 *
 * @throws UsageError when the address cannot be listened at.
 */
export async function webSocketServer(options: WebSocketServerOptions = {}): Promise<Listener> {
  const server = options.server ?? ownServer(options)
  const listener = new SocketListener(server, options)
  if (options.server === undefined) await listen(server, options)
  listener.start()
  return listener
}

class SocketListener implements Listener {
  readonly #server: Server
  readonly #options: WebSocketServerOptions
  readonly #upgrader: WebSocketServer
  readonly #accepted = new Inbox<Connection>(() => 1)
  readonly #admission: Admission
  #pendingCount = 0
  #openCount = 0
  #isClosed = false

  constructor(server: Server, options: WebSocketServerOptions) {
    this.#server = server
    this.#options = options
    this.#admission = {
      authenticate: options.authenticate ?? (() => ''),
      authenticateMs: options.authenticateMs ?? 10_000,
      logger: options.logger,
    }
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: socketLimits(options).messageBytesMax,
    })
  }

  get addresses(): readonly string[] {
    return addressesOf(this.#server, this.#options)
  }

  start(): void {
    this.#server.on('upgrade', this.#onUpgrade)
    if (this.#options.server === undefined) this.#server.on('error', this.#onError)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    // An own server keeps the listener, which refuses what was on its way.
    if (this.#options.server !== undefined) this.#server.off('upgrade', this.#onUpgrade)
    else await stopListening(this.#server)
    for (const connection of this.#accepted.takeAll()) {
      connection.abort(new ConnectionClosedError('the listener closed before it accepted'))
    }
    this.#accepted.end()
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined> {
    return this.#accepted.read()
  }

  readonly #onError = (error: Error): void => {
    this.#options.logger?.error('websocket server failed', { error })
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Until `ws` takes over, an error of the socket without a listener would end the process.
    const onSocketError = () => socket.destroy()
    socket.on('error', onSocketError)
    if (pathOf(request) !== (this.#options.path ?? '/')) {
      // On a server of the caller the request may be for somebody else.
      if (this.#options.server === undefined) refuse(socket, 404)
      else socket.off('error', onSocketError)
      return
    }
    if (this.#isClosed || this.#isFull) {
      refuse(socket, 503)
      return
    }
    this.#pendingCount += 1
    admit(request, this.#admission)
      .then((principal) => {
        if (typeof principal === 'number') refuse(socket, principal)
        else if (this.#isClosed) refuse(socket, 503)
        else this.#upgrade(request, socket, head, principal, onSocketError)
      })
      .catch(this.#onError)
      .finally(() => {
        this.#pendingCount -= 1
      })
  }

  get #isFull(): boolean {
    const { backlogMax = 1_024, connectionsMax = 100_000 } = this.#options
    const waiting = this.#pendingCount + this.#accepted.count
    return waiting >= backlogMax || this.#openCount + this.#pendingCount >= connectionsMax
  }

  #upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    principal: string,
    onSocketError: () => void,
  ): void {
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('error', onSocketError)
      this.#accept(webSocket, request, principal)
    })
  }

  #accept(webSocket: WebSocket, request: IncomingMessage, principal: string): void {
    const { remoteAddress, remotePort } = request.socket
    const connection = nodeConnection(
      webSocket,
      {
        direction: 'inbound',
        remoteAddress: hostAndPort(remoteAddress ?? 'unknown', remotePort ?? 0),
        principal: this.#options.authenticate === undefined ? undefined : principal,
      },
      socketLimits(this.#options, PAUSED_INBOX_BYTES_MAX),
      this.#options,
    )
    this.#openCount += 1
    connection.closed
      .finally(() => {
        this.#openCount -= 1
      })
      .catch(this.#onError)
    this.#accepted.push(connection)
  }
}

function ownServer(options: WebSocketServerOptions): Server {
  const server = options.tls === undefined ? createServer() : createTlsServer(options.tls)
  server.on('request', (_request, response) => {
    response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end()
  })
  return server
}

function listen(server: Server, options: WebSocketServerOptions): Promise<void> {
  const host = options.host ?? '127.0.0.1'
  const port = options.port ?? 0
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      const usage = new UsageError('USAGE_INVALID_ARGUMENT', 'the address cannot be listened at', {
        host,
        port,
        reason: 'code' in error ? error.code : error.message,
      })
      usage.cause = error
      reject(usage)
    }
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

// The callback of close() waits for open connections too, and those are to go on: only the port
// is waited for, which is free one turn later.
function stopListening(server: Server): Promise<void> {
  server.close()
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function addressesOf(server: Server, options: WebSocketServerOptions): readonly string[] {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return []
  const { address, port }: AddressInfo = bound
  const isTls = options.tls !== undefined || 'setSecureContext' in server
  const path = options.path ?? '/'
  return [`${isTls ? 'wss' : 'ws'}://${hostAndPort(address, port)}${path === '/' ? '' : path}`]
}

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0] ?? '/'
}
