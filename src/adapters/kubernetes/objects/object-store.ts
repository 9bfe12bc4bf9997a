import type { Position, Replica, Sha256 } from '../../../core/index.ts'
import { checkName, checkPreconditions, qualified } from './checks.ts'
import { CustomKinds } from './custom-kinds.ts'
import { applyDeletion, type Deletion } from './deletion.ts'
import { translated } from './engine-errors.ts'
import { fateOf } from './fate.ts'
import { homeOf } from './homes.ts'
import { documentId, type Identity, nameOf, uidOf } from './identity.ts'
import { KeyedLock } from './keyed-lock.ts'
import { writeNew, writePart } from './part-writes.ts'
import { amended, apiVersionOf, desiredPart, observedPart, sameDesired } from './parts.ts'
import { Projector } from './projector.ts'
import type { Shown } from './rows.ts'
import {
  type CreateOptions,
  type DeleteOptions,
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type ObjectFate,
  type ObjectKey,
  type ObjectList,
  type ObjectRow,
  type ObjectStore,
  type Resource,
  type UpdateOptions,
  type WatchOptions,
} from './types.ts'
import { ObjectView } from './view.ts'

/** What {@link createObjectStore} needs. */
export interface ObjectStoreOptions {
  /** Opened with `documentKinds(resources)` among its kinds. It is not closed with the store. */
  readonly replica: Replica
  readonly resources: readonly Resource[]
  /** The name of the fleet, the same on all its replicas: part of every uid. */
  readonly fleet: string
  readonly sha256: Sha256
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: () => number
  /** Told of an object that cannot be shown. */
  readonly onError: (error: unknown) => void
  /**
   * Whether an edit may give an object another home, such as a pod that is bound. One replica of a fleet
   * decides about homes: everywhere else such an edit is refused with Forbidden. Default: true.
   */
  readonly moves?: boolean | undefined
}

/** A store that can be closed: it then follows its replica no longer. */
export interface OpenObjectStore extends ObjectStore {
  /** Stops following the replica, after what is being shown. Idempotent. */
  close(): Promise<void>
}

/** Opens the objects of a replica. Resolves when everything in its log is shown. */
export async function createObjectStore(options: ObjectStoreOptions): Promise<OpenObjectStore> {
  const view = new ObjectView(options.onError)
  const kinds = new CustomKinds(options.resources)
  const projector = new Projector({ ...options, kinds, view })
  await projector.start()
  const store = new DocumentStore(options, kinds, view, projector)
  if (options.moves !== false) await store.settle(projector.misplaced)
  return store
}

class DocumentStore implements OpenObjectStore {
  readonly #options: ObjectStoreOptions
  readonly #kinds: CustomKinds
  readonly #view: ObjectView
  readonly #projector: Projector
  /** Writes of one object go one after another: each sees what the one before it made. */
  readonly #lock = new KeyedLock()

  constructor(
    options: ObjectStoreOptions,
    kinds: CustomKinds,
    view: ObjectView,
    projector: Projector,
  ) {
    this.#options = options
    this.#kinds = kinds
    this.#view = view
    this.#projector = projector
  }

  get resources(): readonly Resource[] {
    return this.#kinds.all
  }

  onResources(listener: () => void): () => void {
    return this.#kinds.onChange(listener)
  }

  get resourceVersion(): number {
    return this.#view.resourceVersion
  }

  resource(id: string): Resource | undefined {
    return this.#kinds.byId.get(id)
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#view.get(key)?.object
  }

  row(key: ObjectKey): ObjectRow | undefined {
    return this.#view.get(key)
  }

