import { addResources, podResources, type ResourceList, resourcesAt } from './pod-resources.ts'
import { canonicalQuantity } from './quantity.ts'
import { mapAt, mapsAt, numberAt, textAt } from './read.ts'
import type { JsonObject, KubeObject, ObjectStore } from './types.ts'

// What objects use up of resource quotas, as Kubernetes counts it (pkg/quota/v1/evaluator/core).

/** The kinds whose number a quota limits by their own name, as it was done before there was `count/`. */
export const COUNTED_KINDS: ReadonlySet<string> = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
])

/** What pods ask for and is limited by names of its own. */
const POD_AMOUNTS = ['cpu', 'memory', 'ephemeral-storage'] as const
const HUGE_PAGES = 'hugepages-'
const CLASS_INFIX = '.storageclass.storage.k8s.io/'

/** What one object uses up, by the names of quotas. */
export function quotaUsage(resource: string, object: KubeObject, nowMs: number): ResourceList {
  const one: ResourceList = { [`count/${resource}`]: '1' }
  switch (resource) {
    case 'pods':
      return isOver(object, nowMs) ? one : { ...one, pods: '1', ...podUsage(object) }
    case 'services':
      return { ...one, services: '1', ...serviceUsage(mapAt(object, 'spec') ?? {}) }
    case 'persistentvolumeclaims':
      return { ...one, persistentvolumeclaims: '1', ...claimUsage(object) }
    default:
      return COUNTED_KINDS.has(resource) ? { ...one, [resource]: '1' } : one
  }
}

/** A pod that has ended, or should have, uses nothing but its place in the list. */
function isOver({ metadata, status }: KubeObject, nowMs: number): boolean {
  const phase = textAt(status, 'phase')
  if (phase === 'Failed' || phase === 'Succeeded') return true
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return false
  return nowMs > Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1_000
}

function podUsage(pod: KubeObject): ResourceList {
  const spec = mapAt(pod, 'spec') ?? {}
  const overhead = resourcesAt(spec, 'overhead')
  const requests = addResources(podResources(spec, 'requests'), overhead)
  const limits = podResources(spec, 'limits')
  const found: Record<string, string> = {}
  for (const name of POD_AMOUNTS) {
    const request = requests[name]
    if (request !== undefined) {
      found[name] = request
      found[`requests.${name}`] = request
    }
    const limit = limits[name]
    if (limit !== undefined)
      found[`limits.${name}`] = addResources({ [name]: limit }, overhead)[name] ?? limit
  }
  for (const [name, amount] of Object.entries(requests)) {
    if (name.startsWith(HUGE_PAGES)) found[name] = amount
    if (name.startsWith(HUGE_PAGES) || name.includes('/')) found[`requests.${name}`] = amount
  }
  return found
}

function serviceUsage(spec: JsonObject): ResourceList {
  const ports = mapsAt(spec, 'ports')
  const isBalanced = spec['type'] === 'LoadBalancer'
  const hasOwnPorts = isBalanced && spec['allocateLoadBalancerNodePorts'] === false
  const given = ports.filter((port) => (numberAt(port, 'nodePort') ?? 0) !== 0)
  const outside = isBalanced || spec['type'] === 'NodePort' ? ports.length : 0
  return {
    'services.loadbalancers': isBalanced ? '1' : '0',
    'services.nodeports': String(hasOwnPorts ? given.length : outside),
  }
}

function claimUsage(claim: KubeObject): ResourceList {
  const storage = resourcesAt(claim, 'spec', 'resources', 'requests')['storage']
  const old = claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class']
  const name = old ?? textAt(claim, 'spec', 'storageClassName') ?? ''
  const amounts: ResourceList = {
    persistentvolumeclaims: '1',
    ...(storage === undefined ? {} : { 'requests.storage': storage }),
  }
  if (name === '') return amounts
  const ofClass = Object.entries(amounts).map(([key, amount]) => [name + CLASS_INFIX + key, amount])
  return { ...amounts, ...(Object.fromEntries(ofClass) as ResourceList) }
}

/** The names among those of a quota that objects of a resource use up. */
export function limitedNames(resource: string, names: readonly string[]): readonly string[] {
  return names.filter((name) => isLimited(resource, name))
}

/** The names by which a quota limits what pods ask for. */
export const POD_AMOUNT_NAMES: readonly string[] = POD_AMOUNTS.flatMap((name) => [
  name,
  `requests.${name}`,
  `limits.${name}`,
])

const POD_NAMES: ReadonlySet<string> = new Set(['pods', ...POD_AMOUNT_NAMES])

function isLimited(resource: string, name: string): boolean {
  if (name === `count/${resource}`) return true
  switch (resource) {
    case 'pods':
      return (
        POD_NAMES.has(name) ||
        name.startsWith(HUGE_PAGES) ||
        name.startsWith(`requests.${HUGE_PAGES}`) ||
        (name.startsWith('requests.') && name.includes('/'))
      )
    case 'services':
      return /^services(?:\.nodeports|\.loadbalancers)?$/.test(name)
    case 'persistentvolumeclaims':
      return /^(?:.*\.storageclass\.storage\.k8s\.io\/)?(?:persistentvolumeclaims|requests\.storage)$/.test(
        name,
      )
    default:
      return COUNTED_KINDS.has(resource) && name === resource
  }
}

