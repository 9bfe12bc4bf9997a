import { parseMillis, parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import type { ContainerStatus } from '../../runtime/index.ts'
import { asObject, asObjects, asText } from '../json.ts'
import { fromLabels } from '../labels.ts'
import { isActive, runsOf } from '../pod-plan.ts'
import { type ContainerView, type PodView, toldOf } from '../pod-view.ts'

/** What one container that may be resized is to have, and what it has. */
export interface ContainerSize {
  /** As its spec wants it. */
  readonly container: ContainerView
  /** Its newest run. */
  readonly run: ContainerStatus | undefined
  /** The resources that its newest run has; that its next one gets, when none is active. */
  readonly actual: JsonObject
  /** What the node has set aside for it. */
  readonly allocated: JsonObject
  /** Its definition differs from `actual` in cpu or memory. */
  readonly isChanged: boolean
  /** It has to be started anew for that. */
  readonly needsRestart: boolean
}

/** The resources that containers of a pod are known to have by now, by run. */
export type Actuated = ReadonlyMap<string, JsonObject>

/** What each container of a pod has and is to have, from what its status and its runs say. */
export function sizesOf(
  pod: PodView,
  observed: readonly ContainerStatus[],
  actuated: Actuated,
): readonly ContainerSize[] {
  const resizable = [...pod.initContainers, ...pod.containers].filter(({ kind }) => kind !== 'init')
  return resizable.map((container) => sizeOf(pod, container, observed, actuated))
}

function sizeOf(
  pod: PodView,
  container: ContainerView,
  observed: readonly ContainerStatus[],
  actuated: Actuated,
): ContainerSize {
  const run = runsOf(observed, container.name).at(-1)
  const told = asObject(toldOf(pod, container.name))
  const wanted = asObject(container.json['resources'])
  const isTold = told['resources'] !== undefined
  const isSameRun = run !== undefined && asText(told['containerID'])?.endsWith(`//${run.id}`)
  const known = run === undefined ? undefined : (actuated.get(run.id) ?? undefined)
  const ofTold = isTold && (isSameRun === true || run === undefined) ? told['resources'] : undefined
  const ofRun = run === undefined ? undefined : fromLabels(run).resources
  const actual = asObject(known ?? ofTold ?? ofRun ?? wanted)
  const allocated = asObject(isTold ? (told['allocatedResources'] ?? {}) : actual['requests'])
  const isChanged = !sameSize(wanted, actual)
  const wasRunning = asObject(told['state'])['running'] !== undefined && isSameRun === true
  const isThere = run !== undefined && (isActive(run) || wasRunning)
  const needsRestart = isChanged && isThere && restartsFor(container, wanted, actual)
  return { container, run, actual, allocated, isChanged, needsRestart }
}

/** Whether two resources ask for and allow the same cpu and memory. */
export function sameSize(a: JsonObject, b: JsonObject): boolean {
  return ['cpu', 'memory'].every((resource) => sameResource(resource, a, b))
}

/** Whether two lists of requests are the same in cpu and memory. */
export function sameRequests(a: JsonObject, b: JsonObject): boolean {
  return sameSize({ requests: a }, { requests: b })
}

function sameResource(resource: string, a: JsonObject, b: JsonObject): boolean {
  const parse = resource === 'cpu' ? parseMillis : parseWhole
  return ['requests', 'limits'].every((kind) => {
    const of = (resources: JsonObject): number | undefined =>
      parse(asObject(resources[kind])[resource])
    return of(a) === of(b)
  })
}

function restartsFor(container: ContainerView, wanted: JsonObject, actual: JsonObject): boolean {
  const policies = asObjects(container.json['resizePolicy'])
  return policies.some((policy) => {
    const resource = asText(policy['resourceName']) ?? ''
    const isOther = ['cpu', 'memory'].includes(resource) && !sameResource(resource, wanted, actual)
    return isOther && policy['restartPolicy'] === 'RestartContainer'
  })
}

/** A pod whose containers have other resources than its spec says. */
export function withSizes(pod: PodView, sizes: ReadonlyMap<string, JsonObject>): PodView {
  const sized = (container: ContainerView): ContainerView => {
    const resources = sizes.get(container.name)
    if (resources === undefined) return container
    return {
      ...container,
      requests: asObject(resources['requests']),
      limits: asObject(resources['limits']),
      json: { ...container.json, resources },
    }
  }
  return {
    ...pod,
    initContainers: pod.initContainers.map(sized),
    containers: pod.containers.map(sized),
  }
}
