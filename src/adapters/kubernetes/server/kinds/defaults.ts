import type { JsonObject, KubeObject } from '../../objects/types.ts'
import { isObject, objectAt } from '../json.ts'
import {
  mapField,
  mapItems,
  podDefaults,
  podSpecDefaults,
  qosClass,
  withDefaults,
} from './pod-defaults.ts'

/** The finalizer of a namespace: it goes when its content is gone. */
export const NAMESPACE_FINALIZER = 'kubernetes'

/** An object with what its kind gets where it says nothing. Applied on every write. */
export function applyDefaults(resource: string, object: KubeObject): KubeObject {
  return DEFAULTS[resource]?.(object) ?? object
}

/** The first status of a new object, undefined where the kind begins without one. */
export function initialStatus(resource: string, object: KubeObject): JsonObject | undefined {
  switch (resource) {
    case 'pods':
      return { phase: 'Pending', qosClass: qosClass(object) }
    case 'namespaces':
      return { phase: 'Active' }
    case 'services':
      return { loadBalancer: {} }
    case 'replicasets.apps':
      return { replicas: 0 }
    default:
      return undefined
  }
}

function secretDefaults(secret: KubeObject): KubeObject {
  const { stringData, ...rest } = secret
  const typed = withDefaults(rest, { type: 'Opaque' }) as KubeObject
  if (!isObject(stringData)) return typed
  const encoded = Object.entries(stringData).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString('base64'),
  ])
  return { ...typed, data: { ...objectAt(typed, 'data'), ...Object.fromEntries(encoded) } }
}

function serviceDefaults(service: KubeObject): KubeObject {
  const spec = withDefaults(objectAt(service, 'spec'), {
    type: 'ClusterIP',
    sessionAffinity: 'None',
  })
  const isClusterWide = spec['type'] !== 'ExternalName'
  const policed = isClusterWide ? withDefaults(spec, { internalTrafficPolicy: 'Cluster' }) : spec
  const ported = mapItems(policed, 'ports', (port) =>
    withDefaults(port, { protocol: 'TCP', targetPort: port['port'] }),
  )
  return { ...service, spec: ported }
}

function namespaceDefaults(namespace: KubeObject): KubeObject {
  const { metadata } = namespace
  const isEnding = metadata.deletionTimestamp !== undefined
  const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
  const spec = isEnding
    ? objectAt(namespace, 'spec')
    : withDefaults(objectAt(namespace, 'spec'), { finalizers: [NAMESPACE_FINALIZER] })
  return { ...namespace, metadata: { ...metadata, labels }, spec }
}

function replicaSetDefaults(set: KubeObject): KubeObject {
  const spec = withDefaults(objectAt(set, 'spec'), { replicas: 1 })
  return {
    ...set,
    spec: mapField(spec, 'template', (template) => mapField(template, 'spec', podSpecDefaults)),
  }
}

const DEFAULTS: Readonly<Record<string, (object: KubeObject) => KubeObject>> = {
  pods: podDefaults,
  namespaces: namespaceDefaults,
  secrets: secretDefaults,
  services: serviceDefaults,
  'replicasets.apps': replicaSetDefaults,
}