  fateOf(key: ObjectKey, uid: string): Promise<ObjectFate> {
    const newest = this.#projector.incarnation(nameOf(key))
    const shownUid = this.get(key)?.metadata.uid
    return fateOf(key, uid, { ...this.#options, newest, shownUid })
  }

  list(resource: string, namespace?: string): ObjectList {
    return this.#view.list(resource, namespace)
  }

  watch(
    resource: string,
    options: WatchOptions,
    listener: (event: ObjectEvent) => void,
  ): () => void {
    return this.#view.watch(resource, options, listener)
  }

  async create(object: KubeObject, options: CreateOptions = {}): Promise<KubeObject> {
    const resource = this.#resourceOf(object)
    const { name, namespace } = object.metadata
    checkName(resource, name, namespace)
    const key: ObjectKey = {
      resource: resource.id,
      name,
      ...(resource.namespaced ? { namespace } : {}),
    }
    return await this.#lock.run(nameOf(key), () => this.#create(resource, key, object, options))
  }

  update(
    key: ObjectKey,
    recipe: (current: KubeObject) => KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject> {
    return this.#lock.run(nameOf(key), () => this.#update(key, recipe, options))
  }

  delete(key: ObjectKey, options: DeleteOptions = {}): Promise<KubeObject> {
    return this.#lock.run(nameOf(key), () => this.#delete(key, options))
  }

  remove(key: ObjectKey, options: { readonly uid?: string } = {}): Promise<void> {
    return this.#lock.run(nameOf(key), () => this.#remove(key, options))
  }

  async #create(
    resource: Resource,
    key: ObjectKey,
    given: KubeObject,
    options: CreateOptions,
  ): Promise<KubeObject> {
    const { name } = key
    // What is durable and not shown yet may be this very object, or its end.
    await this.#projector.shown(this.#options.replica.head)
    if (this.get(key) !== undefined) {
      throw new ObjectError('AlreadyExists', `${qualified(resource)} "${name}" already exists`, {
        key,
      })
    }
    const incarnation = await this.#projector.nextIncarnation(key)
    const identity: Identity = { ...key, incarnation }
    const uid = uidOf(identity, this.#options.fleet, this.#options.sha256)
    const object = options.complete?.(given, uid) ?? given
    const { deletionTimestamp: _, ...metadata } = object.metadata
    const created = {
      ...object,
      metadata: {
        ...metadata,
        creationTimestamp: this.#now(),
        ...(resource.counted ? { generation: 1 } : {}),
      },
    }
    const home = homeOf(resource.id, created)
    const position = await writeNew(this.#options.replica, resource, identity, {
      home,
      created,
      author: options.author,
    })
    return await this.#shown(key, position)
  }

  async #update(
    key: ObjectKey,
    recipe: (current: KubeObject) => KubeObject,
    options: UpdateOptions,
  ): Promise<KubeObject> {
    const resource = this.#resourceById(key)
    const { identity, object: current } = this.#existing(resource, key)
    checkPreconditions(resource, current, options)
    const base = options.base ?? current
    const next = recipe(base)
    if (next === base) return current
    const { part, author } = options
    const { replica } = this.#options
    let position = 0
    if (part !== 'desired' && resource.status) {
      const home = homeOf(resource.id, current)
      const [from, to] = [observedPart(base), observedPart(next)]
      position = await writePart(replica, resource, identity, 'observed', {
        home,
        from,
        to,
        author,
      })
    }
    if (part === 'desired' || (part === 'both' && !sameDesired(resource, base, next)))
      position = (await this.#writeDesired(resource, identity, base, next, author)) || position
    const updated = await this.#shown(key, position, current)
    return await this.#finishDeletion(resource, key, updated)
  }

  async #delete(key: ObjectKey, options: DeleteOptions): Promise<KubeObject> {
    const resource = this.#resourceById(key)
    const { object } = this.#existing(resource, key)
    checkPreconditions(resource, object, options)
    const deletion: Deletion = applyDeletion(resource, object, options, this.#options.wallMs())
    if (deletion.type === 'remove') {
      await this.#remove(key, {})
      return object
    }
    if (deletion.type === 'unchanged') return object
    return await this.#update(key, () => deletion.object, { part: 'both', author: options.author })
  }

  async #remove(key: ObjectKey, options: { readonly uid?: string }): Promise<void> {
    const resource = this.#resourceById(key)
    const shown = this.#view.get(key)
    if (shown === undefined) return
    if (options.uid !== undefined && options.uid !== shown.object.metadata.uid) return
    const { replica } = this.#options
    // The desired part first: with it the object is gone, whatever happens before the other follows.
    for (const part of ['desired', 'observed'] as const) {
      const id = documentId(shown.identity, part)
      const record = part === 'observed' && !resource.status ? undefined : await replica.record(id)
      if (record === undefined || record.deleted || record.left) continue
      await translated(key, () => replica.delete(id)).catch((error: unknown) => {
        // A peer was faster.
        if (!(error instanceof ObjectError && error.reason === 'NotFound')) throw error
      })
    }
    await this.#projector.shown(replica.head)
  }

  async close(): Promise<void> {
    await this.#projector.close()
  }

  async #writeDesired(
    resource: Resource,
    identity: Identity,
    base: KubeObject,
    wanted: KubeObject,
    author: string | undefined,
  ): Promise<Position> {
    const next = amended(resource, base, wanted)
    const { replica } = this.#options
    const { name } = base.metadata
    const home = homeOf(resource.id, base)
    const newHome = homeOf(resource.id, next)
    if (newHome !== home && this.#options.moves === false) {
      throw new ObjectError(
        'Forbidden',
        `${qualified(resource)} "${name}" cannot be moved from ${home} to ${newHome} here`,
        { key: identity },
      )
    }
    const [from, to] = [desiredPart(resource, base), desiredPart(resource, next)]
    const position = await writePart(replica, resource, identity, 'desired', {
      home,
      from,
      to,
      author,
    })
    if (newHome === home) return position
    return await this.#move(resource, identity, newHome)
  }

