import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type {
  JsonObject,
  KubeObject,
  ObjectKey,
  ObjectStore,
} from '../../kubernetes/objects/types.ts'
import type { PodRuntime } from '../../runtime/index.ts'
import { kubeTime } from '../conditions.ts'
import { asObject } from '../json.ts'
import { ManifestFolder } from './manifest-folder.ts'
import { Mirrors } from './mirrors.ts'
import { asStaticPod, isMirrorOf } from './static-pod.ts'
import { StaticView } from './static-view.ts'

/** Where the pods of a node come from that nobody asks the API for. */
export interface ManifestOptions {
  /** A folder with a manifest (YAML or JSON) in each file. */
  readonly directory: string
  /**
   * Reads one pod, with everything filled in that the API would fill in.
   *
   * @throws Error with what is wrong with it.
   */
  readonly read: (text: string) => KubeObject
}

/** What {@link StaticPods} needs. */
export interface StaticPodsOptions {
  readonly node: string
  readonly store: ObjectStore
  readonly runtime: Pick<PodRuntime, 'list'>
  readonly clock: Clock
  readonly logger: Logger
  /** Default: none. */
  readonly manifests?: ManifestOptions | undefined
  /** A static pod is to be run. */
  readonly take: (uid: string, key: ObjectKey) => void
  /** A static pod is to go. */
  readonly drop: (uid: string) => void
}

interface StaticPod {
  readonly object: KubeObject
  /** What its status was last said to be; undefined before that. */
  status: JsonObject | undefined
}

/** The pods whose manifests are in a folder of the node. */
export class StaticPods {
  /** The objects of the node, with its static pods. */
  readonly store: ObjectStore
  readonly #options: StaticPodsOptions
  readonly #mirrors: Mirrors
  readonly #folder: ManifestFolder | undefined
  /** The pod of each file, and the text that it was made from. */
  readonly #files = new Map<
    string,
    { readonly text: string; readonly key: ObjectKey | undefined }
  >()
  /** By namespace and name. */
  readonly #pods = new Map<string, StaticPod>()
  /** Pods of this node that went with their files. */
  readonly #dropped = new Set<string>()
  /** Those that nothing older stands in the way of. */
  readonly #clear = new Set<string>()

  constructor(options: StaticPodsOptions) {
    this.#options = options
    const { store, node, clock, logger, manifests } = options
    const at = (key: ObjectKey): KubeObject | undefined => this.#at(key)
    const pods = this.#pods
    this.store = new StaticView(store, {
      at,
      get all() {
        return [...pods.values()].map(({ object }) => at(keyOf(object)) ?? object)
      },
      setStatus: (key, status) => this.#setStatus(key, status),
    })
    this.#mirrors = new Mirrors({ store, node, logger, podAt: at })
    this.#folder =
      manifests === undefined
        ? undefined
        : new ManifestFolder({
            directory: manifests.directory,
            clock,
            logger,
            found: (texts, unreadable) => this.#found(texts, unreadable, manifests),
          })
  }

