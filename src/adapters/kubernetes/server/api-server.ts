import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { AccountTokens } from '../identity/account-tokens.ts'
import type { Attributes } from '../identity/attributes.ts'
import type { Rbac } from '../identity/rbac.ts'
import type { PodStreams } from '../objects/pod-streams.ts'
import type { ObjectStore, PodLogs } from '../objects/types.ts'
import type { AuditSink } from './audit.ts'
import {
  acceptConnections,
  CONNECTION_LIMITS,
  type ConnectionLimits,
  timeoutsOf,
} from './connections.ts'
import type { Admit, User, WriteGuard } from './context.ts'
import { liveCatalog } from './custom/live-catalog.ts'
import { Dispatcher } from './dispatch.ts'
import { METRICS_RESOURCES } from './metrics/metrics-objects.ts'
import type { UsageTable } from './metrics/usage-table.ts'
import { openApiOf } from './openapi.ts'
import { openApiV2Of } from './openapi-v2.ts'
import { versionInfo } from './paths.ts'
import { acceptUpgrades } from './streams/accept-upgrades.ts'

/** Whether a user may: true, or why not; with `allowed` set, why they may. */
export type Decision = true | { readonly allowed?: boolean; readonly reason: string }

/** What a server knows of who its users are and what they may, beside its two questions. */
export interface ServerIdentity {
  /** Answers what rules somebody has, and keeps users from granting more than they hold. */
  readonly rbac?: Rbac | undefined
  /** Issues tokens of service accounts, and says how others check them. */
  readonly accounts?: AccountTokens | undefined
}

/** What {@link createApiServer} needs. */
export interface ApiServerOptions {
  readonly store: ObjectStore
  /** Default: 127.0.0.1. */
  readonly host?: string | undefined
  /** Default: 0, any free port. */
  readonly port?: number | undefined
  /**
   * PEM. Clients may present a certificate of `ca`; whether that is enough is for `authenticate`.
   */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
  /**
   * Who sends a request: undefined answers 401. The socket of the request knows the client
   * certificate.
   */
  readonly authenticate: (request: IncomingMessage) => User | undefined | Promise<User | undefined>
  /** Whether a user may do something. Default: yes. */
  readonly authorize?:
    | ((user: User, attributes: Attributes) => Decision | Promise<Decision>)
    | undefined
  /** Default: no rules are known, and no tokens issued. */
  readonly identity?: ServerIdentity | undefined
  /** Is told of each request that was answered. Default: nobody is. */
  readonly audit?: AuditSink | undefined
  /** Refuses writes of objects that belong to others. The object is undefined for a deletion. */
  readonly mayWrite?: WriteGuard | undefined
  /** Completes objects before they are checked and created. Default: as they are. */
  readonly admit?: Admit | undefined
  /**
   * Whether new pods are given their service account, with a token of it mounted, as Kubernetes does. It
   * needs somebody who makes the account `default` of each namespace. Default: no.
   */
  readonly serviceAccounts?: boolean | undefined
  /** What nodes and pods use, for metrics.k8s.io. Default: that is not served. */
  readonly usage?: UsageTable | undefined
  readonly logs: PodLogs
  /** The way into containers: exec, attach, port-forward, proxy. Default: that is not served. */
  readonly streams?: PodStreams | undefined
  /** The version of Kubernetes that this claims to be. Default: v1.36.3. */
  readonly version?: string | undefined
  /** How long clients may take, and how many they may be. Default: {@link CONNECTION_LIMITS}. */
  readonly limits?: Partial<ConnectionLimits> | undefined
  readonly logger: Logger
  readonly clock: Clock
}

/** A running API server. */
export interface ApiServer {
  /** Such as `https://127.0.0.1:6443`. */
  readonly url: string
  readonly port: number
  /**
   * Takes no more connections, ends watches and log streams, lets requests that are going on finish
   * for {@link CLOSE_GRACE_MS}, then ends them. A second call returns the same promise.
   */
  close(): Promise<void>
}

/** How long requests get to finish when the server closes. */
export const CLOSE_GRACE_MS = 2_000

/** Longer than the keep-alive of Go clients, so that the client closes first. */
const KEEP_ALIVE_MS = 100_000

/** The version of Kubernetes whose behaviour is followed. */
const DEFAULT_VERSION = 'v1.36.3'

/**
 * Serves the Kubernetes API from an object store, over HTTPS.
 *
 * Resolves when it listens. Bad requests are answered with a Status; failures inside are logged and
 * answered with 500; neither ends the process.
 *
 * @throws Error of node:net when the address cannot be listened on.
 */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, tls, logger, clock } = options
  const version = options.version ?? DEFAULT_VERSION
  const computed = options.usage === undefined ? [] : METRICS_RESOURCES
  const catalog = liveCatalog(store, computed)
  const host = options.host ?? '127.0.0.1'
  const limits: ConnectionLimits = { ...CONNECTION_LIMITS, ...options.limits }
  const server = createServer({
    cert: tls.cert,
    key: tls.key,
    ca: tls.ca,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ...timeoutsOf(limits),
    keepAliveTimeout: KEEP_ALIVE_MS,
    ALPNProtocols: ['http/1.1'],
  })
  let address = ''
  const openApi = openApiOf(catalog, version)
  const dispatcher = new Dispatcher({
    ...options,
    limits,
    catalog,
    paths: {
      catalog,
      openApi,
      openApiV2: openApiV2Of(openApi, version),
      version: versionInfo(version),
      get address() {
        return address
      },
    },
  })
  acceptConnections(server, limits, clock, logger, (request, response) => {
    void dispatcher.serve(request, response)
  })
  acceptUpgrades(server, (upgrade) => dispatcher.serve(upgrade.request, upgrade.response, upgrade))
  const port = await listen(server, host, options.port ?? 0)
  server.on('error', (error) => {
    logger.error('the API server failed', { error: error.message })
  })
  address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  let closing: Promise<void> | undefined
  return {
    url: `https://${address}`,
    port,
    close: () => (closing ??= closeServer(server, dispatcher, clock).finally(catalog.close)),
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

async function closeServer(server: Server, dispatcher: Dispatcher, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  // A connection whose last answer is sent goes then, not after the usual time.
  server.keepAliveTimeout = 1
  // Before streams end: it would take a connection for idle whose last bytes are on their way.
  server.closeIdleConnections()
  dispatcher.endStreams()
  const cancel = clock.schedule(CLOSE_GRACE_MS, () => server.closeAllConnections())
  await closed
  cancel()
  dispatcher.close()
}