  /** Finishes moves that a crash interrupted. */
  async settle(identities: readonly Identity[]): Promise<void> {
    for (const identity of identities) {
      const shown = this.#view.get(identity)
      const resource = this.#kinds.byId.get(identity.resource)
      if (shown === undefined || resource === undefined) continue
      await this.#move(resource, identity, homeOf(resource.id, shown.object))
    }
    await this.#projector.shown(this.#options.replica.head)
  }

  /** A pod that was bound goes to its node, with everything that is known of it. */
  async #move(resource: Resource, identity: Identity, home: string): Promise<Position> {
    const { replica } = this.#options
    for (const part of ['observed', 'desired'] as const) {
      const id = documentId(identity, part)
      if (part === 'observed' && !resource.status) continue
      if ((await replica.record(id)) !== undefined) await replica.move(id, home)
    }
    return replica.head
  }

  async #shown(key: ObjectKey, position: Position, before?: KubeObject): Promise<KubeObject> {
    await this.#projector.shown(position)
    const object = this.get(key) ?? before
    if (object === undefined) throw this.#notFound(this.#resourceById(key), key)
    return object
  }

  /** An object that waited for its last finalizer goes when it is gone; a pod goes when its node says so. */
  async #finishDeletion(
    resource: Resource,
    key: ObjectKey,
    object: KubeObject,
  ): Promise<KubeObject> {
    const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
    const waits = (finalizers?.length ?? 0) > 0 || (deletionGracePeriodSeconds ?? 0) > 0
    if (deletionTimestamp === undefined || waits || resource.id === 'namespaces') return object
    await this.#remove(key, {})
    return object
  }

  #existing(resource: Resource, key: ObjectKey): Shown {
    const shown = this.#view.get(key)
    if (shown === undefined) throw this.#notFound(resource, key)
    return shown
  }

  #notFound(resource: Resource, key: ObjectKey): ObjectError {
    return new ObjectError('NotFound', `${qualified(resource)} "${key.name}" not found`, { key })
  }

  #resourceById(key: ObjectKey): Resource {
    const resource = this.#kinds.byId.get(key.resource)
    if (resource === undefined) {
      throw new ObjectError(
        'NotFound',
        `the server could not find the requested resource ${key.resource}`,
        { key },
      )
    }
    return resource
  }

  #resourceOf(object: KubeObject): Resource {
    const resource = this.resources.find(
      (candidate) =>
        candidate.kind === object.kind && apiVersionOf(candidate) === object.apiVersion,
    )
    if (resource !== undefined) return resource
    throw new ObjectError(
      'BadRequest',
      `no kind "${object.kind}" is registered for version "${object.apiVersion}"`,
    )
  }

  #now(): string {
    return new Date(this.#options.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z')
  }
}
