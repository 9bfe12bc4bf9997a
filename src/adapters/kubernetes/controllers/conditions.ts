import { mapAt, mapsAt } from '../objects/read.ts'
import type { KubeObject } from '../objects/types.ts'

/** A condition as a controller says it; its transition time follows from what was there. */
export interface NewCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

/**
 * The object with one condition set. The same object when it says so already, so nothing is written;
 * lastTransitionTime moves only when the status does (Kubernetes API conventions, "Typical status properties").
 */
export function setCondition(
  object: KubeObject,
  condition: NewCondition,
  nowMs: number,
): KubeObject {
  const conditions = mapsAt(object, 'status', 'conditions')
  const known = conditions.find(({ type }) => type === condition.type)
  const { status, reason, message } = condition
  if (known?.['status'] === status && known['reason'] === reason && known['message'] === message)
    return object
  const transition = known?.['status'] === status ? known['lastTransitionTime'] : timestamp(nowMs)
  const next = { ...known, ...condition, lastTransitionTime: transition ?? timestamp(nowMs) }
  const others = conditions.filter(({ type }) => type !== condition.type)
  return { ...object, status: { ...mapAt(object, 'status'), conditions: [...others, next] } }
}

/** A time as Kubernetes writes it: RFC 3339, UTC, whole seconds. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
