import { createReconciler, type ReconcileResult, type Reconciler } from '../../reconciler/index.ts'
import { FOREGROUND_FINALIZER } from '../objects/deletion.ts'
import { mapsAt } from '../objects/read.ts'
import {
  type JsonObject,
  type KubeObject,
  ObjectError,
  type ObjectEvent,
  type ObjectKey,
  type ObjectStore,
} from '../objects/types.ts'
import { Dependents } from './dependents.ts'
import {
  decideGarbage,
  type GarbageAction,
  type OwnerState,
  type Subject,
} from './garbage-decision.ts'
import {
  keyOf,
  keyText,
  type OwnerRef,
  ownerKey,
  ownersOf,
  parseKey,
  uidOf,
  waitsFor,
} from './owners.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'
import { watchKinds } from './watch-kinds.ts'

/** What {@link createGarbageCollector} works on. */
export interface GarbageCollectorOptions extends ControllerOptions {
  /**
   * Which objects are worked on here. Default: all. Several replicas may work on the same ones: what one
   * has done is nothing to do for another.
   */
  readonly runs?: ((resource: string, object: KubeObject) => boolean) | undefined
}

const AUTHOR = 'garbage-collector'

/** How soon an object is looked at again that somebody else changed while it was worked on. */
const RETRY_MS = 200

/** Nothing belongs to an event, and there are many. */
const NEVER_OWNED: ReadonlySet<string> = new Set(['events'])

/**
 * Deletes what belongs to nobody any more, by ownerReferences, and makes the finalizers `orphan` and
 * `foregroundDeletion` come true. An owner counts as gone only when it is known that it was deleted, or
 * that there never was one: while its documents may still be on their way, what belongs to it stays.
 */
export function createGarbageCollector(options: GarbageCollectorOptions): Controller {
  const collector = new GarbageCollector(options)
  const stop = watchKinds(options.store, NEVER_OWNED, collector)
  return {
    close: async () => {
      stop()
      await collector.close()
    },
  }
}

class GarbageCollector {
  readonly #options: GarbageCollectorOptions
  readonly #store: ObjectStore
  readonly #dependents = new Dependents()
  readonly #queue: Reconciler

  constructor(options: GarbageCollectorOptions) {
    this.#options = options
    this.#store = options.store
    this.#queue = createReconciler({ ...options, reconcile: (key) => this.#reconcile(key) })
  }

  close(): Promise<void> {
    return this.#queue.close()
  }

  /** All objects of a kind that is followed from now on. */
  begin(resource: string, objects: readonly KubeObject[]): void {
    for (const object of objects) this.#dependents.take(resource, object)
    for (const object of objects) this.#lookAt(resource, object)
  }

  change(resource: string, { type, object, previous }: ObjectEvent): void {
    const key = keyText(keyOf(resource, object))
    const uid = uidOf(object)
    if (type === 'DELETED') {
      this.#hintOwners(resource, object)
      this.#dependents.drop(key)
      this.#hintDependents(uid)
      return
    }
    const isOther = this.#dependents.take(resource, object)
    if (isOther && previous !== undefined) this.#hintOwners(resource, previous)
    // Who waited to hear of it knows now that it is there.
    if (type === 'ADDED') this.#hintDependents(uid)
    const begins =
      object.metadata.deletionTimestamp !== undefined &&
      previous?.metadata.deletionTimestamp === undefined
    if (begins) this.#hintDependents(uid)
    if (isOther || type === 'ADDED' || object.metadata.deletionTimestamp !== undefined)
      this.#lookAt(resource, object)
  }

