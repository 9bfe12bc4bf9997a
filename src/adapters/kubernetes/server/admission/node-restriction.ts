import { nodeOfUser } from '../../identity/node-authorizer.ts'
import { mapAt, mapsAt, textAt } from '../../objects/read.ts'
import type { JsonObject, KubeObject, ObjectKey, ObjectStore } from '../../objects/types.ts'
import type { User, WriteGuard } from '../context.ts'
import { sameJson } from '../json.ts'

// The admission of Kubernetes that lets a node write what is its own (plugin/pkg/admission/noderestriction).

const MIRROR = 'kubernetes.io/config.mirror'

/** Refuses writes by nodes of what is not theirs. Then asks the next guard. */
export function guardNodes(
  store: Pick<ObjectStore, 'get'>,
  user: User,
  next: WriteGuard,
): WriteGuard {
  const node = nodeOfUser(user)
  if (node === undefined) return next
  return (key, object) => refusal(node, key, store.get(key), object, store) ?? next(key, object)
}

function refusal(
  node: string,
  key: ObjectKey,
  before: KubeObject | undefined,
  object: KubeObject | undefined,
  store: Pick<ObjectStore, 'get'>,
): string | undefined {
  switch (key.resource) {
    case 'pods':
      if (object === undefined) return isOwn(before, node, 'delete pods')
      return before === undefined
        ? podCreation(node, object, store)
        : podStatus(node, before, object)
    case 'nodes':
      return key.name === node
        ? nodeChange(node, before, object)
        : `node "${node}" is not allowed to modify node "${key.name}"`
    case 'persistentvolumeclaims':
      return claimStatus(node, before, object)
    case 'leases.coordination.k8s.io':
      if (key.namespace !== 'kube-node-lease')
        return 'can only access leases in the "kube-node-lease" system namespace'
      return key.name === node
        ? undefined
        : 'can only access node lease with the same name as the requesting node'
    case 'csinodes.storage.k8s.io':
      return key.name === node
        ? undefined
        : 'can only access CSINode with the same name as the requesting node'
    default:
      return undefined
  }
}

function isOwn(pod: KubeObject | undefined, node: string, what: string): string | undefined {
  return pod === undefined || textAt(pod, 'spec', 'nodeName') === node
    ? undefined
    : `node "${node}" can only ${what} with spec.nodeName set to itself`
}

function podCreation(
  node: string,
  pod: KubeObject,
  store: Pick<ObjectStore, 'get'>,
): string | undefined {
  if (pod.metadata.annotations?.[MIRROR] === undefined)
    return `pod does not have "${MIRROR}" annotation, node "${node}" can only create mirror pods`
  const foreign = isOwn(pod, node, 'create pods')
  if (foreign !== undefined) return foreign
  const [owner, another] = pod.metadata.ownerReferences ?? []
  if (another !== undefined)
    return `node "${node}" can only create pods with a single owner reference set to itself`
  const isNode =
    owner?.['apiVersion'] === 'v1' && owner['kind'] === 'Node' && owner['name'] === node
  if (owner === undefined || !isNode)
    return `node "${node}" can only create pods with an owner reference set to itself`
  if (owner['controller'] !== true)
    return `node "${node}" can only create pods with a controller owner reference set to itself`
  if (owner['blockOwnerDeletion'] === true)
    return `node "${node}" must not set blockOwnerDeletion on an owner reference`
  const uid = store.get({ resource: 'nodes', name: node })?.metadata.uid ?? ''
  if (owner['uid'] !== uid)
    return `node ${node} UID mismatch: expected ${String(owner['uid'])} got ${uid}`
  const what = referenceOf(mapAt(pod, 'spec') ?? {})
  return what === undefined
    ? undefined
    : `node "${node}" can not create pods that reference ${what}`
}

/** The kind of object of the API that a pod refers to, if it does. */
function referenceOf(spec: JsonObject): string | undefined {
  if (textAt(spec, 'serviceAccountName') !== undefined) return 'serviceaccounts'
  const containers = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) =>
    mapsAt(spec, list),
  )
  const froms = containers.flatMap((container) => [
    ...mapsAt(container, 'envFrom'),
    ...mapsAt(container, 'env').map((variable) => mapAt(variable, 'valueFrom') ?? {}),
  ])
  const volumes = mapsAt(spec, 'volumes')
  const sources = volumes.flatMap((volume) => mapsAt(volume, 'projected', 'sources'))
  const has = (list: readonly JsonObject[], ...keys: readonly string[]): boolean =>
    list.some((item) => keys.some((key) => item[key] !== undefined))
  if (mapsAt(spec, 'imagePullSecrets').length > 0 || has(froms, 'secretRef', 'secretKeyRef'))
    return 'secrets'
  if (has([...volumes, ...sources], 'secret')) return 'secrets'
  if (has(froms, 'configMapRef', 'configMapKeyRef') || has([...volumes, ...sources], 'configMap'))
    return 'configmaps'
  if (has(volumes, 'persistentVolumeClaim', 'ephemeral')) return 'persistentvolumeclaims'
  return has(sources, 'serviceAccountToken') ? 'serviceaccounts' : undefined
}

