import { parseQuantity } from '../kubernetes/objects/quantity.ts'
import { ownContainers, type PodView } from './pod-view.ts'

/** The quality of service class of a pod, from its requests and limits of CPU and memory. */
export function qosClass(pod: PodView): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  let isGuaranteed = true
  let isEmpty = true
  for (const container of ownContainers(pod)) {
    for (const resource of ['cpu', 'memory']) {
      const limit = parseQuantity(container.limits[resource]) ?? 0
      const request = parseQuantity(container.requests[resource]) ?? limit
      if (limit > 0 || request > 0) isEmpty = false
      if (limit === 0 || request !== limit) isGuaranteed = false
    }
  }
  if (isEmpty) return 'BestEffort'
  return isGuaranteed ? 'Guaranteed' : 'Burstable'
}
