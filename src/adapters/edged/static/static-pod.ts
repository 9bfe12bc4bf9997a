import { createHash } from 'node:crypto'
import type { JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asObjects, asText, asTextMap, canonical } from '../json.ts'
import { referencesOf, viewPod } from '../pod-view.ts'

const SOURCE = 'kubernetes.io/config.source'
const HASH = 'kubernetes.io/config.hash'
const SEEN = 'kubernetes.io/config.seen'
const MIRROR = 'kubernetes.io/config.mirror'
/** Static pods stay whatever happens to their node. */
const TOLERATION = { operator: 'Exists', effect: 'NoExecute' }

/** The classes that are always there. */
const PRIORITIES: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
])

/** Where a manifest was found. */
export interface ManifestPlace {
  readonly node: string
  /** The path of the file, absolute. */
  readonly file: string
  /** When it was read, RFC 3339. */
  readonly seenAt: string
}

/**
 * The pod that a manifest stands for on a node: named after both, with a uid that follows from its
 * text, as kubelet makes it.
 *
 * @param manifest a pod that is complete and checked.
 * @throws Error when it refers to objects of the API, which may not be there when it runs.
 */
export function asStaticPod(manifest: KubeObject, place: ManifestPlace): KubeObject {
  const { node, file, seenAt } = place
  const { metadata } = manifest
  const hash = createHash('sha256').update(`${canonical(manifest)}host:${node}file:${file}`)
  const uid = metadata.uid || hash.digest('hex').slice(0, 32)
  const { [MIRROR]: _mirror, ...annotations } = asTextMap(metadata['annotations'])
  const spec = asObject(manifest['spec'])
  const pod = {
    ...manifest,
    metadata: {
      ...metadata,
      name: `${metadata.name}-${node.toLowerCase()}`,
      namespace: metadata.namespace ?? 'default',
      uid,
      creationTimestamp: seenAt,
      annotations: { ...annotations, [HASH]: uid, [SEEN]: seenAt, [SOURCE]: 'file' },
    },
    spec: {
      ...spec,
      ...importanceOf(spec),
      nodeName: node,
      tolerations: [...asObjects(spec['tolerations']), TOLERATION],
    },
    status: {},
  }
  const resource = referredIn(pod)
  if (resource !== undefined) throw new Error(`static pods may not reference ${resource}`)
  return pod
}

/** What the admission of the API gives to other pods. */
function importanceOf(spec: JsonObject): JsonObject {
  return {
    priority: spec['priority'] ?? PRIORITIES.get(asText(spec['priorityClassName']) ?? '') ?? 0,
    preemptionPolicy: spec['preemptionPolicy'] ?? 'PreemptLowerPriority',
  }
}

function referredIn(pod: KubeObject): string | undefined {
  const view = viewPod(pod)
  const [reference] = referencesOf(view)
  if (reference !== undefined) return reference.replace(/\/.*/, '')
  if ((asText(view.spec['serviceAccountName']) ?? '') !== '') return 'serviceaccounts'
  const hasClaim = view.volumes.some((volume) => volume['persistentVolumeClaim'] !== undefined)
  return hasClaim ? 'persistentvolumeclaims' : undefined
}

/** Whether a pod only shows a static one: it is no pod to run. */
export function isMirror(pod: KubeObject): boolean {
  return asTextMap(pod.metadata['annotations'])[MIRROR] !== undefined
}

/** Whether a pod is the mirror of just this static one. */
export function isMirrorOf(pod: KubeObject, of: KubeObject): boolean {
  return asTextMap(pod.metadata['annotations'])[MIRROR] === of.metadata.uid
}

/**
 * What shows a static pod in the API.
 *
 * @param node the object of its node, once that is known: the mirror goes with it.
 */
export function mirrorOf(pod: KubeObject, node: KubeObject | undefined): KubeObject {
  const { name, namespace, labels, annotations, uid = '' } = pod.metadata
  const { name: nodeName = '', uid: nodeUid } = node?.metadata ?? {}
  const owner = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeUid ?? '' }
  return {
    ...pod,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...asTextMap(annotations), [MIRROR]: uid },
      ...(nodeUid === undefined ? {} : { ownerReferences: [{ ...owner, controller: true }] }),
    },
  }
}
