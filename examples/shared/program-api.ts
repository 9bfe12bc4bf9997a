import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { systemClock } from 'tideway'
import {
  type ApiServer,
  type ApiServerOptions,
  type Authority,
  clientCertificate,
  createApiServer,
  createAuthenticator,
  loadOrCreateToken,
  loadOrIssueServerCertificate,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import { isWildcard, outsideAddresses } from './machine-addresses.ts'
import type { ProgramIdentity } from './program-identity.ts'
import type { Address } from './settings.ts'

/** The group of nodes, whose certificates can be taken back. */
const NODES = 'system:nodes'

/** What a program's Kubernetes API is made of, beside what the server itself takes. */
export interface ProgramApiOptions
  extends Pick<
    ApiServerOptions,
    'store' | 'logs' | 'streams' | 'logger' | 'admit' | 'mayWrite' | 'audit' | 'usage'
  > {
  /** Where the token, the certificate and the kubeconfig are kept. */
  readonly directory: string
  readonly authority: Authority
  readonly address: Address
  /** Names and addresses under which it is reached, beside those of this machine. */
  readonly places: readonly string[]
  /** PEM, beside that of `authority`: what else may sign the certificate of a node. */
  readonly nodeAuthority?: string | undefined
  /** Whether the certificate of a connection is one of a node that counts here, now. */
  readonly isNode: (request: IncomingMessage) => boolean
  /** The name of the user of the kubeconfig, who may do everything. */
  readonly user: string
  /** Says who everybody else is, and what they may. */
  readonly identity: ProgramIdentity
  /** The name of the cluster in the kubeconfig. */
  readonly cluster: string
}

/** Starts the Kubernetes API of a program, and writes the kubeconfig that leads to it. */
export async function startProgramApi(options: ProgramApiOptions): Promise<ApiServer> {
  const { directory, authority, user, cluster, places: given, address, ...parts } = options
  const { nodeAuthority, isNode } = options
  const { accounts } = options.identity
  const { host, port } = address
  const token = await loadOrCreateToken(join(directory, 'admin-token'))
  const hosts = isWildcard(host) ? [host, ...outsideAddresses()] : [host]
  const places = [...new Set(['127.0.0.1', '::1', 'localhost', hostname(), ...hosts, ...given])]
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
    tls: {
      cert: credential.certificate,
      key: credential.key,
      ca: [authority.certificate, nodeAuthority ?? ''].join('\n'),
    },
    authenticate: createAuthenticator({
      tokens: [{ token, user: { name: user, groups: ['system:masters'] } }],
      accounts,
      certificates: ({ groups }, request) =>
        isNode(request) || (!groups.includes(NODES) && isIssuedBy(authority, request)),
      anonymous: true,
    }),
    authorize: options.identity.authorize,
    serviceAccounts: true,
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

/** What another authority signed counts for nodes only. */
function isIssuedBy({ certificate }: Authority, request: IncomingMessage): boolean {
  const raw = clientCertificate(request)?.raw
  return raw !== undefined && new X509Certificate(raw).checkIssued(new X509Certificate(certificate))
}
