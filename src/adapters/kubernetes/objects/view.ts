import type { Identity } from './identity.ts'
import { nameOf } from './identity.ts'
import { KindRows } from './kind-rows.ts'
import { type RowCaches, Shown, treeCache } from './rows.ts'
import { SharedTexts } from './shared-texts.ts'
import {
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type ObjectKey,
  type ObjectList,
  type ObjectRow,
  type WatchOptions,
} from './types.ts'

/** How many changes a watch can go back. */
const HISTORY_MAX = 4096

interface Watcher {
  readonly resource: string
  readonly options: WatchOptions
  readonly listener: (event: ObjectEvent) => void
}

/** An event as it is remembered: trees are made for who looks at them. */
class Change implements ObjectEvent {
  readonly resource: string
  readonly type: ObjectEvent['type']
  readonly row: ObjectRow
  readonly previousRow: ObjectRow | undefined
  readonly resourceVersion: number

  constructor(
    resource: string,
    type: ObjectEvent['type'],
    row: ObjectRow,
    resourceVersion: number,
    previousRow?: ObjectRow,
  ) {
    this.resource = resource
    this.type = type
    this.row = row
    this.resourceVersion = resourceVersion
    this.previousRow = previousRow
  }

  get object(): KubeObject {
    return this.row.object
  }

  get previous(): KubeObject | undefined {
    return this.previousRow?.object
  }
}

/** The objects of a store in memory: current ones by name, recent changes, and who watches. */
export class ObjectView {
  readonly #kinds = new Map<string, KindRows>()
  readonly #caches: RowCaches = { trees: treeCache(), texts: new SharedTexts() }
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
    return this.#kinds.get(key.resource)?.get(nameOf(key))
  }

  list(resource: string, namespace: string | undefined): ObjectList {
    const rows = this.#kinds.get(resource)?.list(namespace) ?? []
    const resourceVersion = this.#resourceVersion
    let items: readonly KubeObject[] | undefined
    return {
      rows,
      get items() {
        items ??= rows.map((row) => row.object)
        return items
      },
      resourceVersion,
    }
  }

  /** The objects of a kind with what they are made of. */
  shownOf(resource: string): readonly Shown[] {
    return this.#kinds.get(resource)?.list(undefined) ?? []
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
        if (change.resourceVersion > since && isFor(watcher, change)) listener(change)
      }
    }
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Shows an object without telling anyone: while the store is loaded. */
  seed(identity: Identity, object: KubeObject): void {
    const known = this.get(identity)
    if (known === undefined || known.identity.incarnation < identity.incarnation) {
      this.#put(new Shown(identity, object, this.#caches, false))
    }
  }

  /** The store is loaded: watches can go back to here. */
  seeded(resourceVersion: number): void {
    this.#oldest = resourceVersion
    this.#resourceVersion = resourceVersion
    this.#settled = resourceVersion
  }

  show(identity: Identity, object: KubeObject, resourceVersion: number): void {
    const previous = this.get(identity)
    const shown = new Shown(identity, object, this.#caches, true)
    this.#put(shown)
    const { resource } = identity
    const isSame = previous?.identity.incarnation === identity.incarnation
    if (previous !== undefined && !isSame) {
      const row = new Shown(previous.identity, previous.at(resourceVersion), this.#caches, true)
      this.#tell(new Change(resource, 'DELETED', row, resourceVersion))
    }
    const change = isSame
      ? new Change(resource, 'MODIFIED', shown, resourceVersion, previous)
      : new Change(resource, 'ADDED', shown, resourceVersion)
    this.#tell(change)
  }

  /** Takes an object away, which is told at the resourceVersion of the deletion. */
  hide(shown: Shown, resourceVersion: number): void {
    const { identity } = shown
    this.#kinds.get(identity.resource)?.delete(nameOf(identity))
    // Kept as text as all others: the history is long.
    const last = new Shown(identity, shown.at(resourceVersion), this.#caches, true)
    this.#caches.trees.drop(shown)
    this.#tell(new Change(identity.resource, 'DELETED', last, resourceVersion))
  }

  /** Everything up to here has been looked at. */
  advance(resourceVersion: number): void {
    if (resourceVersion <= this.#settled) return
    this.#settled = resourceVersion
    this.#resourceVersion = Math.max(this.#resourceVersion, resourceVersion)
    for (const watcher of [...this.#watchers]) {
      const { onProgress } = watcher.options
      if (onProgress !== undefined) this.#guard(watcher, () => onProgress(resourceVersion))
    }
  }

  #put(shown: Shown): void {
    const { resource } = shown.identity
    const rows = this.#kinds.get(resource) ?? new KindRows(resource)
    rows.set(nameOf(shown.identity), shown)
    this.#kinds.set(resource, rows)
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
      if (isFor(watcher, change)) this.#guard(watcher, () => watcher.listener(change))
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

function isFor({ resource, options }: Watcher, change: Change): boolean {
  if (change.resource !== resource) return false
  return options.namespace === undefined || change.row.namespace === options.namespace
}
