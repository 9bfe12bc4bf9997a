import type { Logger, Replica } from 'tideway'
import type { ObjectStore } from 'tideway/adapters/kubernetes/objects'
import type { ApiServer, AuditSink, UsageTable } from 'tideway/adapters/kubernetes/server'
import { startProgramApi } from '../shared/program-api.ts'
import type { ProgramIdentity } from '../shared/program-identity.ts'
import type { CloudSettings } from './cloud-settings.ts'
import type { EnrolledNodes } from './enrolled-nodes.ts'
import type { FleetIdentity } from './fleet-identity.ts'
import { relayedLogs } from './relayed-logs.ts'
import { relayedStreams } from './relayed-streams.ts'

/** The Kubernetes API of the fleet, and the kubeconfig that leads to it. */
export async function startCloudApi(
  settings: CloudSettings,
  { authority, fleet }: FleetIdentity,
  store: ObjectStore,
  replica: Replica,
  logger: Logger,
  identity: ProgramIdentity,
  audit: AuditSink | undefined,
  usage: UsageTable,
  nodes: EnrolledNodes,
): Promise<ApiServer> {
  return await startProgramApi({
    directory: settings.data,
    authority,
    address: settings.apiAddress,
    places: ['kubernetes', ...settings.apiNames],
    isNode: (request) => nodes.principal(request) !== undefined,
    user: 'admin',
    cluster: fleet,
    store,
    logs: relayedLogs(replica, store),
    streams: relayedStreams(replica, store),
    logger,
    identity,
    audit,
    usage,
  })
}
