import type { JsonObject } from '../kubernetes/objects/types.ts'
import { asNumber, asObject } from './json.ts'
import type { PodView } from './pod-view.ts'

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
  const isInitFailed = pod.restartPolicy === 'Never' && plainInit.some(isFailedForGood)
  if (isEnded) {
    const isSuccess = counts.every((count) => count === 'succeeded') && !isInitFailed
    return isSuccess && counts.length > 0 ? 'Succeeded' : 'Failed'
  }
  if (isInitFailed) return 'Failed'
  if (has('waiting') || counts.length === 0) return 'Pending'
  // A sidecar that still runs keeps a pod from its end, how it ended says nothing.
  const isServed = init.some((status) => isSidecar(status) && countOf(status) === 'running')
  if (has('running') || isServed || pod.restartPolicy === 'Always') return 'Running'
  if (!has('failed')) return 'Succeeded'
  return pod.restartPolicy === 'Never' ? 'Failed' : 'Running'
}

function countOf(status: JsonObject): Count {
  const state = asObject(status['state'])
  if (state['running'] !== undefined) return 'running'
  const ended = state['terminated'] ?? asObject(status['lastState'])['terminated']
  if (ended === undefined) return 'waiting'
  return asNumber(asObject(ended)['exitCode']) === 0 ? 'succeeded' : 'failed'
}

function isFailedForGood(status: JsonObject): boolean {
  const ended = asObject(status['state'])['terminated']
  return ended !== undefined && asNumber(asObject(ended)['exitCode']) !== 0
}
