import type { Cancel, Clock } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { ObjectKey, ObjectStore } from '../kubernetes/objects/types.ts'
import type { PodRuntime } from '../runtime/index.ts'
import { ContainerCollector } from './collection/container-collector.ts'
import { ImageCollector } from './collection/image-collector.ts'
import { type ImageCollectionOptions, imageCollectionSettings } from './collection/settings.ts'
import type { Occurrence } from './events/event-record.ts'
import type { EvictionRules } from './eviction/eviction.ts'
import { Evictor } from './eviction/evictor.ts'
import { type EvictionOptions, evictionSettings } from './eviction/settings.ts'
import { parseImageName } from './images/image-name.ts'
import type { NodePressure } from './node/node-status.ts'
import { allContainers, type PodView, viewPod } from './pod-view.ts'

/** What {@link Housekeeping} needs. */
export interface HousekeepingOptions {
  readonly node: string
  readonly store: ObjectStore
  readonly runtime: PodRuntime
  readonly clock: Clock
  readonly logger: Logger
  readonly eviction: EvictionOptions | undefined
  readonly images: ImageCollectionOptions | undefined
  /** The pods of this node, by uid. */
  readonly pods: ReadonlyMap<string, ObjectKey>
  /** Whether a pod that is not in `pods` is certainly gone. */
  readonly knowsAll: () => boolean
  readonly record: (occurrence: Occurrence) => void
  /** Asks for another look at a pod. */
  readonly hint: (uid: string) => void
  /** The pressure of the node is another one now. */
  readonly onPressure: () => void
}

/** How often dead containers are looked for, as kubelet does. */
const CONTAINERS_MS = 60_000

/** Keeps a node from filling up: ends pods, and removes containers and images that nobody needs. */
export class Housekeeping {
  readonly #options: HousekeepingOptions
  readonly #evictor: Evictor
  readonly #containers: ContainerCollector
  readonly #images: ImageCollector | undefined
  readonly #imagesMs: number
  readonly #cancels = new Map<string, Cancel>()
  readonly #running = new Set<Promise<void>>()
  #isClosed = false

  /**
   * @param directory where the directories of pods and their logs are.
   * @throws UsageError for options that are not allowed.
   */
  constructor(options: HousekeepingOptions, directory: string) {
    this.#options = options
    const { runtime, clock, logger, node, record, hint } = options
    const limits = imageCollectionSettings(options.images ?? {})
    this.#imagesMs = limits.periodMs
    this.#containers = new ContainerCollector({
      ...{ runtime, directory, clock, hint },
      isGone: (uid) => options.knowsAll() && !options.pods.has(uid),
      hasEnded: (uid) => this.#hasEnded(uid),
    })
    const tell = (reason: string, message: string): void =>
      record({
        ...{ kind: 'Node', namespace: 'default', name: node, uid: node },
        ...{ type: 'Warning', reason, message },
      })
    const { images } = runtime
    const wanted = (): ReadonlySet<string> => this.#wantedImages()
    this.#images =
      images === undefined
        ? undefined
        : new ImageCollector({ images, limits, clock, logger, wanted, tell })
    this.#evictor = new Evictor({
      ...{ node, directory, runtime, clock, logger, record, hint },
      settings: evictionSettings(options.eviction ?? {}),
      pods: () => this.#livePods(),
      onConditions: options.onPressure,
      reclaim: () => this.#reclaim(),
    })
  }

  /** What those ask who work on pods. */
  get rules(): EvictionRules {
    return this.#evictor
  }

  /** What runs short. */
  get pressure(): NodePressure {
    const { conditions } = this.#evictor
    return {
      memory: conditions.includes('MemoryPressure'),
      disk: conditions.includes('DiskPressure'),
      pid: conditions.includes('PIDPressure'),
    }
  }

  /** Looks at the node once, and then again and again until it is closed. */
  async start(): Promise<void> {
    await this.#evictor.start()
    this.#again('containers', CONTAINERS_MS, () => this.#containers.collect())
    const images = this.#images
    if (images === undefined) return
    // At once, too: from now on images get older.
    this.#run(() => images.collect())
    this.#again('images', this.#imagesMs, () => images.collect())
  }

  /** Looks no more. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const cancel of this.#cancels.values()) cancel()
    await this.#evictor.close()
    await Promise.all(this.#running)
  }

  #again(name: string, periodMs: number, work: () => Promise<void>): void {
    if (this.#isClosed) return
    const cancel = this.#options.clock.schedule(periodMs, () => {
      this.#run(() => work().finally(() => this.#again(name, periodMs, work)))
    })
    this.#cancels.set(name, cancel)
  }

  #run(work: () => Promise<void>): void {
    const running: Promise<void> = work()
      .catch((error: unknown) => this.#warn(error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** @returns whether anything went. */
  async #reclaim(): Promise<boolean> {
    const warn = (error: unknown): number => {
      this.#warn(error)
      return 0
    }
    const pods = await this.#containers.removeEnded().catch(warn)
    const bytes = (await this.#images?.removeUnused().catch(warn)) ?? 0
    return pods + bytes > 0
  }

  #warn(error: unknown): void {
    if (this.#isClosed) return
    this.#options.logger.warn('what nobody needs could not be removed', { error })
  }

  #livePods(): readonly PodView[] {
    const { pods, store } = this.#options
    return [...pods].flatMap(([uid, key]) => {
      const object = store.get(key)
      if (object?.metadata.uid !== uid) return []
      const pod = viewPod(object)
      return hasEnded(pod) ? [] : [pod]
    })
  }

  #hasEnded(uid: string): boolean {
    const key = this.#options.pods.get(uid)
    const object = key === undefined ? undefined : this.#options.store.get(key)
    return object?.metadata.uid === uid && hasEnded(viewPod(object))
  }

  /** A node that is cut off could not get them again, so that they stay while a pod names them. */
  #wantedImages(): ReadonlySet<string> {
    const names = new Set<string>()
    for (const { image } of this.#livePods().flatMap(allContainers)) {
      const parsed = parseImageName(image)
      if (!('problem' in parsed)) names.add(parsed.reference)
    }
    return names
  }
}

function hasEnded({ status }: PodView): boolean {
  return status['phase'] === 'Succeeded' || status['phase'] === 'Failed'
}
