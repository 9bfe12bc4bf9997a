import { parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import type { ContainerUsage, PodLimits } from '../../runtime/index.ts'
import { asObject } from '../json.ts'
import { wholeResources } from '../pod-level.ts'
import type { ContainerView, PodView } from '../pod-view.ts'
import { sameRequests, sameSize } from './sizes.ts'

/** What a pod is to have as a whole, and what it has. */
export interface WholeSize {
  /** As its spec wants it; undefined when nothing is said of the whole. */
  readonly wanted: JsonObject | undefined
  /** What its cgroup was given. */
  readonly actual: JsonObject | undefined
  readonly isChanged: boolean
  /** The node has set aside what it asks for. */
  readonly isAllocated: boolean
}

/**
 * What is known of the size of a pod as a whole: its status tells it, and until that is written whoever has
 * given it.
 */
export function wholeSizeOf(pod: PodView, given: JsonObject | undefined): WholeSize {
  const wanted = wholeResources(pod)
  const { resources, allocatedResources } = pod.status
  const told = resources === undefined ? undefined : asObject(resources)
  const actual = wanted === undefined ? undefined : (given ?? told ?? wanted)
  const isTold = told !== undefined && allocatedResources !== undefined
  return {
    wanted,
    actual,
    isChanged: wanted !== undefined && !sameSize(wanted, actual ?? {}),
    isAllocated:
      wanted === undefined ||
      !isTold ||
      sameRequests(asObject(wanted['requests']), asObject(allocatedResources)),
  }
}

/** A pod that is said to have other resources as a whole. */
export function withWhole(pod: PodView, resources: JsonObject | undefined): PodView {
  if (resources === undefined) return pod
  return { ...pod, spec: { ...pod.spec, resources } }
}

/** Whether a container may have what its pod may, of something that has changed. */
export function takesFromWhole(container: ContainerView, { wanted, actual }: WholeSize): boolean {
  const limit = (resources: JsonObject | undefined, name: string): unknown =>
    asObject(resources?.['limits'])[name]
  return ['cpu', 'memory'].some(
    (name) => container.limits[name] === undefined && limit(wanted, name) !== limit(actual, name),
  )
}

/**
 * The limits to pass through: while containers change, neither what was before nor what comes after may
 * be in their way.
 */
export function widest(before: PodLimits, after: PodLimits): PodLimits {
  const { memoryBytes: a, cpuMillis: c } = before
  const { memoryBytes: b, cpuMillis: d } = after
  const memoryBytes = a === undefined || b === undefined ? undefined : Math.max(a, b)
  const cpuMillis = c === undefined || d === undefined ? undefined : Math.max(c, d)
  return {
    ...after,
    ...{ memoryBytes, cpuMillis },
  }
}

/** Why the memory of a pod cannot be taken from it; undefined when it can. */
export function wholeBelowUse(
  pod: PodView,
  { wanted, actual }: WholeSize,
  usages: readonly ContainerUsage[],
): string | undefined {
  const limitOf = (resources: JsonObject | undefined): number =>
    parseWhole(asObject(resources?.['limits'])['memory']) ?? 0
  const limit = limitOf(wanted)
  const before = limitOf(actual)
  if (limit <= 0 || (before > 0 && limit >= before)) return undefined
  const used = usages
    .filter(({ podUid }) => podUid === pod.uid)
    .reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  return used < limit
    ? undefined
    : `cannot decrease memory limits: attempting to set pod memory limit (${limit}) below current usage (${used})`
}