  #lookAt(resource: string, object: KubeObject): void {
    const leaves = object.metadata.deletionTimestamp !== undefined
    if (leaves || ownersOf(object).length > 0) this.#queue.hint(keyText(keyOf(resource, object)))
  }

  #hintDependents(uid: string): void {
    for (const key of this.#dependents.of(uid).keys()) this.#queue.hint(key)
  }

  /** Owners that wait for what has changed look whether they still do. */
  #hintOwners(resource: string, object: KubeObject): void {
    for (const owner of ownersOf(object)) {
      const key = ownerKey(keyOf(resource, object), owner, this.#store.resources)
      const found = key === undefined ? undefined : this.#store.get(key)
      if (key !== undefined && found?.metadata.deletionTimestamp !== undefined)
        this.#queue.hint(keyText(key))
    }
  }

  async #reconcile(text: string): Promise<ReconcileResult> {
    const key = parseKey(text)
    const found = this.#store.get(key)
    if (found === undefined) return undefined
    const states = await Promise.all(
      ownersOf(found).map(async (owner) => {
        return { uid: owner.uid, state: await this.#stateOf(key, owner) }
      }),
    )
    // What was asked may have taken a while: what is decided has to be true of what is there now.
    const object = this.#store.get(key)
    if (object?.metadata.resourceVersion !== found.metadata.resourceVersion)
      return { retryAfterMs: 0 }
    if (this.#options.runs?.(key.resource, found) === false) return undefined
    const action = decideGarbage(this.#subjectOf(found, states))
    try {
      await this.#act(key, found, action)
    } catch (error) {
      if (!isRace(error)) throw error
      return { retryAfterMs: RETRY_MS }
    }
    return undefined
  }

  #subjectOf(object: KubeObject, owners: Subject['owners']): Subject {
    const uid = uidOf(object)
    const dependents = [...this.#dependents.of(uid)].map(([key, { blocks }]) => {
      const dependent = this.#store.get(parseKey(key))
      const isWaiting = dependent !== undefined && waitsFor(dependent, FOREGROUND_FINALIZER)
      return { blocks, isWaiting }
    })
    return {
      isLeaving: object.metadata.deletionTimestamp !== undefined,
      finalizers: object.metadata.finalizers ?? [],
      owners,
      dependents,
    }
  }

  async #stateOf(dependent: ObjectKey, owner: OwnerRef): Promise<OwnerState> {
    const key = ownerKey(dependent, owner, this.#store.resources)
    if (key === undefined) return 'unknown'
    const found = this.#store.get(key)
    if (found?.metadata.uid === owner.uid)
      return waitsFor(found, FOREGROUND_FINALIZER) ? 'waiting' : 'there'
    const fate = await this.#store.fateOf(key, owner.uid)
    return fate === 'gone' || fate === 'never' ? 'gone' : 'unknown'
  }

  async #act(key: ObjectKey, object: KubeObject, action: GarbageAction): Promise<void> {
    const uid = uidOf(object)
    switch (action.type) {
      case 'none':
        return
      case 'prompt':
        this.#hintDependents(uid)
        return
      case 'release':
        await this.#edit(key, uid, (found) => withoutFinalizer(found, action.finalizer))
        return
      case 'disown':
        await this.#edit(key, uid, (found) => withoutOwners(found, action.uids))
        return
      case 'orphan':
        await this.#orphan(key, uid)
        return
      case 'delete':
        if (action.unblocks) await this.#edit(key, uid, unblocked)
        await this.#delete(key, action.unblocks ? { uid } : precondition(object), action)
    }
  }

  /** What belongs to an object loses it as its owner; then the object is looked at again. */
  async #orphan(key: ObjectKey, uid: string): Promise<void> {
    for (const text of [...this.#dependents.of(uid).keys()]) {
      const dependent = parseKey(text)
      const known = this.#store.get(dependent)?.metadata.uid
      if (known === undefined) continue
      await this.#edit(dependent, known, (found) => withoutOwners(found, [uid])).catch(
        (error: unknown) => {
          if (!isRace(error)) throw error
        },
      )
    }
    this.#queue.hint(keyText(key))
  }

  async #edit(
    key: ObjectKey,
    uid: string,
    recipe: (object: KubeObject) => KubeObject,
  ): Promise<void> {
    await this.#store.update(key, recipe, { part: 'desired', uid, author: AUTHOR })
  }

  async #delete(
    key: ObjectKey,
    precondition: { readonly uid: string; readonly resourceVersion?: string | undefined },
    { propagation }: Extract<GarbageAction, { type: 'delete' }>,
  ): Promise<void> {
    await this.#store.delete(key, { ...precondition, propagation, author: AUTHOR })
    const { namespace, name, resource } = key
    this.#options.logger.info('nobody owns it any more', { resource, namespace, name })
  }
}

function precondition({ metadata }: KubeObject): { uid: string; resourceVersion?: string } {
  const { uid = '', resourceVersion } = metadata
  return { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
}

/** Somebody else was faster: the next look decides by what is there then. */
function isRace(error: unknown): boolean {
  return (
    error instanceof ObjectError && (error.reason === 'NotFound' || error.reason === 'Conflict')
  )
}

function withoutFinalizer(object: KubeObject, finalizer: string): KubeObject {
  const { finalizers = [], ...metadata } = object.metadata
  const kept = finalizers.filter((name) => name !== finalizer)
  if (kept.length === finalizers.length) return object
  const next = kept.length === 0 ? metadata : { ...metadata, finalizers: kept }
  return { ...object, metadata: next } as KubeObject
}

function withoutOwners(object: KubeObject, uids: readonly string[]): KubeObject {
  return withOwners(object, (owners) => owners.filter(({ uid }) => !uids.includes(String(uid))))
}

function unblocked(object: KubeObject): KubeObject {
  return withOwners(object, (owners) =>
    owners.map((owner) =>
      owner['blockOwnerDeletion'] === true ? { ...owner, blockOwnerDeletion: false } : owner,
    ),
  )
}

function withOwners(
  object: KubeObject,
  change: (owners: readonly JsonObject[]) => readonly JsonObject[],
): KubeObject {
  const { ownerReferences: _, ...metadata } = object.metadata
  const owners = change(mapsAt(object, 'metadata', 'ownerReferences'))
  const next = owners.length === 0 ? metadata : { ...metadata, ownerReferences: owners }
  return { ...object, metadata: next } as KubeObject
}
