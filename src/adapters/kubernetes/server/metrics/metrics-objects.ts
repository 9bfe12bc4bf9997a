import type { Clock } from '../../../../core/interfaces/clock.ts'
import { textAt } from '../../objects/read.ts'
import type {
  JsonObject,
  KubeObject,
  ObjectKey,
  ObjectStore,
  Resource,
} from '../../objects/types.ts'
import type { Usage } from '../../objects/usage.ts'
import { overlaid } from '../store-overlay.ts'
import type { UsageTable } from './usage-table.ts'

// metrics.k8s.io/v1beta1, as metrics-server serves it: what nodes and pods use now. Nothing of it is kept.

const GROUP = 'metrics.k8s.io'
const VERSION = 'v1beta1'
const API_VERSION = `${GROUP}/${VERSION}`

/** The id of the usage of nodes. */
export const NODE_METRICS: string = `nodes.${GROUP}`
/** The id of the usage of pods. */
export const POD_METRICS: string = `pods.${GROUP}`

function metricsResource(plural: string, kind: string, namespaced: boolean): Resource {
  return {
    id: `${plural}.${GROUP}`,
    group: GROUP,
    version: VERSION,
    kind,
    plural,
    singular: '',
    shortNames: [],
    categories: [],
    verbs: ['get', 'list'],
    namespaced,
    views: [],
    parts: [],
    status: false,
    counted: false,
    scale: false,
    lists: {},
    maps: [],
    immutable: [],
  }
}

/** What the API of metrics serves. */
export const METRICS_RESOURCES: readonly Resource[] = [
  metricsResource('nodes', 'NodeMetrics', false),
  metricsResource('pods', 'PodMetrics', true),
]

/** Whether a resource is one of {@link METRICS_RESOURCES}. */
export function isMetrics({ id }: Resource): boolean {
  return id === NODE_METRICS || id === POD_METRICS
}

/**
 * A store that shows what nodes and pods use, as objects of {@link METRICS_RESOURCES}. They bear the
 * labels of the node or pod that they are about.
 */
export function metricsStore(store: ObjectStore, usage: UsageTable, clock: Clock): ObjectStore {
  const metricsOf = (resource: string, object: KubeObject | undefined): KubeObject | undefined => {
    if (object === undefined) return undefined
    return resource === NODE_METRICS
      ? nodeMetrics(object, usage, clock)
      : podMetrics(object, usage, clock)
  }
  const basis = (resource: string): string => (resource === NODE_METRICS ? 'nodes' : 'pods')
  return overlaid(store, {
    get: (key: ObjectKey) =>
      metricsOf(key.resource, store.get({ ...key, resource: basis(key.resource) })),
    list: (resource: string, namespace?: string) => {
      const { items, resourceVersion } = store.list(basis(resource), namespace)
      const found = items.map((item) => metricsOf(resource, item))
      return { items: found.filter((item) => item !== undefined), resourceVersion }
    },
  })
}

function nodeMetrics(node: KubeObject, usage: UsageTable, clock: Clock): KubeObject | undefined {
  const found = usage.node(node.metadata.name)
  if (found === undefined) return undefined
  return {
    apiVersion: API_VERSION,
    kind: 'NodeMetrics',
    metadata: metadataOf(node, clock),
    timestamp: timeText(found.takenAtMs),
    window: durationText(found.windowMs),
    usage: usageList(found.node),
  }
}

function podMetrics(pod: KubeObject, usage: UsageTable, clock: Clock): KubeObject | undefined {
  const { namespace = 'default', name, uid } = pod.metadata
  // The word of another node about this pod counts for nothing.
  const node = textAt(pod, 'spec', 'nodeName')
  const found = node === undefined ? undefined : usage.pod(node, namespace, name)
  if (found === undefined || found.pod.uid !== uid) return undefined
  return {
    apiVersion: API_VERSION,
    kind: 'PodMetrics',
    metadata: metadataOf(pod, clock),
    timestamp: timeText(found.takenAtMs),
    window: durationText(found.windowMs),
    containers: found.pod.containers.map((container) => ({
      name: container.name,
      usage: usageList(container),
    })),
  }
}

function metadataOf({ metadata }: KubeObject, clock: Clock): KubeObject['metadata'] {
  const { name, namespace, labels } = metadata
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    creationTimestamp: timeText(clock.wallMs()),
    ...(labels === undefined ? {} : { labels }),
  }
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function usageList({ cpuNanoCores, memoryBytes }: Usage): JsonObject {
  return { cpu: cpuText(cpuNanoCores), memory: memoryText(memoryBytes) }
}

/** A quantity of CPU in the form of Kubernetes: the largest unit without a fraction. */
export function cpuText(nanoCores: number): string {
  return inUnits(nanoCores, 1_000, ['n', 'u', 'm', ''])
}

/** A quantity of memory in the form of Kubernetes. */
export function memoryText(bytes: number): string {
  return inUnits(bytes, 1_024, ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'])
}

function inUnits(amount: number, step: number, units: readonly string[]): string {
  if (amount === 0) return '0'
  let value = amount
  let unit = 0
  while (value % step === 0 && unit < units.length - 1) {
    value /= step
    unit += 1
  }
  return `${value}${units[unit] ?? ''}`
}

/** A duration as Go writes it: `15.003s`, `1m0s`. */
export function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  const seconds = (ms - minutes * 60_000) / 1_000
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`
}