/** One condition of a quota on what it counts (core/v1 ScopedResourceSelectorRequirement). */
interface Scope {
  readonly name: string
  readonly operator: string
  readonly values: readonly string[]
}

function scopesOf(quota: KubeObject): readonly Scope[] {
  const spec = mapAt(quota, 'spec')
  const given = Array.isArray(spec?.['scopes']) ? spec['scopes'] : []
  return [
    ...given.map((name) => ({ name: String(name), operator: 'Exists', values: [] })),
    ...mapsAt(spec, 'scopeSelector', 'matchExpressions').map((item) => ({
      name: textAt(item, 'scopeName') ?? '',
      operator: textAt(item, 'operator') ?? '',
      values: Array.isArray(item['values']) ? item['values'].map(String) : [],
    })),
  ]
}

/** Whether a quota counts an object at all: its scopes say of which pods and claims it does. */
export function isCounted(quota: KubeObject, resource: string, object: KubeObject): boolean {
  return scopesOf(quota).every((scope) => isInScope(scope, resource, object))
}

function isInScope(scope: Scope, resource: string, object: KubeObject): boolean {
  const spec = mapAt(object, 'spec') ?? {}
  if (resource === 'persistentvolumeclaims') {
    if (scope.name !== 'VolumeAttributesClass') return false
    const names = [
      textAt(spec, 'volumeAttributesClassName'),
      textAt(object, 'status', 'currentVolumeAttributesClassName'),
      textAt(object, 'status', 'modifyVolumeStatus', 'targetVolumeAttributesClassName'),
    ]
    return names.some((name) => name !== undefined && isSelected(scope, name))
  }
  if (resource !== 'pods') return false
  switch (scope.name) {
    case 'Terminating':
      return numberAt(spec, 'activeDeadlineSeconds') !== undefined
    case 'NotTerminating':
      return numberAt(spec, 'activeDeadlineSeconds') === undefined
    case 'BestEffort':
      return isBestEffort(spec)
    case 'NotBestEffort':
      return !isBestEffort(spec)
    case 'PriorityClass':
      return isSelected(scope, textAt(spec, 'priorityClassName'))
    case 'CrossNamespacePodAffinity':
      return looksOutside(spec)
    default:
      return false
  }
}

function isSelected({ operator, values }: Scope, value: string | undefined): boolean {
  switch (operator) {
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    default:
      return false
  }
}

function isBestEffort(spec: JsonObject): boolean {
  return [spec, ...mapsAt(spec, 'containers'), ...mapsAt(spec, 'initContainers')].every((part) =>
    (['requests', 'limits'] as const).every((kind) => {
      const { cpu = '0', memory = '0' } = resourcesAt(part, 'resources', kind)
      return canonicalQuantity(cpu) === '0' && canonicalQuantity(memory) === '0'
    }),
  )
}

/** Whether the affinity of a pod is about pods of other namespaces. */
function looksOutside(spec: JsonObject): boolean {
  const isOutside = (term: JsonObject | undefined): boolean =>
    mapAt(term, 'namespaceSelector') !== undefined ||
    (Array.isArray(term?.['namespaces']) && term['namespaces'].length > 0)
  return ['podAffinity', 'podAntiAffinity'].some((kind) => {
    const affinity = mapAt(spec, 'affinity', kind)
    const wanted = mapsAt(affinity, 'preferredDuringSchedulingIgnoredDuringExecution')
    return (
      mapsAt(affinity, 'requiredDuringSchedulingIgnoredDuringExecution').some(isOutside) ||
      wanted.some((term) => isOutside(mapAt(term, 'podAffinityTerm')))
    )
  })
}

/** The resource that a name of a quota is about; undefined for one that nobody counts. */
function resourceOf(name: string): string | undefined {
  if (name.startsWith('count/')) return name.slice('count/'.length)
  return ['pods', 'services', 'persistentvolumeclaims', ...COUNTED_KINDS].find((resource) =>
    isLimited(resource, name),
  )
}

/**
 * What is used up of a quota by the objects that are there, for each name that it limits and that
 * somebody counts.
 */
export function usedOf(
  store: Pick<ObjectStore, 'list' | 'resource'>,
  quota: KubeObject,
  nowMs: number,
): ResourceList {
  const names = Object.keys(resourcesAt(quota, 'spec', 'hard')).sort()
  const resources = new Set(names.map(resourceOf).filter((name) => name !== undefined))
  const used: Record<string, string> = {}
  for (const resource of resources) {
    if (store.resource(resource) === undefined) continue
    const own = limitedNames(resource, names)
    for (const name of own) used[name] = '0'
    for (const object of store.list(resource, quota.metadata.namespace).items) {
      if (!isCounted(quota, resource, object)) continue
      const usage = quotaUsage(resource, object, nowMs)
      const counted = own.filter((name) => usage[name] !== undefined)
      const part = Object.fromEntries(counted.map((name) => [name, usage[name] ?? '0']))
      Object.assign(used, addResources(used, part))
    }
  }
  return Object.fromEntries(
    names.filter((name) => used[name] !== undefined).map((name) => [name, used[name] ?? '0']),
  )
}
