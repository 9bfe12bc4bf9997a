import { createReconciler } from '../../reconciler/index.ts'
import { mapsAt, textAt } from '../objects/read.ts'
import { type KubeObject, ObjectError, type ObjectKey, type ObjectStore } from '../objects/types.ts'
import { keyOf, keyText, parseKey, waitsFor } from './owners.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

const PODS = 'pods'
const CLAIMS = 'persistentvolumeclaims'
const VOLUMES = 'persistentvolumes'
const CLASSES = 'volumeattributesclasses.storage.k8s.io'

/** The finalizer that each protected kind is made with. */
const FINALIZERS: Readonly<Record<string, string>> = {
  [CLAIMS]: 'kubernetes.io/pvc-protection',
  [VOLUMES]: 'kubernetes.io/pv-protection',
  [CLASSES]: 'kubernetes.io/vac-protection',
}

/** The kinds that use others. */
const USERS = [PODS, CLAIMS, VOLUMES] as const

/**
 * Lets claims, volumes and attribute classes go that are being deleted and that nobody uses: a claim is
 * used by the pods that a node runs with it, a volume by the claim that is bound to it, a class by
 * claims and volumes.
 */
export function createVolumeProtection(options: ControllerOptions): Controller {
  const { store } = options
  const uses = new Uses()
  const reconciler = createReconciler({
    ...options,
    reconcile: async (text) => {
      await release(store, uses, parseKey(text))
      return undefined
    },
  })
  const take = (resource: string, user: KubeObject, isGone: boolean): void => {
    const freed = uses.take(keyText(keyOf(resource, user)), isGone ? [] : usedBy(resource, user))
    for (const text of freed) reconciler.hint(text)
  }
  const look = (resource: string, object: KubeObject): void => {
    if (object.metadata.deletionTimestamp !== undefined)
      reconciler.hint(keyText(keyOf(resource, object)))
  }
  const cancels = [
    ...USERS.map((resource) =>
      store.watch(resource, {}, ({ type, object }) => take(resource, object, type === 'DELETED')),
    ),
    ...Object.keys(FINALIZERS).map((resource) =>
      store.watch(resource, {}, ({ object }) => look(resource, object)),
    ),
  ]
  for (const resource of USERS) {
    for (const user of store.list(resource).items) take(resource, user, false)
  }
  for (const resource of Object.keys(FINALIZERS)) {
    for (const object of store.list(resource).items) look(resource, object)
  }
  return {
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

async function release(store: ObjectStore, uses: Uses, key: ObjectKey): Promise<void> {
  const finalizer = FINALIZERS[key.resource] ?? ''
  const found = store.get(key)
  if (found === undefined || !waitsFor(found, finalizer) || uses.isUsed(keyText(key))) return
  const recipe = (object: KubeObject): KubeObject => {
    const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer)
    return { ...object, metadata: { ...object.metadata, finalizers } }
  }
  const { uid } = found.metadata
  try {
    await store.update(key, recipe, { part: 'desired', uid, author: 'volume-protection' })
  } catch (error) {
    // Gone or made anew meanwhile.
    if (!(error instanceof ObjectError && /^(NotFound|Conflict)$/.test(error.reason))) throw error
  }
}

/** The keys of what an object uses, as text. Pure. */
export function usedBy(resource: string, object: KubeObject): readonly string[] {
  const { namespace = '' } = object.metadata
  if (resource === PODS) {
    // No node starts a pod whose claim is on its way out, so one without a node does not count.
    if (textAt(object, 'spec', 'nodeName') === undefined) return []
    return claimsOf(object).map((name) => keyText({ resource: CLAIMS, namespace, name }))
  }
  const volume = resource === CLAIMS ? textAt(object, 'spec', 'volumeName') : undefined
  const classes = [
    textAt(object, 'spec', 'volumeAttributesClassName'),
    textAt(object, 'status', 'currentVolumeAttributesClassName'),
  ].filter((name) => name !== undefined)
  return [
    ...(volume === undefined ? [] : [keyText({ resource: VOLUMES, name: volume })]),
    ...[...new Set(classes)].map((name) => keyText({ resource: CLASSES, name })),
  ]
}

function claimsOf(pod: KubeObject): readonly string[] {
  return mapsAt(pod, 'spec', 'volumes').flatMap((volume) => {
    const claim = textAt(volume, 'persistentVolumeClaim', 'claimName')
    if (claim !== undefined) return [claim]
    // The claim of an ephemeral volume is named after both (EphemeralVolumeSource).
    return volume['ephemeral'] === undefined
      ? []
      : [`${pod.metadata.name}-${textAt(volume, 'name') ?? ''}`]
  })
}

/** Who uses what, by key: what an object stops using is known without looking at all others. */
class Uses {
  readonly #used = new Map<string, readonly string[]>()
  readonly #users = new Map<string, Set<string>>()

  /** Notes what a user uses now. @returns what it uses no longer. */
  take(user: string, used: readonly string[]): readonly string[] {
    const freed = (this.#used.get(user) ?? []).filter((key) => !used.includes(key))
    for (const key of freed) {
      const users = this.#users.get(key)
      users?.delete(user)
      if (users?.size === 0) this.#users.delete(key)
    }
    for (const key of used) this.#users.set(key, (this.#users.get(key) ?? new Set()).add(user))
    if (used.length === 0) this.#used.delete(user)
    else this.#used.set(user, used)
    return freed
  }

  isUsed(key: string): boolean {
    return this.#users.has(key)
  }
}
