import { type Logger, type Replica, systemClock } from 'tideway'
import {
  ObjectError,
  type ObjectStore,
  type PodLogs,
  type PodStreams,
} from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  createUsageTable,
  type UsageTable,
} from 'tideway/adapters/kubernetes/server'
import type { Teardown } from '../shared/lifetime.ts'
import type { EdgeSettings } from './edge-settings.ts'
import { kubeletArguments } from './kubelet-configuration.ts'
import { type KubeletAccess, kubeletDirectory, writeKubeletFiles } from './kubelet-files.ts'
import { kubeletLogs } from './kubelet-logs.ts'
import { KubeletProcess, kubeletVersionOf } from './kubelet-process.ts'
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
const NO_WAY = 'a node whose pods a kubelet runs lets nobody into them; ask that kubelet'

/** The pods of a node that a stock kubelet runs, from the API of the node. */
export class KubeletPods {
  readonly logs: PodLogs
  readonly streams: PodStreams
  /** What is used is not known here: the kubelet itself tells whoever asks it. */
  readonly usage: UsageTable
  readonly #options: KubeletPodsOptions
  readonly #teardown: Teardown
  #access: KubeletAccess | undefined

  private constructor(options: KubeletPodsOptions, teardown: Teardown) {
    this.#options = options
    this.#teardown = teardown
    this.logs = kubeletLogs(() => this.#access)
    this.streams = NO_STREAMS
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
    startNodeControllers({ node, store, logger }, this.#teardown)
  }
}

const refuse = (): Promise<never> => Promise.reject(new ObjectError('ServiceUnavailable', NO_WAY))

const NO_STREAMS: PodStreams = { exec: refuse, attach: refuse, portForward: refuse }
