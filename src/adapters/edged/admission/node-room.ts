import { addResources, podResources, resourcesAt } from '../../kubernetes/objects/pod-resources.ts'
import { parseMillis, parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asObjects, asText } from '../json.ts'

/** A resource of which a node has too little for a pod. cpu is in thousandths, the rest in units. */
export interface Lack {
  readonly resource: string
  readonly requested: number
  readonly used: number
  readonly capacity: number
}

const COUNTED = ['cpu', 'memory', 'ephemeral-storage'] as const

/**
 * What a node has too little of for a pod beside others, in the order in which kubelet looks.
 *
 * @param others the pods that count, without the pod itself.
 * @param allocatable what pods may have together; what is not named is not counted.
 */
export function lacksOf(
  pod: KubeObject,
  others: readonly KubeObject[],
  allocatable: Readonly<Record<string, string>>,
): readonly Lack[] {
  const lacks: Lack[] = []
  const room = parseWhole(allocatable['pods'])
  if (room !== undefined && others.length + 1 > room) {
    lacks.push({ resource: 'pods', requested: 1, used: others.length, capacity: room })
  }
  const wanted = requestsOf(pod)
  for (const resource of COUNTED) {
    const requested = amount(resource, wanted[resource])
    const capacity = amount(resource, allocatable[resource])
    if (requested === 0 || allocatable[resource] === undefined) continue
    const used = others.reduce((sum, each) => sum + amount(resource, requestsOf(each)[resource]), 0)
    if (requested > capacity - used) lacks.push({ resource, requested, used, capacity })
  }
  return lacks
}

/** What kubelet says of a lack. */
export function lackMessage({ resource, requested, used, capacity }: Lack): string {
  return `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`
}

/** What kubelet says of a lack that no other pod is the reason for. */
export function excessMessage({ resource, requested, capacity }: Lack): string {
  return `Node didn't have enough capacity: ${resource}, requested: ${requested}, capacity: ${capacity}`
}

/** The pods among all of a store that use what a node has. */
export function usersOf(
  pods: readonly KubeObject[],
  node: string,
  except: string | undefined,
): readonly KubeObject[] {
  return pods.filter((pod) => {
    const phase = asText(asObject(pod['status'])['phase'])
    const isOver = phase === 'Succeeded' || phase === 'Failed'
    const isHere = asText(asObject(pod['spec'])['nodeName']) === node
    return isHere && !isOver && pod.metadata.uid !== except
  })
}

/** What has been set aside for a pod that runs counts, not what it is to have. */
export function asAllocated(pod: KubeObject): KubeObject {
  const spec = asObject(pod['spec'])
  const status = asObject(pod['status'])
  const told = ['initContainerStatuses', 'containerStatuses'].flatMap((list) =>
    asObjects(status[list]),
  )
  const of = (list: string): readonly JsonObject[] =>
    asObjects(spec[list]).map((container) => {
      const own = told.find(({ name }) => name === container['name'])
      const requests = own?.['allocatedResources']
      if (requests === undefined) return container
      return { ...container, resources: { ...asObject(container['resources']), requests } }
    })
  const whole = status['allocatedResources']
  const resources =
    spec['resources'] === undefined || whole === undefined
      ? {}
      : { resources: { ...asObject(spec['resources']), requests: whole } }
  return {
    ...pod,
    spec: {
      ...spec,
      ...resources,
      containers: of('containers'),
      initContainers: of('initContainers'),
    },
  }
}

function requestsOf(pod: KubeObject): Readonly<Record<string, string>> {
  const spec = asObject(pod['spec'])
  return addResources(podResources(spec, 'requests'), resourcesAt(spec, 'overhead'))
}

function amount(resource: string, quantity: string | undefined): number {
  return (resource === 'cpu' ? parseMillis(quantity) : parseWhole(quantity)) ?? 0
}
