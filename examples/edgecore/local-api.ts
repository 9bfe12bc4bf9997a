import type { Logger } from 'tideway'
import type { ObjectStore, PodLogs, PodStreams } from 'tideway/adapters/kubernetes/objects'
import type {
  ApiServer,
  AuditSink,
  Authority,
  UsageTable,
} from 'tideway/adapters/kubernetes/server'
import { boundTo, refusalAtNode } from '../shared/fleet-rules.ts'
import { startProgramApi } from '../shared/program-api.ts'
import type { ProgramIdentity } from '../shared/program-identity.ts'
import type { Address } from '../shared/settings.ts'

/** The names by which clients in pods may call the API of their cluster. */
const IN_PODS = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']

export interface LocalApiOptions {
  readonly directory: string
  readonly node: string
  /** Signs the certificate of the API. */
  readonly authority: Authority
  readonly address: Address
  readonly store: ObjectStore
  readonly logs: PodLogs
  readonly streams: PodStreams
  readonly logger: Logger
  readonly identity: ProgramIdentity
  readonly audit: AuditSink | undefined
  readonly usage: UsageTable
}

/**
 * The Kubernetes API of this node, with an authority of its own, so that it needs nobody. It refuses
 * what the cloud would refuse when it hears of it.
 */
export async function startLocalApi(options: LocalApiOptions): Promise<ApiServer> {
  const { directory, node, authority, address, store, logs, streams, logger, identity, audit } =
    options
  return await startProgramApi({
    directory,
    authority,
    address,
    places: [node, ...IN_PODS],
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
