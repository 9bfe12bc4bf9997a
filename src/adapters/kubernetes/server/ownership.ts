import type { Json, JsonObject, KubeObject } from '../objects/types.ts'
import { recorded } from './admit.ts'
import type { RequestContext } from './context.ts'
import { at, isObject, listAt, numberAt, objectAt, withField } from './json.ts'

/** What the server gives out by itself below `spec`: whoever creates an object does not own it. */
const ALLOTTED: Readonly<Record<string, readonly string[]>> = {
  namespaces: ['finalizers'],
  pods: ['priority', 'preemptionPolicy', 'tolerations', 'imagePullSecrets'],
  services: ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort'],
}

/** A new object with its creator as the owner of what they gave and of its defaults. */
export function ownedByCreator(
  context: RequestContext,
  given: KubeObject,
  object: KubeObject,
): KubeObject {
  const asked = objectAt(given, 'spec')
  const { id } = context.resource
  const names = (ALLOTTED[id] ?? []).filter((name) => !(name in asked))
  let owned = withoutSpec(object, names)
  if (id === 'pods') owned = withoutAccount(given, owned)
  if (id === 'services') owned = withoutPorts(given, owned)
  if (id === 'jobs.batch') owned = withoutIdentity(given, owned)
  owned = withoutFinalizers(given, owned)
  if (id === 'namespaces' && !given.metadata.name) owned = withoutNameLabel(owned)
  const { managedFields } = recorded(context, undefined, owned).metadata
  const { managedFields: _, ...metadata } = object.metadata
  return {
    ...object,
    metadata: managedFields === undefined ? metadata : { ...metadata, managedFields },
  } as KubeObject
}

function withoutSpec(object: KubeObject, names: readonly string[]): KubeObject {
  if (names.length === 0) return object
  const kept = Object.entries(objectAt(object, 'spec')).filter(([name]) => !names.includes(name))
  const { spec: _, ...rest } = object
  const spec = Object.fromEntries(kept) as JsonObject
  return (kept.length === 0 ? rest : { ...rest, spec }) as KubeObject
}

/** The service account that a pod did not ask for, and the volume with the token of it where it is mounted. */
function withoutAccount(given: KubeObject, pod: KubeObject): KubeObject {
  const asked = objectAt(given, 'spec')
  const { serviceAccount, serviceAccountName, ...rest } = objectAt(pod, 'spec')
  const isNamed = ACCOUNT.some((name) => asked[name])
  const account = isNamed && serviceAccountName ? { serviceAccount, serviceAccountName } : {}
  const mounting = CONTAINERS.filter((list) => Array.isArray(rest[list])).map((list) => {
    const containers = listAt(asked, list)
    const bare = listAt(rest, list).map((container, index) =>
      withAsked(container, containers[index], 'volumeMounts', 'mountPath'),
    )
    return [list, bare] as const
  })
  const spec = { ...rest, ...account, ...Object.fromEntries(mounting) } as JsonObject
  return { ...pod, spec: withAsked(spec, asked, 'volumes', 'name') } as KubeObject
}

const ACCOUNT = ['serviceAccountName', 'serviceAccount'] as const
const CONTAINERS = ['initContainers', 'containers'] as const

/** What of a list in an object was asked for, told by the key of its items; without the list when it was not. */
function withAsked(object: Json, asked: Json | undefined, list: string, key: string): Json {
  const given = new Set(listAt(asked, list).map((item) => at(item, key)))
  const items = listAt(object, list)
  const kept = items.filter((item) => given.has(at(item, key)))
  if (!isObject(object) || kept.length === items.length) return object
  const { [list]: _, ...rest } = object
  return kept.length === 0 ? rest : { ...rest, [list]: kept }
}

/** The ports of nodes that nobody asked for are given out. */
function withoutPorts(given: KubeObject, service: KubeObject): KubeObject {
  const asked = listAt(given, 'spec', 'ports')
  const ports = listAt(service, 'spec', 'ports').map((port, index): Json => {
    if (!isObject(port) || numberAt(asked[index], 'nodePort')) return port
    const { nodePort: _, ...rest } = port
    return rest
  })
  if (ports.length === 0) return service
  return { ...service, spec: { ...objectAt(service, 'spec'), ports } } as KubeObject
}

/** The label with the name of a namespace is the server's where the name is. */
function withoutNameLabel(namespace: KubeObject): KubeObject {
  const path = ['metadata', 'labels', 'kubernetes.io/metadata.name']
  const rest = withField(namespace, path, undefined) as KubeObject
  const isBare = Object.keys(objectAt(rest, 'metadata', 'labels')).length === 0
  return isBare ? (withField(rest, ['metadata', 'labels'], undefined) as KubeObject) : rest
}

/** What a job got to tell its pods by: the labels with its uid, and the selector of them. */
function withoutIdentity(given: KubeObject, job: KubeObject): KubeObject {
  if (objectAt(given, 'spec')['manualSelector'] === true) return job
  const selector = at(given, 'spec', 'selector')
  const labels = at(given, 'spec', 'template', 'metadata')
  const bare = withField(withField(job, ['spec', 'selector'], selector), [...POD_META], labels)
  return withField(bare, ['metadata', 'labels'], given.metadata.labels) as KubeObject
}

const POD_META = ['spec', 'template', 'metadata'] as const

/** Finalizers that the client did not ask for are put there to protect what is in use. */
function withoutFinalizers(given: KubeObject, object: KubeObject): KubeObject {
  const asked = new Set(given.metadata.finalizers)
  const left = (object.metadata.finalizers ?? []).filter((name) => asked.has(name))
  return withField(
    object,
    ['metadata', 'finalizers'],
    left.length === 0 ? undefined : left,
  ) as KubeObject
}
