import type { ContainerStatus } from '../../runtime/index.ts'
import type { PodView } from '../pod-view.ts'

/** One container that has to end, and those that end before it is asked to. */
export interface OrderedStop {
  readonly container: ContainerStatus
  /** The ids of the containers whose end it waits for, as long as its grace lasts. */
  readonly after: readonly string[]
}

/**
 * The order in which the containers of a pod end: a sidecar serves what was started after it, so it
 * goes last, after the sidecars that were started later. All others go at once.
 *
 * @param active the containers of the pod that run.
 */
export function stopOrder(
  pod: PodView,
  active: readonly ContainerStatus[],
): readonly OrderedStop[] {
  const sidecars = pod.initContainers
    .filter(({ kind }) => kind === 'sidecar')
    .flatMap(({ name }) => active.filter((run) => run.name === name))
  const mains = active.filter((run) => pod.containers.some(({ name }) => name === run.name))
  const others = active.filter((run) => !sidecars.includes(run))
  const before = mains.map(({ id }) => id)
  const last = sidecars.toReversed().map((container, index, all) => {
    const later = all[index - 1]
    return { container, after: later === undefined ? before : [...before, later.id] }
  })
  return [...others.map((container) => ({ container, after: [] })), ...last]
}
