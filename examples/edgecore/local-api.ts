import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Logger, systemClock } from 'tideway'
import type { ObjectStore, PodLogs } from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  bearerToken,
  createApiServer,
  issueServerCertificate,
  loadOrCreateAuthority,
  loadOrCreateToken,
  sameToken,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import { boundTo, refusalAtNode } from '../shared/fleet-rules.ts'
import type { Address } from '../shared/settings.ts'

export interface LocalApiOptions {
  readonly directory: string
  readonly node: string
  readonly address: Address
  readonly store: ObjectStore
  readonly logs: PodLogs
  readonly logger: Logger
}

/**
 * The Kubernetes API of this node, with an authority of its own, so that it needs nobody. It refuses
 * what the cloud would refuse when it hears of it.
 */
export async function startLocalApi(options: LocalApiOptions): Promise<ApiServer> {
  const { directory, node, store, logs, logger } = options
  const { host, port } = options.address
  const authority = await loadOrCreateAuthority(join(directory, 'pki'))
  const token = await loadOrCreateToken(join(directory, 'admin-token'))
  const places = ['127.0.0.1', '::1', 'localhost', node, hostname(), host]
  const credential = await issueServerCertificate(authority, {
    names: [...new Set(places.filter((place) => isIP(place) === 0))],
    ips: [...new Set(places.filter((place) => isIP(place) !== 0))],
  })
  const api = await createApiServer({
    store,
    host,
    port,
    tls: { cert: credential.certificate, key: credential.key, ca: authority.certificate },
    authenticate: (request) =>
      sameToken(bearerToken(request) ?? '', token)
        ? { name: `admin@${node}`, groups: ['system:masters'] }
        : undefined,
    admit: (key, object) => (key.resource === 'pods' ? boundTo(node, object) : object),
    mayWrite: (key, object) => refusalAtNode(node, key, object ?? store.get(key)),
    logs,
    logger,
    clock: systemClock,
  })
  await writeKubeconfig(join(directory, 'kubeconfig'), {
    server: host === '0.0.0.0' || host === '::' ? `https://127.0.0.1:${api.port}` : api.url,
    caPem: authority.certificate,
    token,
    name: node,
  })
  return api
}
