import { parseMillis, parseQuantity } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { asObject, asText, asTextMap } from '../json.ts'
import { allContainers, type ContainerView, type PodView } from '../pod-view.ts'

/** What fieldRef and resourceFieldRef need besides the pod. */
export interface FieldContext {
  readonly pod: PodView
  readonly podIPs: readonly string[]
  readonly hostIPs: readonly string[]
  /** What the node has, for limits that are not set. */
  readonly allocatable: Readonly<Record<string, string>>
}

/**
 * The value of a fieldRef path (downward API).
 *
 * @returns undefined when the path is not one that Kubernetes knows.
 */
export function fieldValue(path: string, context: FieldContext): string | undefined {
  const { metadata } = context.pod.object
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path)
  if (subscript !== null) {
    const [, map = '', key = ''] = subscript
    return asTextMap(metadata[map])[key] ?? ''
  }
  switch (path) {
    case 'metadata.name':
      return context.pod.name
    case 'metadata.namespace':
      return context.pod.namespace
    case 'metadata.uid':
      return context.pod.uid
    case 'metadata.labels':
      return formatMap(asTextMap(metadata['labels']))
    case 'metadata.annotations':
      return formatMap(asTextMap(metadata['annotations']))
    case 'spec.nodeName':
      return context.pod.nodeName ?? ''
    case 'spec.serviceAccountName':
      return asText(context.pod.spec['serviceAccountName']) ?? 'default'
    case 'status.hostIP':
      return context.hostIPs[0] ?? ''
    case 'status.hostIPs':
      return context.hostIPs.join(',')
    case 'status.podIP':
      return context.podIPs[0] ?? ''
    case 'status.podIPs':
      return context.podIPs.join(',')
    default:
      return undefined
  }
}

/** Labels or annotations as the downward API writes them to a file. */
function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
}

/**
 * The value of a resourceFieldRef: a limit or request in units of its divisor, rounded up. A limit
 * that is not set is what the node has.
 *
 * @returns undefined when the resource is not one that Kubernetes knows.
 */
export function resourceValue(
  reference: JsonObject,
  own: ContainerView | undefined,
  context: FieldContext,
): string | undefined {
  const named = asText(reference['containerName'])
  const container =
    named === undefined ? own : allContainers(context.pod).find((each) => each.name === named)
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage)$/.exec(
    asText(reference['resource']) ?? '',
  )
  if (container === undefined || match === null) return undefined
  const [, kind, resource = ''] = match
  const limit = container.limits[resource] ?? context.allocatable[resource]
  const value = kind === 'limits' ? limit : (container.requests[resource] ?? 0)
  const divisorMillis = parseMillis(reference['divisor'] ?? '1') ?? 1000
  const divisor = divisorMillis === 0 ? 1 : divisorMillis / 1000
  return String(Math.ceil((parseQuantity(value) ?? 0) / divisor - 1e-6))
}

/** The name in a reference such as configMapKeyRef. */
export function nameOf(reference: JsonObject): string {
  return asText(asObject(reference)['name']) ?? ''
}
