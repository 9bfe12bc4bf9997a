import { mkdir, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cancel, Clock, Random } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { PodStreams } from '../kubernetes/objects/pod-streams.ts'
import type {
  JsonObject,
  KubeObject,
  ObjectEvent,
  ObjectKey,
  ObjectStore,
  PodLogs,
} from '../kubernetes/objects/types.ts'
import type { UsageReport } from '../kubernetes/objects/usage.ts'
import {
  type BackoffLimits,
  createReconciler,
  type ReconcileResult,
  type Reconciler,
} from '../reconciler/index.ts'
import { type PodRuntime, RuntimeError } from '../runtime/index.ts'
import { RESTART_BACKOFF, type RestartBackoff } from './backoff.ts'
import { type ImageCollectionOptions, imageCollectionSettings } from './collection/settings.ts'
import { EventRecorder } from './events/event-recorder.ts'
import { type EvictionOptions, evictionSettings } from './eviction/settings.ts'
import { Housekeeping } from './housekeeping.ts'
import { asObject } from './json.ts'
import { podLogs } from './logs/logs.ts'
import { watchSteps } from './node/clock-steps.ts'
import { lookAtNode } from './node/node-look.ts'
import { rebooted, registerNode } from './node/node-registrar.ts'
import type { NodeFacts } from './node/node-status.ts'
import { Relister } from './node/relister.ts'
import { RUNTIME_DOWN_AFTER_MS } from './node/runtime-health.ts'
import { UsageSampler } from './node/usage-sampler.ts'
import type { PodApi } from './pod-context.ts'
import type { ClusterDns } from './pod-dns.ts'
import { referencesOf, viewPod } from './pod-view.ts'
import { PodWorker } from './pod-worker.ts'
import { isMirror } from './static/static-pod.ts'
import { type ManifestOptions, StaticPods } from './static/static-pods.ts'
import { podStreams } from './streams.ts'

/** What {@link createEdged} needs. */
export interface EdgedOptions {
  /** The name of this node. */
  readonly node: string
  readonly store: ObjectStore
  readonly runtime: PodRuntime
  /** Where the files of pods and their logs live. Made when missing. */
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** What the node reports as its kubelet's version. */
  readonly version: string
  /** The addresses of the node and of its pods. Default: the first outside IPv4 address. */
  readonly addresses?: readonly string[] | undefined
  /**
   * The Kubernetes API that clients in pods find; nothing is started before it is known. Default: what
   * objects say, and no tokens.
   */
  readonly api?: PodApi | Promise<PodApi> | undefined
  /**
   * The name servers that pods with `dnsPolicy: ClusterFirst` ask, where the runtime gives pods
   * networks of their own. Default: those of the machine, with the event `MissingClusterDNS`.
   */
  readonly clusterDns?: ClusterDns | undefined
  /** Capacities that differ from what was found, such as `{ pods: '50' }`. */
  readonly capacity?: Readonly<Record<string, string>> | undefined
  /**
   * Resolves once the store holds what the cloud wants. Pods that run here and are not in the store
   * are left alone until then. Default: the store is complete.
   */
  readonly loaded?: Promise<unknown> | undefined
  /** Restart waits of containers. Default: kubelet's. */
  readonly restartBackoff?: RestartBackoff | undefined
  /** Waits after failures of edged itself. */
  readonly retryBackoff?: BackoffLimits | undefined
  /** Pods that run whatever the store holds. Default: none. */
  readonly manifests?: ManifestOptions | undefined
  /** When pods are evicted. Default: as kubelet does it. */
  readonly eviction?: EvictionOptions | undefined
  /** When images that nobody uses are removed. Default: as kubelet does it. */
  readonly imageCollection?: ImageCollectionOptions | undefined
  /** How many processes and threads a pod may have, where the runtime limits pods. Default: any number. */
  readonly podProcessesMax?: number | undefined
  /** Settings of the kernel that pods may have beside the safe ones: names, or `net.*`. Default: none. */
  readonly unsafeSysctls?: readonly string[] | undefined
  /** How often the runtime is listed without a hint. Default 60 s. */
  readonly relistMs?: number | undefined
  /** The node is not ready once the runtime has not answered for this long. Default 30 s. */
  readonly runtimeDownMs?: number | undefined
}