function podStatus(node: string, before: KubeObject, after: KubeObject): string | undefined {
  const foreign = isOwn(before, node, 'update pod status for pods')
  if (foreign !== undefined) return foreign
  if (!sameJson(before.metadata.labels ?? {}, after.metadata.labels ?? {}))
    return `node "${node}" cannot update labels through pod status`
  return undefined
}

function nodeChange(
  node: string,
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): string | undefined {
  if (after === undefined) return undefined
  const forbidden = changedLabels(before, after).filter(isKept).sort()
  if (before === undefined) {
    return forbidden.length === 0
      ? undefined
      : `node "${node}" is not allowed to set the following labels: ${forbidden.join(', ')}`
  }
  const taints = (object: KubeObject): JsonObject[string] => mapAt(object, 'spec')?.['taints'] ?? []
  if (!sameJson(taints(before), taints(after)))
    return `node "${node}" is not allowed to modify taints`
  if (!sameJson(before.metadata.ownerReferences ?? [], after.metadata.ownerReferences ?? []))
    return `node "${node}" is not allowed to modify ownerReferences`
  return forbidden.length === 0
    ? undefined
    : `is not allowed to modify labels: ${forbidden.join(', ')}`
}

function changedLabels(before: KubeObject | undefined, after: KubeObject): readonly string[] {
  const old = before?.metadata.labels ?? {}
  const now = after.metadata.labels ?? {}
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(
    (label) => old[label] !== now[label],
  )
}

/** Labels of Kubernetes that a kubelet says of its node. */
const KUBELET_LABELS: ReadonlySet<string> = new Set([
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'kubernetes.io/arch',
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
])

/** Whether a label is kept from nodes. */
function isKept(label: string): boolean {
  const domain = label.includes('/') ? label.slice(0, label.indexOf('/')) : ''
  const isIn = (suffix: string): boolean => domain === suffix || domain.endsWith(`.${suffix}`)
  if (isIn('node-restriction.kubernetes.io')) return true
  if (!isIn('kubernetes.io') && !isIn('k8s.io')) return false
  return !(KUBELET_LABELS.has(label) || isIn('kubelet.kubernetes.io') || isIn('node.kubernetes.io'))
}

/** What a node may say of a claim: how large it has become. */
const CLAIM_FIELDS = ['allocatedResourceStatuses', 'allocatedResources', 'capacity', 'conditions']

function claimStatus(
  node: string,
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): string | undefined {
  if (before === undefined || after === undefined) return 'may only update PVC status'
  const rest = (claim: KubeObject): JsonObject => {
    const { resourceVersion: _v, managedFields: _m, ...metadata } = claim.metadata
    const status = Object.entries(mapAt(claim, 'status') ?? {}).filter(
      ([name]) => !CLAIM_FIELDS.includes(name),
    )
    return { ...claim, metadata, status: Object.fromEntries(status) }
  }
  return sameJson(rest(before), rest(after))
    ? undefined
    : `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`
}

/** Why a node may not have a token of a service account; undefined when it may, or is no node. */
export function tokenRefusal(
  user: User,
  namespace: string,
  body: JsonObject,
  store: Pick<ObjectStore, 'get'>,
): string | undefined {
  const node = nodeOfUser(user)
  if (node === undefined) return undefined
  const reference = mapAt(body, 'spec', 'boundObjectRef')
  const name = textAt(reference, 'name')
  if (reference?.['apiVersion'] !== 'v1' || reference['kind'] !== 'Pod' || name === undefined)
    return 'node requested token not bound to a pod'
  const uid = textAt(reference, 'uid')
  if (uid === undefined) return 'node requested token with a pod binding without a uid'
  const pod = store.get({ resource: 'pods', namespace, name })
  if (pod === undefined) return undefined
  if (pod.metadata.uid !== uid)
    return `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
  if (textAt(pod, 'spec', 'nodeName') !== node)
    return 'node requested token bound to a pod scheduled on a different node'
  return audienceRefusal(user, pod, mapAt(body, 'spec')?.['audiences'])
}

/** A pod gets tokens for those whom its volumes name. */
function audienceRefusal(
  { name }: User,
  pod: KubeObject,
  given: JsonObject[string],
): string | undefined {
  const audiences = Array.isArray(given) ? given : []
  if (audiences.length > 1) return 'node may only request 0 or 1 audiences'
  const audience = String(audiences[0] ?? '')
  const sources = mapsAt(pod, 'spec', 'volumes').flatMap((volume) =>
    mapsAt(volume, 'projected', 'sources'),
  )
  const isNamed = sources.some((source) => {
    const token = mapAt(source, 'serviceAccountToken')
    return token !== undefined && (textAt(token, 'audience') ?? '') === audience
  })
  return isNamed
    ? undefined
    : `audience "${audience}" not found in pod spec volume, ${name} is not authorized to request tokens for this audience`
}
