import { equalValues, freeze, type JsonMap } from '../../../core/index.ts'
import { isObject } from './read.ts'
import type { JsonObject, KubeObject, ObjectKey, ObjectMeta, Resource } from './types.ts'

/** Fields of metadata that are not written down: they follow from the document and its place. */
const DERIVED = ['uid', 'resourceVersion', 'selfLink'] as const

/** What of an object its desired document holds. */
export function desiredPart(resource: Resource, object: KubeObject): JsonMap {
  const metadata: Record<string, unknown> = { ...object.metadata }
  for (const field of DERIVED) delete metadata[field]
  const part: Record<string, unknown> = { ...object, metadata }
  if (!resource.status) return part as JsonMap
  delete part['status']
  const owners = ownersOf(object).filter((owner) => !ownsStatus(owner))
  if (owners.length > 0) metadata['managedFields'] = owners
  else delete metadata['managedFields']
  return part as JsonMap
}

/** What of an object its observed document holds: its status, and who owns which fields of it. */
export function observedPart(object: KubeObject): JsonMap {
  const { status } = object
  const owners = ownersOf(object).filter(ownsStatus)
  return {
    ...(isObject(status) ? { status } : {}),
    ...(owners.length > 0 ? { managedFields: owners } : {}),
  } as JsonMap
}

/** The two parts of an object as {@link assemble} takes them: it makes the same of them again. */
export function shownParts(
  resource: Resource,
  object: KubeObject,
): { readonly desired: JsonMap; readonly observed: JsonMap } {
  if (!resource.status) return { desired: object as JsonMap, observed: {} }
  const { managedFields: _, ...metadata } = object.metadata
  const owners = ownersOf(object)
  const [ofStatus, others] = [owners.filter(ownsStatus), owners.filter((one) => !ownsStatus(one))]
  const { status } = object
  return {
    desired: {
      ...object,
      metadata: others.length === 0 ? metadata : { ...metadata, managedFields: others },
    } as JsonMap,
    observed: {
      ...(status === undefined ? {} : { status }),
      ...(ofStatus.length === 0 ? {} : { managedFields: ofStatus }),
    } as JsonMap,
  }
}

function ownersOf({ metadata }: { readonly metadata: JsonObject }): readonly JsonObject[] {
  const { managedFields } = metadata
  return Array.isArray(managedFields) ? managedFields.filter(isObject) : []
}

function ownsStatus(owner: JsonObject): boolean {
  return owner['subresource'] === 'status'
}

/** The owners of both parts, in the order in which the API shows them. */
function allOwners(metadata: JsonObject, observed: JsonMap | undefined): readonly JsonObject[] {
  const ofStatus = ownersOf({ metadata: (observed ?? {}) as JsonObject })
  const owners = ownersOf({ metadata })
  if (ofStatus.length === 0) return owners
  const place = (owner: JsonObject): string =>
    ['operation', 'time', 'manager'].map((key) => String(owner[key] ?? '')).join(' ')
  return [...owners, ...ofStatus].sort((a, b) => (place(a) < place(b) ? -1 : 1))
}

/** Kinds that show a status, an empty one, also before anything is reported of them. */
const ALWAYS_REPORTED: ReadonlySet<string> = new Set([
  'cronjobs.batch',
  'deployments.apps',
  'jobs.batch',
  'resourceclaims.resource.k8s.io',
  'resourcequotas',
  'servicecidrs.networking.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
])

/** The object that two documents stand for. */
export function assemble(
  resource: Resource,
  desired: JsonMap,
  observed: JsonMap | undefined,
  derived: {
    readonly key: ObjectKey
    readonly uid: string
    readonly resourceVersion: number
  },
): KubeObject {
  const metadata = isObject(desired['metadata']) ? desired['metadata'] : {}
  const { name, namespace } = derived.key
  const { apiVersion, kind: _kind, metadata: _metadata, status: own, ...rest } = desired
  const empty = ALWAYS_REPORTED.has(resource.id) ? {} : undefined
  const status = resource.status ? (observed?.['status'] ?? empty) : own
  const owners = allOwners(metadata as JsonObject, resource.status ? observed : undefined)
  return freeze({
    apiVersion:
      resource.writtenIn?.find((version) => version === apiVersion) ?? apiVersionOf(resource),
    kind: resource.kind,
    metadata: sortMetadata({
      ...metadata,
      // The document's id says whose it is, never its content, which any writer may set.
      name,
      namespace,
      uid: derived.uid,
      resourceVersion: String(derived.resourceVersion),
      managedFields: owners.length === 0 ? undefined : owners,
    }),
    ...rest,
    ...(status === undefined ? {} : { status }),
  }) as KubeObject
}

