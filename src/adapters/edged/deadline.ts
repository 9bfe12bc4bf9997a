import { asNumber, asText } from './json.ts'
import type { PodView } from './pod-view.ts'

/** Why a pod has failed that was active for longer than it may be. */
export const DEADLINE_EXCEEDED = 'DeadlineExceeded'
/** What kubelet says of it. */
export const DEADLINE_MESSAGE = 'Pod was active on the node longer than the specified deadline'

/**
 * When the time of a pod is up (`activeDeadlineSeconds` after it began), in milliseconds since the
 * epoch; undefined for one that may run for ever. A pod that has not begun begins now.
 */
export function deadlineMs(pod: PodView, nowMs: number): number | undefined {
  const seconds = asNumber(pod.spec['activeDeadlineSeconds'])
  if (seconds === undefined) return undefined
  const beganAtMs = Date.parse(asText(pod.status['startTime']) ?? '')
  return (Number.isNaN(beganAtMs) ? nowMs : beganAtMs) + seconds * 1000
}
