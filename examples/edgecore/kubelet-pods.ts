import { type Logger, type Replica, systemClock } from 'tideway'
import type { ObjectStore, PodLogs, UsageReport } from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  createUsageTable,
  type UsageTable,
} from 'tideway/adapters/kubernetes/server'
import {
  type KubeletAccess,
  type KubeletStreams,
  kubeletLogs,
  kubeletStreams,
  kubeletUsage,
  type MeasuredPod,
} from 'tideway/adapters/runtime/kubelet'
import type { Teardown } from '../shared/lifetime.ts'
import type { EdgeSettings } from './edge-settings.ts'
import { kubeletArguments } from './kubelet-configuration.ts'
import { kubeletDirectory, writeKubeletFiles } from './kubelet-files.ts'
import { KubeletProcess, kubeletVersionOf } from './kubelet-process.ts'
import { measureUsage } from './measure-usage.ts'
import { startNodeControllers } from './node-controllers.ts'
import type { NodeIdentity } from './node-identity.ts'

/** What the pods of a node are run with where kubelet runs them. */
export interface KubeletPodsOptions {
  readonly settings: EdgeSettings
  readonly self: NodeIdentity
  readonly replica: Replica
  readonly store: ObjectStore
  readonly logger: Logger
}

/** That anything is said is all there is to know. */
const ALIVE = Uint8Array.of(1)
const LEASES = 'leases.coordination.k8s.io'
/** By this a kubelet names the pod of a file that the API shows under a uid of its own. */
const FILE_HASH = 'kubernetes.io/config.hash'

/** The pods of a node that a stock kubelet runs, from the API of the node. */
export class KubeletPods {
  readonly logs: PodLogs
  readonly streams: KubeletStreams
  /** What the node and its pods use. */
  readonly usage: UsageTable
  readonly #options: KubeletPodsOptions
  readonly #teardown: Teardown
  #access: KubeletAccess | undefined

  private constructor(options: KubeletPodsOptions, teardown: Teardown) {
    this.#options = options
    this.#teardown = teardown
    this.logs = kubeletLogs(() => this.#access)
    this.streams = kubeletStreams(() => this.#access)
    this.usage = createUsageTable({ clock: systemClock })
  }

  /**
   * Looks for the kubelet; nothing runs yet.
   *
   * @throws ProgramError `KUBELET_UNUSABLE`.
   */
  static async open(options: KubeletPodsOptions, teardown: Teardown): Promise<KubeletPods> {
    const { settings, logger } = options
    logger.info('a kubelet runs the pods', {
      path: settings.kubeletPath,
      version: await kubeletVersionOf(settings.kubeletPath),
    })
    return new KubeletPods(options, teardown)
  }

  /** Has the kubelet run the pods of this API. */
  async start(api: ApiServer, caPem: string): Promise<void> {
    const { settings, self, replica, store, logger } = this.#options
    const { node } = self
    this.#access = await writeKubeletFiles(settings, self, { url: api.url, caPem })
    // Where the kubelet is lost the cloud is to know it, though this process goes on.
    const stop = store.watch(LEASES, {}, ({ type, object }) => {
      const { namespace, name } = object.metadata
      if (type === 'DELETED' || namespace !== 'kube-node-lease' || name !== node) return
      replica.signal(`lease/${node}`, ALIVE)
    })
    this.#teardown.add('heartbeat', stop)
    const args = kubeletArguments({ node, directory: kubeletDirectory(settings.data) })
    const kubelet = new KubeletProcess(settings.kubeletPath, args, logger)
    this.#teardown.add('kubelet', () => kubelet.close())
    this.#teardown.add('sessions of the kubelet', () => this.streams.close())
    startNodeControllers({ node, store, logger }, this.#teardown)
    const measure = (): Promise<UsageReport> =>
      kubeletUsage(
        () => this.#access,
        systemClock.wallMs(),
        (pod) => shownUid(store, pod),
      )
    measureUsage({ node, replica, logger, usage: this.usage, measure }, this.#teardown)
  }
}

/** The uid by which the API shows what a kubelet has measured. */
function shownUid(store: Pick<ObjectStore, 'get'>, { namespace, name, uid }: MeasuredPod): string {
  const metadata = store.get({ resource: 'pods', namespace, name })?.metadata
  return metadata?.annotations?.[FILE_HASH] === uid ? (metadata.uid ?? uid) : uid
}
