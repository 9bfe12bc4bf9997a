import { asObjects } from '../json.ts'
import type { PodView } from '../pod-view.ts'
import { qosClass } from '../qos.ts'
import { isCritical } from './pod-resources.ts'
import type { PressureCondition } from './signals.ts'
import { refusalMessage } from './words.ts'

const MEMORY_TAINT = 'node.kubernetes.io/memory-pressure'

/**
 * Why a pod may not begin on a node under pressure, in kubelet's words; undefined when it may. Short
 * of memory alone, only those are refused that have asked for nothing and do not tolerate it.
 */
export function refusalOf(
  pod: PodView,
  conditions: readonly PressureCondition[],
): string | undefined {
  if (conditions.length === 0 || isCritical(pod)) return undefined
  const isMemoryOnly = conditions.length === 1 && conditions[0] === 'MemoryPressure'
  if (isMemoryOnly && (qosClass(pod) !== 'BestEffort' || toleratesMemoryPressure(pod))) {
    return undefined
  }
  return refusalMessage(conditions)
}

function toleratesMemoryPressure(pod: PodView): boolean {
  return asObjects(pod.spec['tolerations']).some(({ key, operator, value, effect }) => {
    if (effect !== undefined && effect !== '' && effect !== 'NoSchedule') return false
    const isNamed = key === MEMORY_TAINT
    if (operator === 'Exists') return isNamed || key === undefined || key === ''
    return isNamed && (value === undefined || value === '')
  })
}
