import { join } from 'node:path'
import { createReplica, type Logger, systemClock, systemRandom } from 'tideway'
import {
  type AccountName,
  createNamespaceContent,
  createRoleAggregation,
  publishClusterKey,
} from 'tideway/adapters/kubernetes/identity'
import {
  builtinResources,
  documentKinds,
  type ObjectStore,
  secretCollection,
} from 'tideway/adapters/kubernetes/objects'
import {
  certificateFingerprint,
  createUsageTable,
  writeSecretFile,
} from 'tideway/adapters/kubernetes/server'
import { levelStorage } from 'tideway/adapters/storage/level'
import { nodeAutomerge, nodeCompression, nodeSha256 } from 'tideway/node'
import { openAuditLog } from '../shared/audit-log.ts'
import { CLOUD_HISTORY } from '../shared/history-rules.ts'
import type { Teardown } from '../shared/lifetime.ts'
import { isWildcard, outsideAddresses } from '../shared/machine-addresses.ts'
import { Operations } from '../shared/operations.ts'
import { makePrivateDirectory, refuseDirectoryOf } from '../shared/private-files.ts'
import { openProgramIdentity, type ProgramIdentity } from '../shared/program-identity.ts'
import { openObjects } from '../shared/program-objects.ts'
import { type Address, addressText } from '../shared/settings.ts'
import { toldStorage } from '../shared/told-storage.ts'
import { followUsage } from '../shared/usage-signals.ts'
import { startCloudApi } from './cloud-api.ts'
import { startControllers } from './cloud-controllers.ts'
import type { CloudEndpoints } from './cloud-endpoints.ts'
import type { CloudSettings } from './cloud-settings.ts'
import { EnrolledNodes } from './enrolled-nodes.ts'
import { createFirstObjects } from './first-objects.ts'
import { type FleetIdentity, openFleetIdentity } from './fleet-identity.ts'
import { JoinEndpoint } from './join-endpoint.ts'
import { JoinTokens } from './join-tokens.ts'
import { nodePolicy } from './node-policy.ts'
import { SecretAccess } from './secret-access.ts'
import { createSyncServer, type SyncServer } from './sync-server.ts'

/** How often used and expired tokens are looked for. */
const SWEEP_MS = 3_600_000

/** Documents that stay loaded after they were written: about 200 pods. Reads do not need them. */
const CACHE_BYTES_MAX = 8 << 20

/**
 * Starts the cloud side: its log, the port of the edges, the controllers and the Kubernetes API.
 *
 * @returns where it can be reached; it is also written to `endpoints.json`.
 */
export async function startCloud(
  settings: CloudSettings,
  logger: Logger,
  teardown: Teardown,
): Promise<CloudEndpoints> {
  await makePrivateDirectory(settings.data)
  await refuseDirectoryOf('edgecore', settings.data)
  const operations = await Operations.open(settings.metricsAddress, logger, teardown)
  let sync: SyncServer | undefined
  // Closed after the replica, which says goodbye to the edges first.
  teardown.add('sync port', () => sync?.close())
  let access: SecretAccess | undefined
  const level = await levelStorage({ directory: join(settings.data, 'log') })
  const storage = toldStorage(level, settings.data, logger)
  teardown.add('log', () => storage.close())
  const replica = await createReplica({
    storage,
    name: 'cloud',
    policy: nodePolicy(() => access),
    kinds: documentKinds(builtinResources),
    sha256: nodeSha256(),
    loadAutomerge: nodeAutomerge(),
    compression: nodeCompression(),
    compaction: CLOUD_HISTORY,
    cacheBytesMax: CACHE_BYTES_MAX,
    logger,
    metrics: operations.metrics,
  })
  operations.show(replica)
  teardown.add('replica', () => replica.close())
  const identity = await openFleetIdentity(settings.data, settings.fleet)
  const store = await openObjects({ replica, fleet: identity.fleet, moves: true }, logger, teardown)
  await createFirstObjects(store)
  access = await SecretAccess.open(replica, store, logger)
  teardown.add('secret access', () => access?.close())
  startControllers(settings, store, replica, logger, teardown)
  const accounts = await startIdentity(settings, identity, store, access, logger, teardown)
  const { authority } = identity
  const nodes = new EnrolledNodes(store, authority, (principal) => replica.disconnect(principal))
  teardown.add('nodes', () => nodes.close())
  sync = await startSync(settings.syncAddress, identity, store, nodes, logger, teardown)
  replica.serve(sync.listener)
  const audit = openAuditLog(settings, logger, teardown)
  const usage = createUsageTable({ clock: systemClock })
  teardown.add('usage of nodes', followUsage(replica, usage))
  const api = await startCloudApi(
    settings,
    identity,
    store,
    replica,
    logger,
    accounts,
    audit,
    usage,
    nodes,
  )
  teardown.add('Kubernetes API', () => api.close())
  const endpoints: CloudEndpoints = {
    fleet: identity.fleet,
    pid: process.pid,
    api: api.url,
    sync: advertised(settings, sync.port).map(addressText),
    fingerprint: certificateFingerprint(authority.certificate),
    metrics: operations.url,
  }
  await writeSecretFile(
    join(settings.data, 'endpoints.json'),
    `${JSON.stringify(endpoints, undefined, 2)}\n`,
  )
  operations.ready()
  return endpoints
}

/** Who asks and what they may, and what each namespace has for the pods in it. */
async function startIdentity(
  settings: CloudSettings,
  { authority }: FleetIdentity,
  store: ObjectStore,
  access: SecretAccess,
  logger: Logger,
  teardown: Teardown,
): Promise<ProgramIdentity> {
  const parts = { store, clock: systemClock, random: systemRandom, logger }
  const roles = createRoleAggregation(parts)
  teardown.add('gathered roles', () => roles.close())
  const content = createNamespaceContent({ ...parts, caPem: authority.certificate })
  teardown.add('content of namespaces', () => content.close())
  await content.ready
  const mayNodeSpeakFor = (node: string, account: AccountName): boolean =>
    access.maySpeakFor(node, account)
  // What the API tells a node is what it would be sent.
  const mayReadSecret = (node: string, namespace: string, name: string): boolean =>
    access.allows(node, secretCollection(namespace, name))
  const rules = { mayNodeSpeakFor, mayReadSecret }
  const identity = await openProgramIdentity(settings.data, store, rules, teardown)
  await publishClusterKey(store, identity.key.publicKey)
  return identity
}

async function startSync(
  address: Address,
  { authority, fleet }: FleetIdentity,
  store: ObjectStore,
  nodes: EnrolledNodes,
  logger: Logger,
  teardown: Teardown,
): Promise<SyncServer> {
  const tokens = new JoinTokens(store, systemClock)
  const sweep = (): void => {
    tokens
      .sweep()
      .catch((error: unknown) => logger.warn('old tokens could not be removed', { error }))
  }
  sweep()
  const timer = setInterval(sweep, SWEEP_MS)
  teardown.add('token sweep', () => clearInterval(timer))
  const join = new JoinEndpoint({ fleet, tokens, nodes, clock: systemClock, logger })
  return await createSyncServer({ address, authority, nodes, join, logger })
}

function advertised(settings: CloudSettings, port: number): readonly Address[] {
  if (settings.advertise.length > 0) return settings.advertise
  if (!isWildcard(settings.syncAddress.host)) return [{ host: settings.syncAddress.host, port }]
  const outside = outsideAddresses()
  return (outside.length > 0 ? outside : ['127.0.0.1']).map((host) => ({ host, port }))
}
