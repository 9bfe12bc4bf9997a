import { mapsAt, textAt } from '../objects/read.ts'
import type { KubeObject, ObjectKey, Resource } from '../objects/types.ts'

/** Who an object says that it belongs to (metav1.OwnerReference). */
export interface OwnerRef {
  readonly uid: string
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  /** Whether the owner, when it waits for its dependents, waits for this one too. */
  readonly blocks: boolean
}

/** The owners of an object; what is no whole reference is left out. */
export function ownersOf(object: KubeObject): readonly OwnerRef[] {
  return mapsAt(object, 'metadata', 'ownerReferences').flatMap((owner) => {
    const { uid, apiVersion, kind, name } = owner
    if (typeof uid !== 'string' || typeof apiVersion !== 'string') return []
    if (typeof kind !== 'string' || typeof name !== 'string') return []
    return [{ uid, apiVersion, kind, name, blocks: owner['blockOwnerDeletion'] === true }]
  })
}

/**
 * Where the owner of an object has to be: an owner with a namespace is in that of the object.
 *
 * @returns undefined where that cannot be told: its kind is not served here, or it has a namespace and
 * the object has none.
 */
export function ownerKey(
  dependent: ObjectKey,
  owner: OwnerRef,
  resources: readonly Resource[],
): ObjectKey | undefined {
  const group = owner.apiVersion.includes('/') ? (owner.apiVersion.split('/')[0] ?? '') : ''
  const found = resources.find((each) => each.kind === owner.kind && each.group === group)
  if (found === undefined) return undefined
  const { name } = owner
  if (!found.namespaced) return { resource: found.id, name }
  const { namespace } = dependent
  return namespace === undefined ? undefined : { resource: found.id, namespace, name }
}

/** The key of an object of a resource. */
export function keyOf(resource: string, { metadata }: KubeObject): ObjectKey {
  const { namespace, name } = metadata
  return { resource, ...(namespace === undefined ? {} : { namespace }), name }
}

/** A key as one text, which {@link parseKey} reads. */
export function keyText({ resource, namespace = '', name }: ObjectKey): string {
  return `${resource}/${namespace}/${name}`
}

/** The key that a text of {@link keyText} stands for. */
export function parseKey(text: string): ObjectKey {
  const [resource = '', namespace = '', name = ''] = text.split('/')
  return { resource, ...(namespace === '' ? {} : { namespace }), name }
}

/** Whether an object is being deleted, and has this finalizer. */
export function waitsFor(object: KubeObject, finalizer: string): boolean {
  const { deletionTimestamp, finalizers } = object.metadata
  return deletionTimestamp !== undefined && (finalizers ?? []).includes(finalizer)
}

/** The uid of an object; every object of a store has one. */
export function uidOf(object: KubeObject): string {
  return textAt(object, 'metadata', 'uid') ?? ''
}
