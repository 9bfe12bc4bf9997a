import { parseMillis, parseWhole } from '../kubernetes/objects/quantity.ts'
import type { Limits } from '../runtime/index.ts'
import type { ContainerView } from './pod-view.ts'

/** The limits of a container in the units of runtimes. A limit of nothing is none. */
export function containerLimits(container: Pick<ContainerView, 'limits' | 'requests'>): Limits {
  const memoryBytes = parseWhole(container.limits['memory'])
  const cpuMillis = parseMillis(container.limits['cpu'])
  const cpuRequestMillis = parseMillis(container.requests['cpu']) ?? cpuMillis
  return {
    ...(memoryBytes === undefined || memoryBytes <= 0 ? {} : { memoryBytes }),
    ...(cpuMillis === undefined || cpuMillis <= 0 ? {} : { cpuMillis }),
    ...(cpuRequestMillis === undefined ? {} : { cpuRequestMillis }),
  }
}
