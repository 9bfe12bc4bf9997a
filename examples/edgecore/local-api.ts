import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Logger } from 'tideway'
import type { ObjectStore, PodLogs, PodStreams } from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  type AuditSink,
  type Authority,
  clientCertificate,
  type UsageTable,
} from 'tideway/adapters/kubernetes/server'
import { boundTo, refusalAtNode } from '../shared/fleet-rules.ts'
import { startProgramApi } from '../shared/program-api.ts'
import type { ProgramIdentity } from '../shared/program-identity.ts'
import type { Address } from '../shared/settings.ts'
import type { NodeIdentity } from './node-identity.ts'

/** The names by which clients in pods may call the API of their cluster. */
const IN_PODS = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']

export interface LocalApiOptions {
  readonly directory: string
  readonly self: NodeIdentity
  /** Signs the certificate of the API. */
  readonly authority: Authority
  readonly address: Address
  /** Names and addresses under which it is reached, beside those of this machine. */
  readonly places: readonly string[]
  readonly store: ObjectStore
  readonly logs: PodLogs
  readonly streams: PodStreams
  readonly logger: Logger
  readonly identity: ProgramIdentity
  readonly audit: AuditSink | undefined
  readonly usage: UsageTable
}

/** The certificate that this node has joined with: those of others can be taken back unheard of here. */
function isOwnCertificate({ certificate }: NodeIdentity, request: IncomingMessage): boolean {
  const raw = clientCertificate(request)?.raw
  return raw !== undefined && new X509Certificate(certificate).raw.equals(raw)
}

/**
 * The Kubernetes API of this node, with an authority of its own, so that it needs nobody. It refuses
 * what the cloud would refuse when it hears of it.
 */
export async function startLocalApi(options: LocalApiOptions): Promise<ApiServer> {
  const { directory, self, authority, address, store, logs, streams, logger, identity, audit } =
    options
  const { node } = self
  return await startProgramApi({
    directory,
    authority,
    address,
    places: [node, ...IN_PODS, ...options.places],
    nodeAuthority: self.ca,
    isNode: (request) => isOwnCertificate(self, request),
    user: `admin@${node}`,
    cluster: node,
    store,
    admit: (key, object) => (key.resource === 'pods' ? boundTo(node, object) : object),
    mayWrite: (key, object) => refusalAtNode(node, key, object ?? store.get(key)),
    logs,
    streams,
    logger,
    identity,
    audit,
    usage: options.usage,
  })
}
