import type {
  CreateOptions,
  DeleteOptions,
  JsonObject,
  KubeObject,
  ObjectEvent,
  ObjectFate,
  ObjectKey,
  ObjectList,
  ObjectStore,
  Resource,
  UpdateOptions,
  WatchOptions,
} from '../../kubernetes/objects/types.ts'
import { isMirror } from './static-pod.ts'

/** What a {@link StaticView} is told of the static pods of its node. */
export interface StaticSource {
  /** The static pod at a key, as it is now. */
  at(key: ObjectKey): KubeObject | undefined
  /** All of them. */
  readonly all: readonly KubeObject[]
  /** Takes the status of a static pod. */
  setStatus(key: ObjectKey, status: JsonObject): Promise<void>
}

/**
 * The objects of a store, with static pods in the place of what shows them: whoever runs pods reads
 * and writes them as any other.
 */
export class StaticView implements ObjectStore {
  readonly #store: ObjectStore
  readonly #source: StaticSource

  constructor(store: ObjectStore, source: StaticSource) {
    this.#store = store
    this.#source = source
  }

  get resources(): readonly Resource[] {
    return this.#store.resources
  }

  get resourceVersion(): number {
    return this.#store.resourceVersion
  }

  onResources(listener: () => void): () => void {
    return this.#store.onResources(listener)
  }

  resource(id: string): Resource | undefined {
    return this.#store.resource(id)
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#source.at(key) ?? this.#store.get(key)
  }

  fateOf(key: ObjectKey, uid: string): Promise<ObjectFate> {
    return this.#store.fateOf(key, uid)
  }

  list(resource: string, namespace?: string): ObjectList {
    const list = this.#store.list(resource, namespace)
    if (resource !== 'pods') return list
    const isHere = (pod: KubeObject): boolean =>
      namespace === undefined || pod.metadata.namespace === namespace
    const own = this.#source.all.filter(isHere)
    const others = list.items.filter((pod) => {
      const { namespace: of, name } = pod.metadata
      const isShown = this.#source.at({ resource, namespace: of, name }) !== undefined
      return !isMirror(pod) && !isShown
    })
    return { ...list, items: [...others, ...own] }
  }

  watch(
    resource: string,
    options: WatchOptions,
    listener: (event: ObjectEvent) => void,
  ): () => void {
    return this.#store.watch(resource, options, listener)
  }

  create(object: KubeObject, options?: CreateOptions): Promise<KubeObject> {
    return this.#store.create(object, options)
  }

  async update(
    key: ObjectKey,
    recipe: (current: KubeObject) => KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject> {
    const pod = this.#source.at(key)
    if (pod === undefined) return await this.#store.update(key, recipe, options)
    const next = recipe(pod)
    if (next === pod) return pod
    await this.#source.setStatus(key, (next['status'] ?? {}) as JsonObject)
    return next
  }

  delete(key: ObjectKey, options?: DeleteOptions): Promise<KubeObject> {
    return this.#store.delete(key, options)
  }

  async remove(key: ObjectKey, options?: { readonly uid?: string }): Promise<void> {
    // It goes with its file, and with nothing else.
    if (this.#source.at(key) === undefined) await this.#store.remove(key, options)
  }
}
