import { parseQuantity } from '../kubernetes/objects/quantity.ts'
import { asObject } from './json.ts'
import { wholeResources } from './pod-level.ts'
import { type ContainerView, ownContainers, type PodView } from './pod-view.ts'

/** What is said of all of a pod counts instead of what is said of its containers. */
function countedOf(pod: PodView): readonly Pick<ContainerView, 'limits' | 'requests'>[] {
  const whole = wholeResources(pod)
  if (whole === undefined) return ownContainers(pod)
  return [{ limits: asObject(whole['limits']), requests: asObject(whole['requests']) }]
}

/** The quality of service class of a pod, from its requests and limits of CPU and memory. */
export function qosClass(pod: PodView): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  let isGuaranteed = true
  let isEmpty = true
  for (const container of countedOf(pod)) {
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
