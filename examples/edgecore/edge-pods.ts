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
import { looksDifferent } from '../shared/usage-change.ts'
import { UsageSignals } from '../shared/usage-signals.ts'
import { CLUSTER_DOMAIN, type EdgeSettings } from './edge-settings.ts'
import { nodeLimitsOf } from './eviction-settings.ts'
import { startNodeControllers } from './node-controllers.ts'
import { openRuntime } from './open-runtime.ts'
import { stopPods } from './stop-pods.ts'

/** How often the node says that it is alive. */
const HEARTBEAT_MS = 15_000
/** What it says: that it says anything is all there is to know, and the link may be metered. */
const ALIVE = Uint8Array.of(1)
/** How often it is measured what the node and its pods use; sooner and slower after the start. */
const USAGE_MS = 60_000
const FIRST_USAGE_MS = 1_000
/** How often the cloud is told of it while it hardly changes: less than it is kept there. */
const USAGE_TOLD_MS = 5 * 60_000
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
  readonly #setApi: (api: PodApi) => void

  private constructor(
    options: EdgePodsOptions,
    edged: Edged,
    setApi: (api: PodApi) => void,
    teardown: Teardown,
  ) {
    this.#options = options
    this.edged = edged
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
      ...nodeLimitsOf(settings),
      ...(settings.podManifestPath === undefined
        ? {}
        : { manifests: { directory: settings.podManifestPath, read: readPodManifest } }),
    })
    teardown.add('edged', () => edged.close())
    startHeartbeat(replica, node, teardown)
    return new EdgePods(options, edged, setApi, teardown)
  }

  /** Runs the pods; clients in them find this API. Resolves when each has been looked at. */
  async start(api: ApiServer, caPem: string, { accounts }: ProgramIdentity): Promise<void> {
    const { node, store, logger } = this.#options
    const { hostname } = new URL(api.url)
    const issue = podTokenIssuer({ store, accounts, clock: systemClock })
    const host = hostname.replace(/^\[|\]$/g, '')
    this.#setApi({ host, port: api.port, caPem, issue })
    await this.edged.ready
    startNodeControllers({ node, store, logger }, this.#teardown)
    this.#measure()
  }

  /** Measures again and again, for the API here and for the cloud. */
  #measure(): void {
    const { node, replica, logger } = this.#options
    const signals = new UsageSignals(replica, node)
    let cancel = (): void => undefined
    let isOver = false
    let told: UsageReport | undefined
    const look = async (): Promise<void> => {
      const report = await this.edged.usage()
      if (isOver || report.windowMs === 0) return
      this.usage.take(node, { ...report, index: 0 })
      if (told !== undefined && !isDue(told, report)) return
      told = report
      signals.send(report)
    }
    const again = (delayMs: number): void => {
      look()
        .catch((error: unknown) => logger.warn('the use of CPU and memory is not known', { error }))
        .finally(() => {
          if (!isOver)
            cancel = systemClock.schedule(delayMs, () => again(Math.min(delayMs * 2, USAGE_MS)))
        })
    }
    again(FIRST_USAGE_MS)
    this.#teardown.add('usage', () => {
      isOver = true
      cancel()
    })
  }
}

function isDue(told: UsageReport, now: UsageReport): boolean {
  return now.takenAtMs - told.takenAtMs >= USAGE_TOLD_MS || looksDifferent(told, now)
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
