import type { Identity } from './identity.ts'
import { nameOf } from './identity.ts'
import {
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type ObjectKey,
  type ObjectList,
  type WatchOptions,
} from './types.ts'

/** How many changes a watch can go back. */
const HISTORY_MAX = 4096

/** One object as it is shown, with the documents behind it. */
export interface Shown {
  readonly identity: Identity
  readonly object: KubeObject
}

interface Watcher {
  readonly resource: string
  readonly options: WatchOptions
  readonly listener: (event: ObjectEvent) => void
}

interface Change extends ObjectEvent {
  readonly resource: string
}

/** The objects of a store in memory: current ones by name, recent changes, and who watches. */
export class ObjectView {
  readonly #objects = new Map<string, Map<string, Shown>>()
  readonly #watchers = new Set<Watcher>()
  #history: Change[] = []
  /** A watch from before this has missed something. */
  #oldest = 0
  #resourceVersion = 0
  #settled = 0
  readonly #onError: (error: unknown) => void

  /** @param onError told of watchers that throw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /** The newest version that anybody was told of. What is not shown yet will be told at a later one. */
  get resourceVersion(): number {
    return this.#resourceVersion
  }

  /** Everything up to here is shown. */
  get settled(): number {
    return this.#settled
  }

  get(key: ObjectKey): Shown | undefined {
    return this.#objects.get(key.resource)?.get(nameOf(key))
  }

  list(resource: string, namespace: string | undefined): ObjectList {
    const all = [...(this.#objects.get(resource)?.values() ?? [])].map((shown) => shown.object)
    const items =
      namespace === undefined
        ? all
        : all.filter((object) => object.metadata.namespace === namespace)
    items.sort(byName)
    return { items, resourceVersion: this.#resourceVersion }
  }

  /** The objects of a kind with what they are made of. */
  shownOf(resource: string): readonly Shown[] {
    return [...(this.#objects.get(resource)?.values() ?? [])]
  }

  watch(
    resource: string,
    options: WatchOptions,
    listener: (event: ObjectEvent) => void,
  ): () => void {
    const { since } = options
    const watcher = { resource, options, listener }
    if (since !== undefined && since < this.#oldest) {
      throw new ObjectError('Expired', `too old resource version: ${since} (${this.#oldest})`)
    }
    if (since !== undefined) {
      for (const change of this.#history) {
        if (change.resourceVersion > since) deliver(watcher, change)
      }
    }
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Shows an object without telling anyone: while the store is loaded. */
  seed(shown: Shown): void {
    const known = this.get(shown.identity)
    if (known === undefined || known.identity.incarnation < shown.identity.incarnation) {
      this.#put(shown)
    }
  }

  /** The store is loaded: watches can go back to here. */
  seeded(resourceVersion: number): void {
    this.#oldest = resourceVersion
    this.#resourceVersion = resourceVersion
    this.#settled = resourceVersion
  }

  show(shown: Shown, resourceVersion: number): void {
    const previous = this.get(shown.identity)
    this.#put(shown)
    const { resource } = shown.identity
    if (previous !== undefined && previous.identity.incarnation !== shown.identity.incarnation) {
      const metadata = { ...previous.object.metadata, resourceVersion: String(resourceVersion) }
      const object = { ...previous.object, metadata }
      this.#tell({ type: 'DELETED', object, resourceVersion, resource })
    }
    const type =
      previous?.identity.incarnation === shown.identity.incarnation ? 'MODIFIED' : 'ADDED'
    this.#tell({
      type,
      object: shown.object,
      previous: type === 'MODIFIED' ? previous?.object : undefined,
      resourceVersion,
      resource,
    })
  }

  /** @param object the last state, at the resourceVersion of the deletion. */
  hide(identity: Identity, object: KubeObject, resourceVersion: number): void {
    this.#objects.get(identity.resource)?.delete(nameOf(identity))
    this.#tell({ type: 'DELETED', object, resourceVersion, resource: identity.resource })
  }

  /** Everything up to here has been looked at. */
  advance(resourceVersion: number): void {
    if (resourceVersion <= this.#settled) return
    this.#settled = resourceVersion
    this.#resourceVersion = Math.max(this.#resourceVersion, resourceVersion)
    for (const watcher of [...this.#watchers]) {
      this.#guard(watcher, () => watcher.options.onProgress?.(resourceVersion))
    }
  }

  #put(shown: Shown): void {
    const { resource } = shown.identity
    const objects = this.#objects.get(resource) ?? new Map<string, Shown>()
    objects.set(nameOf(shown.identity), shown)
    this.#objects.set(resource, objects)
  }

  #tell(change: Change): void {
    // Who lists after hearing of it must not be told that its list is older.
    this.#resourceVersion = Math.max(this.#resourceVersion, change.resourceVersion)
    this.#history.push(change)
    if (this.#history.length > HISTORY_MAX * 2) {
      const cut = this.#history.length - HISTORY_MAX
      this.#oldest = this.#history[cut - 1]?.resourceVersion ?? this.#oldest
      this.#history = this.#history.slice(cut)
    }
    for (const watcher of [...this.#watchers]) {
      this.#guard(watcher, () => deliver(watcher, change))
    }
  }

  /** One watcher that throws, or that another one ended meanwhile, is no harm to the others. */
  #guard(watcher: Watcher, call: () => void): void {
    if (!this.#watchers.has(watcher)) return
    try {
      call()
    } catch (error) {
      this.#onError(error)
    }
  }
}

function deliver({ resource, options, listener }: Watcher, change: Change): void {
  if (change.resource !== resource) return
  if (options.namespace !== undefined && change.object.metadata.namespace !== options.namespace)
    return
  listener(change)
}

function byName(a: KubeObject, b: KubeObject): number {
  const left = `${a.metadata.namespace ?? ''}/${a.metadata.name}`
  const right = `${b.metadata.namespace ?? ''}/${b.metadata.name}`
  return left < right ? -1 : left > right ? 1 : 0
}
