import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  parseWhole,
} from '../../kubernetes/objects/quantity.ts'
import { asNumber, asObject, asText, asTextMap } from '../json.ts'
import { allContainers, type ContainerView, type PodView } from '../pod-view.ts'

/** The priority from which on a pod is critical to its cluster (scheduling.SystemCriticalPriority). */
const CRITICAL_PRIORITY = 2_000_000_000
const SOURCE_ANNOTATION = 'kubernetes.io/config.source'
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror'

/** The priority of a pod; 0 when it has none. */
export function priorityOf(pod: PodView): number {
  return asNumber(pod.spec['priority']) ?? 0
}

/** Whether a node keeps a pod whatever runs short: critical ones, and those of the node itself. */
export function isCritical(pod: PodView): boolean {
  const annotations = asTextMap(pod.object.metadata['annotations'])
  const source = annotations[SOURCE_ANNOTATION]
  const isStatic = source !== undefined && source !== 'api'
  return isStatic || Object.hasOwn(annotations, MIRROR_ANNOTATION) || hasCriticalPriority(pod)
}

function hasCriticalPriority(pod: PodView): boolean {
  return priorityOf(pod) >= CRITICAL_PRIORITY
}

/** What a pod asks for of memory or ephemeral storage, in bytes. */
export function requestOf(pod: PodView, resource: 'memory' | 'ephemeral-storage'): number {
  const of = (container: ContainerView): number => containerRequestOf(container, resource)
  const overhead = parseWhole(asObject(pod.spec['overhead'])[resource]) ?? 0
  const whole = asObject(asObject(pod.spec['resources'])['requests'])[resource]
  // What is said of all of a pod counts instead of what is said of its containers.
  if (resource === 'memory' && whole !== undefined) return (parseWhole(whole) ?? 0) + overhead
  let sidecars = 0
  let startup = 0
  for (const container of pod.initContainers) {
    if (container.kind === 'sidecar') sidecars += of(container)
    startup = Math.max(startup, sidecars + (container.kind === 'sidecar' ? 0 : of(container)))
  }
  const together = pod.containers.reduce((sum, container) => sum + of(container), sidecars)
  return Math.max(together, startup) + overhead
}

/** What a container asks for, in bytes. The API fills in the request where there is only a limit. */
export function containerRequestOf(
  container: ContainerView,
  resource: 'memory' | 'ephemeral-storage',
): number {
  return parseWhole(container.requests[resource] ?? container.limits[resource]) ?? 0
}

/** What a container asks for, as the API shows it: `0` for nothing. */
export function requestText(container: ContainerView, resource: string): string {
  const text = asText(container.requests[resource]) ?? asText(container.limits[resource])
  return text === undefined ? '0' : (canonicalQuantity(text) ?? text)
}

/** How much ephemeral storage the containers of a pod may use together; undefined without limits. */
export function storageLimitOf(pod: PodView): string | undefined {
  const limitsOf = (isInit: boolean): readonly string[] =>
    allContainers(pod)
      .filter(({ kind }) => (kind === 'init') === isInit)
      .flatMap(({ limits }) => asText(limits['ephemeral-storage']) ?? [])
  const lasting = limitsOf(false)
  const ending = limitsOf(true)
  if (lasting.length + ending.length === 0) return undefined
  const together = lasting.reduce((sum, each) => addQuantities(sum, each), '0')
  return ending.reduce((most, each) => (compareQuantities(each, most) > 0 ? each : most), together)
}