/** The pods of one node. */
export interface Edged {
  /** The logs of the pods of this node. */
  readonly logs: PodLogs
  /** The way into the containers of this node. */
  readonly streams: PodStreams
  /** Resolves when the node is registered and every pod known at the start has been looked at. */
  readonly ready: Promise<void>
  /** The spec of a lease that says: this node is alive now. For a signal, not for the log. */
  heartbeat(): JsonObject
  /**
   * What the node and its pods use now; CPU is measured since the call before. To be called every 15
   * seconds or so.
   */
  usage(): Promise<UsageReport>
  /** Lets go of everything. Containers keep running, for the next edged to take up. Idempotent. */
  close(): Promise<void>
}

const RELIST_MS = 60_000
/** How often the node itself is looked at: what it is changes without a hint. */
const NODE_LOOK_MS = 60_000
/** How often it is looked whether the static pod that another one replaces is gone. */
const REPLACED_LOOK_MS = 250
const LEASE_SECONDS = 40
const NODE_KEY = 'node'
/** The longest wait after failures with one pod: as kubelet has it, whatever the failure was. */
const RETRY_BACKOFF: BackoffLimits = { firstMs: 250, maxMs: 15_000 }

/**
 * Runs the pods that the store assigns to this node, and reports on them and on the node.
 *
 * Level-triggered: changes of objects and hints of the runtime only say where to look. Nothing that
 * matters is kept in memory, so a restart at any moment goes on where things stand.
 *
 * @throws UsageError for thresholds, times or marks that are not allowed.
 */
export function createEdged(options: EdgedOptions): Edged {
  // Here, where whoever is wrong gets to know it.
  evictionSettings(options.eviction ?? {})
  imageCollectionSettings(options.imageCollection ?? {})
  return new NodeAgent(options)
}

class NodeAgent implements Edged {
  readonly logs: PodLogs
  readonly streams: PodStreams
  readonly ready: Promise<void>
  readonly #options: EdgedOptions
  readonly #reconciler: Reconciler
  /** Has one key. Apart, so that pods whose calls hang do not keep the node from saying so. */
  readonly #nodeReconciler: Reconciler
  readonly #events: EventRecorder
  readonly #usage: UsageSampler
  readonly #closed = new AbortController()
  readonly #pods = new Map<string, ObjectKey>()
  readonly #cancels: Cancel[] = []
  readonly #statics: StaticPods
  readonly #relister: Relister
  #worker: PodWorker | undefined
  #housekeeping: Housekeeping | undefined
  #facts: Omit<NodeFacts, 'pressure'> | undefined
  #mayClean = false

