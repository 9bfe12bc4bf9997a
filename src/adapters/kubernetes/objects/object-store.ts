import { equalValues, isTidewayError, type JsonMap, type Position, type Replica, type Sha256 } from '../../../core/index.ts'
import { applyDeletion, type Deletion } from './deletion.ts'
import { homeOf } from './homes.ts'
import { documentId, type Identity, nameOf, type Part } from './identity.ts'
import { documentKind } from './kinds.ts'
import { apiVersionOf, desiredPart, observedPart, sameSpec } from './parts.ts'
import { Projector } from './projector.ts'
import {
  type DeleteOptions,
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type ObjectKey,
  type ObjectList,
  type ObjectStore,
  type Resource,
  type UpdateOptions,
  type WatchOptions,
} from './types.ts'
import { ObjectView, type Shown } from './view.ts'

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
}

/** A store that can be closed: it then follows its replica no longer. */
export interface OpenObjectStore extends ObjectStore {
  close(): Promise<void>
}

/** Opens the objects of a replica. Resolves when everything in its log is shown. */
export async function createObjectStore(options: ObjectStoreOptions): Promise<OpenObjectStore> {
  const view = new ObjectView()
  const resources = new Map(options.resources.map((resource) => [resource.id, resource]))
  const projector = new Projector({ ...options, resources, view })
  await projector.start()
  return new DocumentStore(options, resources, view, projector)
}

class DocumentStore implements OpenObjectStore {
  readonly resources: readonly Resource[]
  readonly #options: ObjectStoreOptions
  readonly #byId: ReadonlyMap<string, Resource>
  readonly #view: ObjectView
  readonly #projector: Projector

  constructor(options: ObjectStoreOptions, byId: ReadonlyMap<string, Resource>, view: ObjectView, projector: Projector) {
    this.resources = options.resources
    this.#options = options
    this.#byId = byId
    this.#view = view
    this.#projector = projector
  }

  get resourceVersion(): number {
    return this.#view.resourceVersion
  }

  resource(id: string): Resource | undefined {
    return this.#byId.get(id)
  }

  get(key: ObjectKey): KubeObject | undefined {
    return this.#view.get(key)?.object
  }

  list(resource: string, namespace?: string): ObjectList {
    return this.#view.list(resource, namespace)
  }

  watch(resource: string, options: WatchOptions, listener: (event: ObjectEvent) => void): () => void {
    return this.#view.watch(resource, options, listener)
  }

  async create(object: KubeObject, options: { readonly author?: string } = {}): Promise<KubeObject> {
    const resource = this.#resourceOf(object)
    const { name, namespace } = object.metadata
    const key: ObjectKey = { resource: resource.id, name, ...(resource.namespaced ? { namespace } : {}) }
    if (this.get(key) !== undefined) {
      throw new ObjectError('AlreadyExists', `${qualified(resource)} "${name}" already exists`, { key })
    }
    const incarnation = this.#projector.incarnation(nameOf(key)) + 1
    const identity: Identity = { ...key, incarnation }
    const { deletionTimestamp: _, ...metadata } = object.metadata
    const created = {
      ...object,
      metadata: { ...metadata, creationTimestamp: this.#now(), generation: 1 },
    }
    const home = homeOf(resource.id, created)
    // The observed part first: the object is shown when its desired part is there, and is whole by then.
    if (resource.status && object['status'] !== undefined) {
      await this.#write(resource, identity, 'observed', home, {}, observedPart(created), options.author)
    }
    const position = await this.#write(resource, identity, 'desired', home, {}, desiredPart(resource, created), options.author)
    return await this.#shown(key, position)
  }

  async update(key: ObjectKey, recipe: (current: KubeObject) => KubeObject, options: UpdateOptions): Promise<KubeObject> {
    const resource = this.#resourceById(key)
    const { identity, object: current } = this.#existing(resource, key)
    checkPreconditions(resource, current, options)
    const base = options.base ?? current
    const next = recipe(base)
    if (next === base) return current
    const home = homeOf(resource.id, current)
    const position =
      options.part === 'observed'
        ? await this.#write(resource, identity, 'observed', home, observedPart(base), observedPart(next), options.author)
        : await this.#writeDesired(resource, identity, base, next, options.author)
    const updated = await this.#shown(key, position, current)
    return await this.#finishDeletion(resource, key, updated)
  }

  async delete(key: ObjectKey, options: DeleteOptions = {}): Promise<KubeObject> {
    const resource = this.#resourceById(key)
    const { object } = this.#existing(resource, key)
    checkPreconditions(resource, object, options)
    const deletion: Deletion = applyDeletion(resource, object, options, this.#options.wallMs())
    if (deletion.type === 'remove') {
      await this.remove(key)
      return object
    }
    if (deletion.type === 'unchanged') return object
    const { identity } = this.#existing(resource, key)
    const position = await this.#writeDesired(resource, identity, object, deletion.object, options.author)
    return await this.#shown(key, position, object)
  }

  async remove(key: ObjectKey, options: { readonly uid?: string } = {}): Promise<void> {
    const resource = this.#resourceById(key)
    const shown = this.#view.get(key)
    if (shown === undefined) return
    if (options.uid !== undefined && options.uid !== shown.object.metadata.uid) return
    const { replica } = this.#options
    for (const part of ['observed', 'desired'] as const) {
      const id = documentId(shown.identity, part)
      const record = part === 'observed' && !resource.status ? undefined : await replica.record(id)
      if (record === undefined || record.deleted || record.left) continue
      await this.#translate(key, () => replica.delete(id))
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
    const generation = base.metadata.generation ?? 1
    const raised = sameSpec(base, wanted) ? generation : generation + 1
    const { name, namespace, creationTimestamp } = base.metadata
    const metadata = { ...wanted.metadata, name, creationTimestamp, generation: raised }
    const next = { ...wanted, metadata: namespace === undefined ? metadata : { ...metadata, namespace } } as KubeObject
    const home = homeOf(resource.id, base)
    const position = await this.#write(
      resource,
      identity,
      'desired',
      home,
      desiredPart(resource, base),
      desiredPart(resource, next),
      author,
    )
    const newHome = homeOf(resource.id, next)
    if (newHome === home) return position
    return await this.#move(resource, identity, newHome)
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

  async #write(
    resource: Resource,
    identity: Identity,
    part: Part,
    home: string,
    base: JsonMap,
    next: JsonMap,
    author: string | undefined,
  ): Promise<Position> {
    const { replica } = this.#options
    return await this.#translate(identity, async () => {
      await using handle = await replica.open<JsonMap>(documentId(identity, part), {
        kind: documentKind(resource, part),
        collection: home,
      })
      const written = handle.write(base, next, { message: author })
      await handle.durable()
      return written === undefined ? 0 : replica.head
    })
  }

