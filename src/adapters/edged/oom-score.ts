import { parseWhole } from '../kubernetes/objects/quantity.ts'
import { asText } from './json.ts'
import { memoryBeyond } from './pod-level.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { qosClass } from './qos.ts'

const GUARANTEED = -997
const BEST_EFFORT = 1000
const NODE_CRITICAL = 'system-node-critical'

/**
 * How willingly the kernel ends a container when the machine is out of memory: the less it asked for,
 * the sooner, as kubelet has it.
 *
 * @param capacityBytes the memory of the machine.
 */
export function oomScoreAdjust(
  pod: PodView,
  container: ContainerView,
  capacityBytes: number,
): number {
  const quality = qosClass(pod)
  const isCritical = asText(pod.spec['priorityClassName']) === NODE_CRITICAL
  if (isCritical || quality === 'Guaranteed') return GUARANTEED
  if (quality === 'BestEffort' || capacityBytes <= 0) return BEST_EFFORT
  const own = requestOf(container) + memoryBeyond(pod)
  // A sidecar is no sooner ended than the least of those that it serves.
  const asked =
    container.kind === 'sidecar'
      ? Math.max(own, Math.min(...pod.containers.map(requestOf)) + memoryBeyond(pod))
      : own
  const score = 1000 - Math.trunc((1000 * asked) / capacityBytes)
  return Math.min(Math.max(score, 1000 + GUARANTEED), BEST_EFFORT - 1)
}

/** The API fills in the request where there is only a limit. */
function requestOf(container: ContainerView): number {
  return parseWhole(container.requests['memory'] ?? container.limits['memory']) ?? 0
}