  constructor(given: EdgedOptions) {
    this.#statics = new StaticPods({
      ...given,
      take: (uid, key) => {
        this.#pods.set(uid, key)
        this.#reconciler.hint(uid)
      },
      drop: (uid) => {
        this.#pods.delete(uid)
        this.#reconciler.hint(uid)
      },
    })
    const options = { ...given, store: this.#statics.store }
    this.#options = options
    const { node, store, runtime, clock, random, logger } = options
    this.#events = new EventRecorder({ store, node, clock, random, logger })
    this.#usage = new UsageSampler({ node, store, runtime, clock })
    const common = { clock, random, logger, backoff: options.retryBackoff ?? RETRY_BACKOFF }
    this.#reconciler = createReconciler({ ...common, reconcile: (uid) => this.#reconcile(uid) })
    this.#nodeReconciler = createReconciler({ ...common, reconcile: () => this.#register() })
    this.#relister = new Relister({
      ...{ runtime, clock, logger, periodMs: options.relistMs ?? RELIST_MS },
      downAfterMs: options.runtimeDownMs ?? RUNTIME_DOWN_AFTER_MS,
      hint: (uid) => this.#reconciler.hint(uid),
      onHealth: ({ isBack }) => this.#onHealth(isBack),
    })
    this.logs = podLogs({ node, store, runtime, clock, closed: this.#closed.signal })
    this.streams = podStreams({ node, store, runtime })
    this.ready = this.#open()
    // Whoever does not wait for it still gets the failure, here.
    this.ready.catch((error: unknown) => logger.error('edged cannot start', { node, error }))
  }

  heartbeat(): JsonObject {
    const renewTime = new Date(this.#options.clock.wallMs()).toISOString().replace('Z', '000Z')
    return { holderIdentity: this.#options.node, leaseDurationSeconds: LEASE_SECONDS, renewTime }
  }

  usage(): Promise<UsageReport> {
    return this.#usage.sample()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    for (const cancel of this.#cancels.splice(0)) cancel()
    await this.ready.catch(() => {})
    for (const cancel of this.#cancels.splice(0)) cancel()
    await this.#relister.close()
    await this.#housekeeping?.close()
    await this.#statics.close()
    await this.#reconciler.close()
    await this.#nodeReconciler.close()
    this.#worker?.close()
    await this.#events.settled()
  }

  async #open(): Promise<void> {
    const { node, store, runtime, clock, random, logger } = this.#options
    const api = await Promise.race([this.#options.api, aborted(this.#closed.signal)])
    if (this.#closed.signal.aborted) return
    await mkdir(this.#options.directory, { recursive: true, mode: 0o755 })
    const directory = await realpath(this.#options.directory)
    this.#facts = await lookAtNode(this.#options)
    const housekeeping = this.#keepHouse(directory)
    this.#housekeeping = housekeeping
    this.#worker = new PodWorker({
      store,
      runtime,
      api,
      clusterDns: this.#options.clusterDns,
      directory,
      clock,
      random,
      logger,
      backoff: this.#options.restartBackoff ?? RESTART_BACKOFF,
      podProcessesMax: this.#options.podProcessesMax,
      unsafeSysctls: this.#options.unsafeSysctls ?? [],
      node: () => this.#node(),
      record: (occurrence) => this.#events.record(occurrence),
      evictions: housekeeping.rules,
      hint: (uid) => this.#reconciler.hint(uid),
      closed: this.#closed.signal,
    })
    await housekeeping.start()
    const bootId = await registerNode(store, this.#node(), clock)
    if (bootId !== undefined) this.#events.record(rebooted(node, bootId))
    if (this.#closed.signal.aborted) return
    this.#watchObjects()
    await this.#statics.start()
    this.#cancels.push(runtime.watch((hint) => this.#reconciler.hint(hint.podUid)))
    await this.#relister.start()
    this.#scheduleNodeLook()
    this.#cancels.push(watchSteps({ clock, logger, onStep: () => this.#onHealth(true) }))
    this.#whenLoaded(directory)
    await this.#reconciler.idle()
    logger.info('edged is ready', { node, pods: this.#pods.size })
  }

  /** Orphans are cleaned only once it is certain that they are orphans. */
  #whenLoaded(directory: string): void {
    const clean = async (): Promise<void> => {
      await this.#options.loaded
      if (this.#closed.signal.aborted) return
      this.#mayClean = true
      const { sandboxes } = await this.#options.runtime.list()
      const directories = await readdir(join(directory, 'pods')).catch(() => [])
      for (const uid of [...sandboxes.map((sandbox) => sandbox.uid), ...directories]) {
        if (!this.#pods.has(uid)) this.#reconciler.hint(uid)
      }
    }
    clean().catch((error: unknown) => {
      this.#options.logger.warn('cannot look for orphaned pods', { error })
    })
  }

  #watchObjects(): void {
    const { store } = this.#options
    const pods = store.list('pods')
    for (const pod of pods.items) this.#take(pod)
    const since = { since: pods.resourceVersion }
    this.#cancels.push(store.watch('pods', since, (event) => this.#onPod(event)))
    for (const resource of ['configmaps', 'secrets']) {
      this.#cancels.push(
        store.watch(resource, since, (event) => this.#onReference(resource, event.object)),
      )
    }
    this.#cancels.push(
      store.watch('nodes', since, (event) => {
        if (event.object.metadata.name === this.#options.node) this.#nodeReconciler.hint(NODE_KEY)
      }),
    )
  }

  #onPod(event: ObjectEvent): void {
    const uid = event.object.metadata.uid
    if (uid === undefined) return
    if (this.#worker?.ownStatuses.isOwn(event) === true) return
    if (isMirror(event.object)) return this.#statics.mirrorChanged(event.object)
    if (event.type !== 'DELETED') return this.#take(event.object)
    if (this.#pods.delete(uid)) this.#reconciler.hint(uid)
  }

  #take(pod: KubeObject): void {
    const { namespace, name, uid } = pod.metadata
    if (uid === undefined) return
    if (asObject(pod['spec'])['nodeName'] === this.#options.node) {
      this.#pods.set(uid, { resource: 'pods', namespace, name })
      this.#reconciler.hint(uid)
    } else if (this.#pods.delete(uid)) {
      this.#reconciler.hint(uid)
    }
  }

  #onReference(resource: string, object: KubeObject): void {
    const { namespace, name } = object.metadata
    for (const [uid, key] of this.#pods) {
      if (key.namespace !== namespace) continue
      const pod = this.#options.store.get(key)
      if (pod === undefined || !referencesOf(viewPod(pod)).has(`${resource}/${name}`)) continue
      this.#reconciler.hint(uid)
    }
  }

  async #register(): Promise<ReconcileResult> {
    await registerNode(this.#options.store, this.#node(), this.#options.clock)
    return undefined
  }

  async #reconcile(uid: string): Promise<ReconcileResult> {
    // All of them are looked at again when it is back.
    if (this.#relister.isDown) return undefined
    const pod = this.#pods.get(uid)
    const mayClean = this.#mayClean || this.#statics.isDropped(uid)
    if (pod === undefined && !mayClean) return undefined
    if (pod !== undefined && (await this.#statics.hasToWait(uid, pod)))
      return { retryAfterMs: REPLACED_LOOK_MS }
    try {
      return await this.#worker?.reconcile(uid, pod)
    } catch (error) {
      if (error instanceof RuntimeError && error.reason === 'Unavailable') this.#relister.doubt()
      throw error
    }
  }

  #onHealth(isBack: boolean): void {
    this.#nodeReconciler.hint(NODE_KEY)
    if (isBack) for (const uid of this.#pods.keys()) this.#reconciler.hint(uid)
  }

  #scheduleNodeLook(): void {
    if (this.#closed.signal.aborted) return
    const { clock, logger } = this.#options
    const cancel = clock.schedule(NODE_LOOK_MS, () => {
      this.#cancels.splice(this.#cancels.indexOf(cancel), 1)
      this.#lookAgain()
        .catch((error: unknown) => logger.warn('cannot look at the node', { error }))
        .finally(() => this.#scheduleNodeLook())
    })
    this.#cancels.push(cancel)
  }

  async #lookAgain(): Promise<void> {
    this.#facts = await lookAtNode(this.#options)
    this.#nodeReconciler.hint(NODE_KEY)
    await this.#events.prune()
  }

  #keepHouse(directory: string): Housekeeping {
    const { node, store, runtime, clock, logger, eviction, imageCollection } = this.#options
    return new Housekeeping(
      {
        ...{ node, store, runtime, clock, logger, eviction, images: imageCollection },
        pods: this.#pods,
        knowsAll: () => this.#mayClean,
        record: (occurrence) => this.#events.record(occurrence),
        hint: (uid) => this.#reconciler.hint(uid),
        onPressure: () => this.#nodeReconciler.hint(NODE_KEY),
      },
      directory,
    )
  }

  #node(): NodeFacts {
    if (this.#facts === undefined || this.#housekeeping === undefined)
      throw new Error('the node has not been looked at')
    return {
      ...this.#facts,
      pressure: this.#housekeeping.pressure,
      problems: this.#relister.problems,
    }
  }
}

/** Resolves when a signal is aborted. */
function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
