import type { KubeObject, ObjectMeta, Resource } from '../objects/types.ts'

/** What writers may change of metadata. */
const WRITABLE = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const

/** Kinds of which a write of the status changes nothing else. */
const STATUS_ONLY: ReadonlySet<string> = new Set([
  'customresourcedefinitions.apiextensions.k8s.io',
  'resourceclaims.resource.k8s.io',
  'servicecidrs.networking.k8s.io',
  'volumeattachments.storage.k8s.io',
])

/** What single kinds keep beside. */
const KEPT: Readonly<Record<string, (typeof WRITABLE)[number]>> = {
  'deployments.apps': 'labels',
  pods: 'ownerReferences',
}

/**
 * The metadata that a write of the status leaves: of most kinds labels, annotations and finalizers may
 * change with it, as those who report a status note there what they have seen (the revision of a
 * deployment is such an annotation).
 *
 * @returns the metadata of `before` itself when nothing changes.
 */
export function statusMetadata(
  resource: Resource,
  before: KubeObject,
  given: KubeObject,
): ObjectMeta {
  if (resource.custom === true || STATUS_ONLY.has(resource.id)) return before.metadata
  const metadata: Record<string, unknown> = { ...before.metadata }
  let isSame = true
  for (const field of WRITABLE) {
    const value = given.metadata[field]
    if (KEPT[resource.id] === field || value === before.metadata[field]) continue
    isSame = false
    if (value === undefined) delete metadata[field]
    else metadata[field] = value
  }
  return isSame ? before.metadata : (metadata as ObjectMeta)
}