  /** Takes what is in the folder. */
  async start(): Promise<void> {
    await this.#folder?.start()
    for (const key of this.#mirrors.here()) this.#mirrors.look(key)
  }

  /** What shows a static pod has changed or gone. */
  mirrorChanged(mirror: KubeObject): void {
    this.#mirrors.look(keyOf(mirror))
  }

  /** Whether a pod went with its file, so that what is left of it may be cleared up at any time. */
  isDropped(uid: string): boolean {
    return this.#dropped.has(uid)
  }

  /** Whether an older pod of the same name still stands in the way. That one is dropped. */
  async hasToWait(uid: string, key: ObjectKey): Promise<boolean> {
    if (this.#at(key)?.metadata.uid !== uid || this.#clear.has(uid)) return false
    const { sandboxes } = await this.#options.runtime.list()
    const older = sandboxes.filter(
      (each) => each.name === key.name && each.namespace === key.namespace && each.uid !== uid,
    )
    for (const { uid: old } of older) this.#drop(old)
    if (older.length === 0) this.#clear.add(uid)
    return older.length > 0
  }

  /** Lets go of everything; static pods go on running. */
  async close(): Promise<void> {
    await this.#folder?.close()
    await this.#mirrors.close()
  }

  #at(key: ObjectKey): KubeObject | undefined {
    const pod = key.resource === 'pods' ? this.#pods.get(textOf(key)) : undefined
    if (pod === undefined) return undefined
    const mirror = this.#options.store.get(key)
    const isOwn = mirror !== undefined && isMirrorOf(mirror, pod.object)
    const status = pod.status ?? (isOwn ? asObject(mirror['status']) : {})
    return { ...pod.object, status }
  }

  async #setStatus(key: ObjectKey, status: JsonObject): Promise<void> {
    const pod = this.#pods.get(textOf(key))
    if (pod === undefined) return
    pod.status = status
    await this.#mirrors.tell(key, status)
  }

  async #found(
    texts: ReadonlyMap<string, string>,
    unreadable: ReadonlySet<string>,
    { read }: ManifestOptions,
  ): Promise<void> {
    for (const [file, { key }] of this.#files) {
      if (texts.has(file) || unreadable.has(file)) continue
      this.#files.delete(file)
      if (key !== undefined) this.#end(key)
    }
    for (const [file, text] of texts) this.#take(file, text, read)
    for (const { object } of this.#pods.values()) this.#mirrors.look(keyOf(object))
  }

  #take(file: string, text: string, read: ManifestOptions['read']): void {
    const { node, clock, logger } = this.#options
    const before = this.#files.get(file)
    if (before?.text === text) return
    let object: KubeObject
    try {
      object = asStaticPod(read(text), { node, file, seenAt: kubeTime(clock.wallMs()) })
      this.#refuseTaken(file, keyOf(object))
    } catch (error) {
      // What runs from an earlier text goes on.
      logger.error('a manifest of a static pod cannot be used', { file, error })
      this.#files.set(file, { text, key: before?.key })
      return
    }
    const key = keyOf(object)
    this.#files.set(file, { text, key })
    if (before?.key !== undefined && textOf(before.key) !== textOf(key)) this.#end(before.key)
    const known = this.#pods.get(textOf(key))
    const { uid = '' } = object.metadata
    if (known?.object.metadata.uid === uid) return
    this.#pods.set(textOf(key), { object, status: undefined })
    if (known !== undefined) this.#drop(known.object.metadata.uid ?? '')
    this.#dropped.delete(uid)
    logger.info('a static pod is to run', { file, pod: textOf(key), uid })
    this.#options.take(uid, key)
  }

  /** @throws Error when another file has a pod of this name. */
  #refuseTaken(file: string, key: ObjectKey): void {
    for (const [other, { key: taken }] of this.#files) {
      if (other === file || taken === undefined || textOf(taken) !== textOf(key)) continue
      throw new Error(`the pod ${textOf(key)} is in ${other} already`)
    }
  }

  #end(key: ObjectKey): void {
    const pod = this.#pods.get(textOf(key))
    if (pod === undefined) return
    this.#pods.delete(textOf(key))
    const { uid = '' } = pod.object.metadata
    this.#options.logger.info('a static pod is to go', { pod: textOf(key), uid })
    this.#drop(uid)
    this.#mirrors.look(key)
  }

  #drop(uid: string): void {
    this.#clear.delete(uid)
    this.#dropped.add(uid)
    this.#options.drop(uid)
  }
}

function keyOf(pod: KubeObject): ObjectKey {
  const { namespace, name } = pod.metadata
  return { resource: 'pods', namespace, name }
}

function textOf({ namespace, name }: ObjectKey): string {
  return `${namespace ?? ''}/${name}`
}
