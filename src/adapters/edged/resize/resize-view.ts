import type { JsonObject } from '../../kubernetes/objects/types.ts'
import type { ContainerStatus } from '../../runtime/index.ts'
import { asObject } from '../json.ts'
import type { PodView } from '../pod-view.ts'
import { type Actuated, type ContainerSize, sameRequests, sizesOf, withSizes } from './sizes.ts'
import { type WholeSize, wholeSizeOf, withWhole } from './whole-size.ts'

/** Why a resize has to wait. */
export interface ResizePending {
  readonly reason: 'Deferred' | 'Infeasible'
  readonly message: string
}

/** What a node can tell of its room. */
export interface Room {
  /** Whether its runtime can change what runs. */
  readonly canResize: boolean
  /** Why the pod as it is to be does not fit; undefined when it does. */
  readonly problem: () => string | undefined
  /** Why it would not fit either if the node had nothing else to run. Default: it would. */
  readonly excess?: () => string | undefined
}

/** A pod as it is to be run now, and what is to be told of its size. */
export interface ResizeView {
  /** With the resources that the node has set aside for it. */
  readonly pod: PodView
  readonly sizes: readonly ContainerSize[]
  /** The same of the pod as a whole. */
  readonly whole: WholeSize
  /** Runs that end because their container has to start anew for its new size. */
  readonly restarts: ReadonlySet<string>
  readonly pending: ResizePending | undefined
  /** The node has made room, and not everything has its size yet. */
  readonly isInProgress: boolean
}

const NOT_HERE = 'In-place pod resize is not supported on this node'

/**
 * Decides on the size of a pod. What runs keeps what it has until all that the pod asks for fits on
 * the node together.
 *
 * @param isMade room has been made for it already.
 * @param given what the pod as a whole has by now; undefined: what its status says.
 */
export function viewSize(
  pod: PodView,
  observed: readonly ContainerStatus[],
  actuated: Actuated,
  room: Room,
  isMade = false,
  given: JsonObject | undefined = undefined,
): ResizeView {
  const sizes = sizesOf(pod, observed, actuated)
  const whole = wholeSizeOf(pod, given)
  const phase = pod.status['phase']
  if (pod.isDeleted || phase === 'Succeeded' || phase === 'Failed') {
    return { pod, sizes, whole, restarts: new Set(), pending: undefined, isInProgress: false }
  }
  const isChanged = whole.isChanged || sizes.some((size) => size.isChanged)
  const pending = isChanged && !isMade ? pendingOf(sizes, whole, room) : undefined
  if (pending !== undefined) {
    const old = new Map(sizes.map(({ container, actual }) => [container.name, actual]))
    const view = withWhole(withSizes(pod, old), whole.actual)
    return { pod: view, sizes, whole, restarts: new Set(), pending, isInProgress: false }
  }
  const restarts = sizes.flatMap(({ run, needsRestart }) =>
    run === undefined || !needsRestart ? [] : [run.id],
  )
  const isOpen = sizes.some(
    ({ run, isChanged: isAnother, needsRestart }) =>
      isAnother && (needsRestart || run?.state === 'running' || run?.state === 'unknown'),
  )
  const isInProgress = isOpen || whole.isChanged
  return { pod, sizes, whole, restarts: new Set(restarts), pending: undefined, isInProgress }
}

function pendingOf(
  sizes: readonly ContainerSize[],
  whole: WholeSize,
  room: Room,
): ResizePending | undefined {
  if (!room.canResize) return { reason: 'Infeasible', message: NOT_HERE }
  const isAllocated =
    whole.isAllocated &&
    sizes.every(({ container, allocated }) => sameRequests(container.requests, allocated))
  if (isAllocated) return undefined
  const excess = room.excess?.()
  if (excess !== undefined) return { reason: 'Infeasible', message: excess }
  const problem = room.problem()
  return problem === undefined ? undefined : { reason: 'Deferred', message: problem }
}

/** The resources of a container as its status tells them. */
export interface ToldSize {
  readonly resources: JsonObject
  readonly allocatedResources: JsonObject
}

/** What the statuses of the containers of a pod say of their sizes, by name. */
export function toldSizes(view: ResizeView): ReadonlyMap<string, ToldSize> {
  const { pod, sizes } = view
  const told = new Map<string, ToldSize>()
  for (const { name, json, requests } of [...pod.initContainers, ...pod.containers]) {
    const allocated = json['resources'] ?? {}
    const size = sizes.find(({ container }) => container.name === name)
    const isRunning = size?.run?.state === 'running'
    const resources = isRunning ? size.actual : allocated
    told.set(name, { resources: resources as JsonObject, allocatedResources: requests })
  }
  return told
}

/** What the status of a pod says of its size as a whole; nothing when its spec does not. */
export function toldWhole({ pod, whole }: ResizeView): JsonObject {
  if (whole.actual === undefined) return {}
  const { requests } = asObject(pod.spec['resources'])
  const allocatedResources = asObject(requests)
  return { allocatedResources, resources: whole.actual }
}