  async #shown(key: ObjectKey, position: Position, before?: KubeObject): Promise<KubeObject> {
    await this.#projector.shown(position)
    const object = this.get(key) ?? before
    if (object === undefined) throw this.#notFound(this.#resourceById(key), key)
    return object
  }

  /** An object that waited for its last finalizer goes when it is gone; a pod goes when its node says so. */
  async #finishDeletion(resource: Resource, key: ObjectKey, object: KubeObject): Promise<KubeObject> {
    const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
    const waits = (finalizers?.length ?? 0) > 0 || (deletionGracePeriodSeconds ?? 0) > 0
    if (deletionTimestamp === undefined || waits || resource.id === 'namespaces') return object
    await this.remove(key)
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
    const resource = this.#byId.get(key.resource)
    if (resource === undefined) {
      throw new ObjectError('NotFound', `the server could not find the requested resource ${key.resource}`, { key })
    }
    return resource
  }

  #resourceOf(object: KubeObject): Resource {
    const resource = this.resources.find(
      (candidate) => candidate.kind === object.kind && apiVersionOf(candidate) === object.apiVersion,
    )
    if (resource !== undefined) return resource
    throw new ObjectError('BadRequest', `no kind "${object.kind}" is registered for version "${object.apiVersion}"`)
  }

  #now(): string {
    return new Date(this.#options.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z')
  }

  /** Errors of the engine in the words of Kubernetes. */
  async #translate<T>(key: ObjectKey, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isTidewayError(error)) throw error
      switch (error.code) {
        case 'VALUE_UNSUPPORTED': {
          const field = String(error.fields['path'] ?? '')
          const causes = [{ reason: 'FieldValueInvalid' as const, field, message: error.message }]
          throw new ObjectError('Invalid', error.message, { key, causes, cause: error })
        }
        case 'DOCUMENT_TOO_LARGE':
          throw new ObjectError('RequestEntityTooLarge', error.message, { key, cause: error })
        case 'DOCUMENT_DELETED':
          throw new ObjectError('NotFound', `${key.resource} "${key.name}" not found`, { key, cause: error })
        default:
          throw new ObjectError('ServiceUnavailable', error.message, { key, cause: error })
      }
    }
  }
}

function checkPreconditions(
  resource: Resource,
  object: KubeObject,
  wanted: { readonly resourceVersion?: string | undefined; readonly uid?: string | undefined },
): void {
  const { name, uid, resourceVersion } = object.metadata
  const conflict = (message: string): ObjectError => {
    const text = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${message}`
    return new ObjectError('Conflict', text, { key: { resource: resource.id, name } })
  }
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    throw conflict(`Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`)
  }
  if (wanted.resourceVersion !== undefined && !equalValues(wanted.resourceVersion, resourceVersion)) {
    throw conflict(
      'the object has been modified; please apply your changes to the latest version and try again',
    )
  }
}

/** `pods`, or `replicasets.apps`: how messages of the API name a resource. */
function qualified(resource: Resource): string {
  return resource.id
}
