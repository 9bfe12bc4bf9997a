import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { systemClock } from 'tideway'
import {
  type ApiServer,
  type ApiServerOptions,
  type Authority,
  bearerToken,
  createApiServer,
  loadOrCreateToken,
  loadOrIssueServerCertificate,
  sameToken,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import type { Address } from './settings.ts'

/** What a program's Kubernetes API is made of, beside what the server itself takes. */
export interface ProgramApiOptions
  extends Pick<ApiServerOptions, 'store' | 'logs' | 'logger' | 'admit' | 'mayWrite'> {
  /** Where the token, the certificate and the kubeconfig are kept. */
  readonly directory: string
  readonly authority: Authority
  readonly address: Address
  /** Names and addresses under which it is reached, beside those of this machine. */
  readonly places: readonly string[]
  /** The name of the one user, who may do everything. */
  readonly user: string
  /** The name of the cluster in the kubeconfig. */
  readonly cluster: string
}

/** Starts the Kubernetes API of a program, and writes the kubeconfig that leads to it. */
export async function startProgramApi(options: ProgramApiOptions): Promise<ApiServer> {
  const { directory, authority, user, cluster, places: given, address, ...parts } = options
  const { host, port } = address
  const token = await loadOrCreateToken(join(directory, 'admin-token'))
  const places = [...new Set(['127.0.0.1', '::1', 'localhost', hostname(), host, ...given])]
  const credential = await loadOrIssueServerCertificate(
    authority,
    join(directory, 'pki'),
    'apiserver',
    {
      names: places.filter((place) => isIP(place) === 0),
      ips: places.filter((place) => isIP(place) !== 0),
    },
  )
  const api = await createApiServer({
    ...parts,
    host,
    port,
    tls: { cert: credential.certificate, key: credential.key, ca: authority.certificate },
    authenticate: (request) =>
      sameToken(bearerToken(request) ?? '', token)
        ? { name: user, groups: ['system:masters'] }
        : undefined,
    clock: systemClock,
  })
  const server = isWildcard(host) ? `https://127.0.0.1:${api.port}` : api.url
  await writeKubeconfig(join(directory, 'kubeconfig'), {
    server,
    caPem: authority.certificate,
    token,
    name: cluster,
  })
  return { ...api, url: server, close: () => api.close() }
}

/** Whether to listen there is to listen at every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
