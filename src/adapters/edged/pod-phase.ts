import type { JsonObject } from '../kubernetes/objects/types.ts'
import { asNumber, asObject } from './json.ts'
import { ownContainers, type PodView } from './pod-view.ts'
import { restarts } from './restart-policy.ts'

/** The phases that a node reports. */
export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

/** What one container counts as. */
type Count = 'waiting' | 'running' | 'succeeded' | 'failed'

/**
 * The phase of a pod from the statuses of its containers, by the rules of kubelet: a pod is Pending
 * until every container has run, ends only when its restart policy lets it, and is Running otherwise.
 *
 * @param isEnded nothing runs and nothing will: then the phase is one of the last two.
 */
export function podPhase(
  pod: PodView,
  init: readonly JsonObject[],
  app: readonly JsonObject[],
  isEnded: boolean,
): PodPhase {
  const counts = app.map(countOf)
  const has = (count: Count): boolean => counts.includes(count)
  const isSidecar = (status: JsonObject): boolean =>
    pod.initContainers.some((each) => each.kind === 'sidecar' && each.name === status['name'])
  const plainInit = init.filter((status) => !isSidecar(status))
  const isInitFailed = plainInit.some((status) => isFailedForGood(pod, status))
  if (isEnded) {
    const isSuccess = counts.every((count) => count === 'succeeded') && !isInitFailed
    return isSuccess && counts.length > 0 ? 'Succeeded' : 'Failed'
  }
  if (isInitFailed) return 'Failed'
  if (has('waiting') || counts.length === 0) return 'Pending'
  // A sidecar that still runs keeps a pod from its end, how it ended says nothing.
  const isServed = init.some((status) => isSidecar(status) && countOf(status) === 'running')
  if (has('running') || isServed || app.some((status) => goesOn(pod, status))) return 'Running'
  return has('failed') ? 'Failed' : 'Succeeded'
}

/** Whether a container that has ended will run again. */
function goesOn(pod: PodView, status: JsonObject): boolean {
  const container = ownContainers(pod).find(({ name }) => name === status['name'])
  const exitCode = exitCodeOf(status)
  if (container === undefined) return pod.restartPolicy === 'Always'
  return restarts(pod, container, { exitCode, isSuccess: exitCode === 0 })
}

function countOf(status: JsonObject): Count {
  const state = asObject(status['state'])
  if (state['running'] !== undefined) return 'running'
  const isEnded = endOf(status) !== undefined
  if (!isEnded) return 'waiting'
  return exitCodeOf(status) === 0 ? 'succeeded' : 'failed'
}

function endOf(status: JsonObject): JsonObject[string] {
  return asObject(status['state'])['terminated'] ?? asObject(status['lastState'])['terminated']
}

function exitCodeOf(status: JsonObject): number | undefined {
  return asNumber(asObject(endOf(status))['exitCode'])
}

function isFailedForGood(pod: PodView, status: JsonObject): boolean {
  const ended = asObject(status['state'])['terminated']
  if (ended === undefined || asNumber(asObject(ended)['exitCode']) === 0) return false
  return !goesOn(pod, status)
}
