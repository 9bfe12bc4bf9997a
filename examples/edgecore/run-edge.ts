import { join } from 'node:path'
import { createReplica, edgePolicy, type Logger, systemClock } from 'tideway'
import { ClockSteps, watchSteps } from 'tideway/adapters/edged'
import { keepNodeKey } from 'tideway/adapters/kubernetes/identity'
import {
  builtinResources,
  documentKinds,
  type KubeObject,
  type ObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { loadOrCreateAuthority } from 'tideway/adapters/kubernetes/server'
import { levelStorage } from 'tideway/adapters/storage/level'
import { nodeAutomerge, nodeCompression, nodeSha256 } from 'tideway/node'
import { openAuditLog } from '../shared/audit-log.ts'
import { nodeNameOf } from '../shared/fleet-rules.ts'
import { NODE_HISTORY } from '../shared/history-rules.ts'
import type { Teardown } from '../shared/lifetime.ts'
import { Operations } from '../shared/operations.ts'
import { makePrivateDirectory } from '../shared/private-files.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { openProgramIdentity, type ProgramIdentity } from '../shared/program-identity.ts'
import { openObjects } from '../shared/program-objects.ts'
import { toldStorage } from '../shared/told-storage.ts'
import { EdgePods } from './edge-pods.ts'
import type { EdgeSettings } from './edge-settings.ts'
import { enrol } from './enrol.ts'
import { nodeLimitsOf } from './eviction-settings.ts'
import { FleetLink } from './fleet-link.ts'
import { KubeletPods } from './kubelet-pods.ts'
import { startLocalApi } from './local-api.ts'
import type { NodeIdentity } from './node-identity.ts'
import { serveLogs } from './served-logs.ts'
import { serveStreams } from './served-streams.ts'
import { readStatus, StatusWriter } from './status-file.ts'
import { leaveFormerRuntimes } from './used-runtimes.ts'

/** A log that is new gets this long after the first connection to fill before orphans are cleaned. */
const FILL_MS = 10_000
/** So long after the clock was put a pod may not yet have read its new token. */
const STEP_MS = 10 * 60_000

/** Where a running edgecore can be reached. */
export interface RunningEdge {
  readonly node: string
  readonly fleet: string
  readonly api: string
  /** Such as `http://127.0.0.1:9464`; absent when it is off. */
  readonly metrics?: string | undefined
}

/**
 * Starts the node: its log, its pods, its own Kubernetes API, and the connection to the cloud. All but
 * the last work without the cloud, from the log.
 */
export async function startEdge(
  settings: EdgeSettings,
  logger: Logger,
  teardown: Teardown,
  stop: (reason: ProgramError) => void,
): Promise<RunningEdge> {
  // Before anything is done: what does not fit together is told at once.
  nodeLimitsOf(settings)
  const directory = settings.data
  await makePrivateDirectory(directory)
  const level = await levelStorage({ directory: join(directory, 'log') })
  const storage = toldStorage(level, directory, logger)
  teardown.add('log', () => storage.close())
  const operations = await Operations.open(settings.metricsAddress, logger, teardown)
  const identity = await enrol({ directory, token: settings.token, name: settings.name }, logger)
  const { node, fleet } = identity
  const replica = await createReplica({
    storage,
    name: node,
    policy: edgePolicy(),
    kinds: documentKinds(builtinResources),
    sha256: nodeSha256(),
    loadAutomerge: nodeAutomerge(),
    compression: nodeCompression(),
    compaction: NODE_HISTORY,
    logger,
    metrics: operations.metrics,
  })
  operations.show(replica)
  teardown.add('replica', () => replica.close())
  const isNew = replica.head === 0
  const store = await openObjects({ replica, fleet, moves: false }, logger, teardown)
  const status = new StatusWriter(
    directory,
    { node, fleet },
    (await readStatus(directory))?.lastSyncAt ?? '',
    logger,
  )
  teardown.add('status', () => status.close())
  const filled = new Filled(isNew)
  teardown.add('first fill', () => filled.close())
  const parts = { settings, node, replica, store, logger }
  const pods =
    settings.runtime === 'kubelet'
      ? await KubeletPods.open({ ...parts, self: identity }, teardown)
      : await EdgePods.open({ ...parts, loaded: filled.done }, teardown)
  const { logs, streams } = pods
  teardown.add('logs for the cloud', serveLogs(replica, logs))
  teardown.add('streams for the cloud', serveStreams(replica, streams))
  const connection = { isConnected: false }
  const isConnected = (): boolean => connection.isConnected
  const access = await openIdentity(directory, node, store, isConnected, logger, teardown)
  const audit = openAuditLog(settings, logger, teardown)
  const authority = await loadOrCreateAuthority(join(directory, 'pki'))
  const api = await startLocalApi({
    ...{ directory, self: identity, authority, address: settings.apiAddress },
    places: settings.address === undefined ? [] : [settings.address],
    ...{ store, logs, streams },
    ...{ logger, identity: access, audit, usage: pods.usage },
  })
  teardown.add('Kubernetes API', () => api.close())
  // Only now: one that cannot begin, such as without its engine, leaves what runs as it is.
  await leaveFormerRuntimes(settings, logger)
  await pods.start(api, authority.certificate, access)
  status.api = api.url
  const link = new FleetLink({
    identity,
    addresses: settings.server.length > 0 ? settings.server : identity.addresses,
    replica,
    store,
    logger,
    onStatus: (change) => {
      connection.isConnected = change.type === 'connected'
      status.handleUplink(change)
      if (change.type === 'connected') filled.connected()
    },
    onRefused: () => stop(refused(identity)),
  })
  teardown.add('connection to the cloud', () => link.close())
  operations.ready()
  return { node, fleet, api: api.url, metrics: operations.url }
}

/** Who the API of the node believes. */
async function openIdentity(
  directory: string,
  node: string,
  store: ObjectStore,
  isConnected: () => boolean,
  logger: Logger,
  teardown: Teardown,
): Promise<ProgramIdentity> {
  const steps = new ClockSteps(systemClock)
  // All the time: else a step of long ago would count as new for the first who asks.
  teardown.add('clock', watchSteps({ clock: systemClock, steps }))
  // Cut off from the cloud nobody can give a pod a new token, and where the clock was put all of them have
  // to be replaced: the one that a pod has goes on counting.
  const outlives = (pod: KubeObject): boolean =>
    nodeNameOf('pods', pod) === node && (!isConnected() || steps.isWithin(STEP_MS))
  const identity = await openProgramIdentity(directory, store, { outlives }, teardown)
  const publishing = keepNodeKey(store, node, identity.key.publicKey, (error) =>
    logger.warn('the key of the node could not be published', { error }),
  )
  teardown.add('key of the node', publishing)
  return identity
}

function refused({ node, fleet }: NodeIdentity): ProgramError {
  return new ProgramError(
    'CREDENTIALS_REFUSED',
    EXIT.refused,
    `the fleet ${fleet} no longer accepts the certificate of the node ${node}: it was revoked, replaced or has expired. The pods go on running. To come back: edgecore join --token TOKEN`,
    { fields: { node, fleet } },
  )
}

/**
 * Whether the log holds what the cloud wants. One that held anything at the start does; a new one does
 * some time after it was first connected. Until then pods that nobody knows are left alone.
 */
class Filled {
  readonly done: Promise<void>
  #resolve: () => void = () => undefined
  #cancel: (() => void) | undefined

  constructor(isNew: boolean) {
    this.done = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (!isNew) this.#resolve()
  }

  connected(): void {
    this.#cancel ??= systemClock.schedule(FILL_MS, this.#resolve)
  }

  close(): void {
    this.#cancel?.()
  }
}
