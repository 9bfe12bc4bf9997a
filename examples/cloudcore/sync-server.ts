import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Listener, Logger } from 'tideway'
import { type Authority, issueServerCertificate } from 'tideway/adapters/kubernetes/server'
import { webSocketServer } from 'tideway/transports/websocket/server'
import { CLOUD_NAME, SYNC_PATH } from '../shared/join-exchange.ts'
import type { Address } from '../shared/settings.ts'
import type { EnrolledNodes } from './enrolled-nodes.ts'
import type { JoinEndpoint } from './join-endpoint.ts'

const CONNECTIONS_MAX = 20_000
const REQUEST_MS = 15_000

/** What the port of the edges works with. */
export interface SyncServerOptions {
  readonly address: Address
  readonly authority: Authority
  readonly nodes: EnrolledNodes
  readonly join: JoinEndpoint
  readonly logger: Logger
}

/** The port of the edges: requests to join, and the WebSockets of nodes that have joined. */
export interface SyncServer {
  readonly port: number
  readonly listener: Listener
  close(): Promise<void>
}

/**
 * Listens for edges.
 *
 * Its certificate is for one fixed name, which edges ask for at whatever address they dial, and it
 * sends the authority's along, so that a node that joins can check it against its token.
 *
 * @throws Error of node:net when the address cannot be listened on.
 */
export async function createSyncServer(options: SyncServerOptions): Promise<SyncServer> {
  const { address, authority, nodes, join, logger } = options
  const credential = await issueServerCertificate(authority, { names: [CLOUD_NAME], ips: [] })
  const server = createServer(
    {
      cert: `${credential.certificate.trimEnd()}\n${authority.certificate}`,
      key: credential.key,
      ca: authority.certificate,
      requestCert: true,
      // Who joins has no certificate yet; the upgrade of who has one is checked below.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      handshakeTimeout: REQUEST_MS,
      connectionsCheckingInterval: REQUEST_MS / 3,
      ALPNProtocols: ['http/1.1'],
    },
    (request, response) => void join.serve(request, response),
  )
  server.maxConnections = CONNECTIONS_MAX
  server.on('tlsClientError', (error) =>
    logger.debug('a TLS handshake failed', { error: error.message }),
  )
  const port = await listen(server, address)
  server.on('error', (error) => logger.error('the sync port failed', { error }))
  server.on('upgrade', (request, socket) => {
    if (request.url !== SYNC_PATH) socket.destroy()
  })
  const listener = await webSocketServer({
    server,
    path: SYNC_PATH,
    authenticate: (request) => nodes.principal(request),
    connectionsMax: CONNECTIONS_MAX,
    logger,
  })
  return { port, listener, close: () => closeServer(server) }
}

function listen(server: Server, { host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
