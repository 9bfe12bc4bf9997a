import { DEFINITIONS } from '../../objects/custom-resources.ts'
import type { JsonObject, KubeObject } from '../../objects/types.ts'
import { definitionDefaults, firstDefinitionStatus } from '../custom/definition-defaults.ts'
import { isObject, objectAt } from '../json.ts'
import { CLUSTER_DEFAULTS } from './cluster-defaults.ts'
import { type Fill, withDefaults } from './filling.ts'
import { podDefaults, qosClass } from './pod-defaults.ts'
import { SERVICE_DEFAULTS } from './service-defaults.ts'
import { WORKLOAD_DEFAULTS } from './workload-defaults.ts'

/** The finalizer of a namespace: it goes when its content is gone. */
export const NAMESPACE_FINALIZER = 'kubernetes'

/** An object with what its kind gets where it says nothing. Applied on every write. */
export function applyDefaults(resource: string, object: KubeObject): KubeObject {
  return (DEFAULTS[resource]?.(object) as KubeObject | undefined) ?? object
}

/** The first status of a new object, undefined where the kind begins without one. */
export function initialStatus(resource: string, object: KubeObject): JsonObject | undefined {
  if (resource === 'pods') return { phase: 'Pending', qosClass: qosClass(object) }
  return resource === DEFINITIONS ? firstDefinitionStatus(object) : FIRST_STATUS[resource]
}

/** The status in which nothing is reported, undefined where there is none then. */
export function emptyStatus(resource: string): JsonObject | undefined {
  return FIRST_STATUS[resource]
}

/** What is said of a new object before any controller has seen it, by resource id. */
const FIRST_STATUS: Readonly<Record<string, JsonObject>> = {
  namespaces: { phase: 'Active' },
  nodes: {
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: {
      architecture: '',
      bootID: '',
      containerRuntimeVersion: '',
      kernelVersion: '',
      kubeProxyVersion: '',
      kubeletVersion: '',
      machineID: '',
      operatingSystem: '',
      osImage: '',
      systemUUID: '',
    },
  },
  persistentvolumeclaims: { phase: 'Pending' },
  persistentvolumes: { phase: 'Pending' },
  replicationcontrollers: { replicas: 0 },
  resourcequotas: {},
  services: { loadBalancer: {} },
  'cronjobs.batch': {},
  'daemonsets.apps': {
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  },
  'deployments.apps': {},
  'horizontalpodautoscalers.autoscaling': { desiredReplicas: 0 },
  'ingresses.networking.k8s.io': { loadBalancer: {} },
  'jobs.batch': {},
  'poddisruptionbudgets.policy': {
    currentHealthy: 0,
    desiredHealthy: 0,
    disruptionsAllowed: 0,
    expectedPods: 0,
  },
  'replicasets.apps': { replicas: 0 },
  'resourceclaims.resource.k8s.io': {},
  'servicecidrs.networking.k8s.io': {},
  'statefulsets.apps': { availableReplicas: 0, replicas: 0 },
  'validatingadmissionpolicies.admissionregistration.k8s.io': {},
  'volumeattachments.storage.k8s.io': { attached: false },
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

function namespaceDefaults(namespace: KubeObject): KubeObject {
  const { metadata } = namespace
  const isEnding = metadata.deletionTimestamp !== undefined
  const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
  const spec = isEnding
    ? objectAt(namespace, 'spec')
    : withDefaults(objectAt(namespace, 'spec'), { finalizers: [NAMESPACE_FINALIZER] })
  return { ...namespace, metadata: { ...metadata, labels }, spec }
}

/** An event says who reports it, even if nobody does. */
function eventDefaults(event: JsonObject): JsonObject {
  return withDefaults(event, { reportingComponent: '', reportingInstance: '', source: {} })
}

/** Who leads is not agreed on by candidates here, so a lease does not say how. */
function leaseDefaults(lease: JsonObject): JsonObject {
  if (!isObject(lease['spec'])) return lease
  const { strategy, preferredHolder, ...spec } = lease['spec']
  return strategy === undefined && preferredHolder === undefined ? lease : { ...lease, spec }
}

const DEFAULTS: Readonly<Record<string, Fill>> = {
  ...CLUSTER_DEFAULTS,
  ...WORKLOAD_DEFAULTS,
  events: eventDefaults,
  namespaces: (object) => namespaceDefaults(object as KubeObject),
  'leases.coordination.k8s.io': leaseDefaults,
  pods: (object) => podDefaults(object as KubeObject),
  [DEFINITIONS]: definitionDefaults,
  secrets: (object) => secretDefaults(object as KubeObject),
  services: SERVICE_DEFAULTS,
}