/** The `apiVersion` of a resource: `v1`, or `apps/v1`. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** Whether two states of an object differ in more than their resourceVersion. */
export function sameContent(a: KubeObject, b: KubeObject): boolean {
  return equalValues(withoutVersion(a), withoutVersion(b))
}

/** Whether two states of an object differ in no more than its status. */
export function sameDesired(resource: Resource, a: KubeObject, b: KubeObject): boolean {
  return equalValues(desiredPart(resource, a), desiredPart(resource, b))
}

/** What an edit makes of an object: what is wanted, but for what no edit may change. */
export function amended(resource: Resource, base: KubeObject, wanted: KubeObject): KubeObject {
  const generation = base.metadata.generation ?? 1
  const isAsked = base.metadata.deletionTimestamp === undefined
  const leaves = isAsked && wanted.metadata.deletionTimestamp !== undefined
  const raised = !leaves && sameWish(resource, base, wanted) ? generation : generation + 1
  const { name, namespace, creationTimestamp } = base.metadata
  // A deletion is not taken back by who leaves it out.
  const { deletionTimestamp, deletionGracePeriodSeconds } = base.metadata
  const metadata = {
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, deletionGracePeriodSeconds }),
    ...wanted.metadata,
    name,
    creationTimestamp,
    ...(resource.counted ? { generation: raised } : {}),
  }
  return {
    ...wanted,
    metadata: namespace === undefined ? metadata : { ...metadata, namespace },
  } as KubeObject
}

/** Whether what the object is asked to be differs: then its generation is raised. */
function sameWish(resource: Resource, a: KubeObject, b: KubeObject): boolean {
  // Of a custom kind nobody knows which part is a wish: all but metadata and a status of its own.
  if (resource.custom === true || resource.group === 'admissionregistration.k8s.io')
    return equalValues(wishOf(resource, a), wishOf(resource, b))
  if (resource.id === 'endpointslices.discovery.k8s.io') {
    const isSame = equalValues(wishOf(resource, a), wishOf(resource, b))
    return isSame && equalValues(a.metadata.labels, b.metadata.labels)
  }
  const [left, right] = [a, b].map((object) => wishedSpec(resource, object))
  const isSame = equalValues(left, right)
  // The annotations of a deployment go on to what it makes.
  if (resource.id !== 'deployments.apps') return isSame
  return isSame && equalValues(a.metadata.annotations, b.metadata.annotations)
}

/** The node of a pod is not wished for: it is found. */
function wishedSpec(resource: Resource, object: KubeObject): JsonMap | undefined {
  const spec = (object as JsonMap)['spec']
  if (!isObject(spec)) return undefined
  return (resource.id === 'pods' ? { ...spec, nodeName: undefined } : spec) as JsonMap
}

function wishOf(resource: Resource, object: KubeObject): JsonMap {
  const { metadata: _metadata, ...rest } = object
  return (resource.status ? { ...rest, status: undefined } : rest) as JsonMap
}

function withoutVersion(object: KubeObject): JsonMap {
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined } } as JsonMap
}

// managedFields are long: kept last, as the API server does.
function sortMetadata(metadata: JsonObject): ObjectMeta {
  const { managedFields, ...rest } = metadata
  const present = Object.entries(rest).filter(([, value]) => value !== undefined)
  const sorted = Object.fromEntries(present.sort(([a], [b]) => (a < b ? -1 : 1)))
  return (managedFields === undefined ? sorted : { ...sorted, managedFields }) as ObjectMeta
}
