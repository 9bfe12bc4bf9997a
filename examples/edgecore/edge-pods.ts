import { join } from 'node:path'
import { type Logger, type Replica, systemClock, systemRandom } from 'tideway'
import { type ClusterDns, createEdged, type Edged, type PodApi } from 'tideway/adapters/edged'
import { podTokenIssuer } from 'tideway/adapters/kubernetes/identity'
import type {
  ObjectStore,
  PodLogs,
  PodStreams,
  UsageReport,
} from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  createUsageTable,
  readPodManifest,
  type UsageTable,
} from 'tideway/adapters/kubernetes/server'
import type { Teardown } from '../shared/lifetime.ts'
import type { ProgramIdentity } from '../shared/program-identity.ts'
import { apiForPods } from './api-for-pods.ts'
import { CLUSTER_DOMAIN, type EdgeSettings } from './edge-settings.ts'
import { nodeLimitsOf } from './eviction-settings.ts'
import { measureUsage } from './measure-usage.ts'
import { startNodeControllers } from './node-controllers.ts'
import { openRuntime } from './open-runtime.ts'
import { stopPods } from './stop-pods.ts'

/** How often the node says that it is alive. */
const HEARTBEAT_MS = 15_000
/** What it says: that it says anything is all there is to know, and the link may be metered. */
const ALIVE = Uint8Array.of(1)
/** The version that the node reports as its kubelet's: that of the API which is spoken here. */
const KUBELET_VERSION = 'v1.33.0-tideway'

/** What the pods of a node are run with. */
export interface EdgePodsOptions {
  readonly settings: EdgeSettings
  readonly node: string
  readonly replica: Replica
  readonly store: ObjectStore
  /** Resolves once the store holds what the cloud wants. */
  readonly loaded: Promise<void>
  readonly logger: Logger
}

/** The pods of the node, which wait for the API that clients in them are to find. */
export class EdgePods {
  readonly edged: Edged
  /** What the node and its pods use. */
  readonly usage: UsageTable
  readonly #options: EdgePodsOptions
  readonly #teardown: Teardown
  readonly #ownNetworks: boolean
  readonly #setApi: (api: PodApi) => void

  private constructor(
    options: EdgePodsOptions,
    edged: Edged,
    ownNetworks: boolean,
    setApi: (api: PodApi) => void,
    teardown: Teardown,
  ) {
    this.#options = options
    this.edged = edged
    this.#ownNetworks = ownNetworks
    this.usage = createUsageTable({ clock: systemClock })
    this.#setApi = setApi
    this.#teardown = teardown
  }

  get logs(): PodLogs {
    return this.edged.logs
  }

  get streams(): PodStreams {
    return this.edged.streams
  }

  /** Opens the runtime; nothing runs yet. */
  static async open(options: EdgePodsOptions, teardown: Teardown): Promise<EdgePods> {
    const { settings, node, replica, store, loaded, logger } = options
    const runtime = await openRuntime(settings, logger)
    teardown.add('runtime', () => runtime.close())
    if (settings.stopPodsOnExit) teardown.add('pods', () => stopPods(runtime))
    let setApi: (api: PodApi) => void = () => undefined
    const api = new Promise<PodApi>((resolve) => {
      setApi = resolve
    })
    const edged = createEdged({
      store,
      clock: systemClock,
      random: systemRandom,
      logger,
      node,
      runtime,
      api,
      directory: join(settings.data, 'pods'),
      version: KUBELET_VERSION,
      addresses: settings.address === undefined ? undefined : [settings.address],
      clusterDns: clusterDnsOf(settings),
      loaded,
      unsafeSysctls: settings.allowedUnsafeSysctls,
      ...nodeLimitsOf(settings),
      ...(settings.podManifestPath === undefined
        ? {}
        : { manifests: { directory: settings.podManifestPath, read: readPodManifest } }),
    })
    teardown.add('edged', () => edged.close())
    startHeartbeat(replica, node, teardown)
    return new EdgePods(options, edged, runtime.supports.networks, setApi, teardown)
  }

  /** Runs the pods; clients in them find this API. Resolves when each has been looked at. */
  async start(api: ApiServer, caPem: string, { accounts }: ProgramIdentity): Promise<void> {
    const { node, replica, store, logger } = this.#options
    const issue = podTokenIssuer({ store, accounts, clock: systemClock })
    this.#setApi({ host: this.#apiHost(), port: api.port, caPem, issue })
    await this.edged.ready
    startNodeControllers({ node, store, logger }, this.#teardown)
    const measure = (): Promise<UsageReport> => this.edged.usage()
    measureUsage({ node, replica, logger, usage: this.usage, measure }, this.#teardown)
  }

  #apiHost(): string {
    const { settings, logger } = this.#options
    const { host: listens } = settings.apiAddress
    const place = { listens, address: settings.address, ownNetworks: this.#ownNetworks }
    const { host, isReachable } = apiForPods(place)
    if (!isReachable) {
      const hint = '--api-address 0.0.0.0:6444, or an address of this machine'
      logger.info('pods in networks of their own do not reach the API of this node', { host, hint })
    }
    return host
  }
}

function clusterDnsOf({ clusterDns, clusterDomain }: EdgeSettings): ClusterDns | undefined {
  if (clusterDns.length === 0) return undefined
  return { servers: clusterDns, domain: clusterDomain ?? CLUSTER_DOMAIN }
}

function startHeartbeat(replica: Replica, node: string, teardown: Teardown): void {
  const beat = (): void => {
    replica.signal(`lease/${node}`, ALIVE)
  }
  beat()
  const timer = setInterval(beat, HEARTBEAT_MS)
  teardown.add('heartbeat', () => clearInterval(timer))
}
