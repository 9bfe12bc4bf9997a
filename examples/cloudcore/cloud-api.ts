import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Logger, type Replica, systemClock } from 'tideway'
import type { ObjectStore } from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  bearerToken,
  createApiServer,
  issueServerCertificate,
  loadOrCreateToken,
  sameToken,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import type { CloudSettings } from './cloud-settings.ts'
import type { FleetIdentity } from './fleet-identity.ts'
import { relayedLogs } from './relayed-logs.ts'

/** The Kubernetes API of the fleet, and the kubeconfig that leads to it. */
export async function startCloudApi(
  settings: CloudSettings,
  { authority, fleet }: FleetIdentity,
  store: ObjectStore,
  replica: Replica,
  logger: Logger,
): Promise<ApiServer> {
  const { host, port } = settings.apiAddress
  const token = await loadOrCreateToken(join(settings.data, 'admin-token'))
  const places = [
    '127.0.0.1',
    '::1',
    'localhost',
    'kubernetes',
    hostname(),
    host,
    ...settings.apiNames,
  ]
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
        ? { name: 'admin', groups: ['system:masters'] }
        : undefined,
    logs: relayedLogs(replica, store),
    logger,
    clock: systemClock,
  })
  const reachable = isWildcard(host) ? `https://127.0.0.1:${api.port}` : api.url
  await writeKubeconfig(join(settings.data, 'kubeconfig'), {
    server: reachable,
    caPem: authority.certificate,
    token,
    name: fleet,
  })
  return { ...api, url: reachable, close: () => api.close() }
}

/** Whether to listen there is to listen at every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
