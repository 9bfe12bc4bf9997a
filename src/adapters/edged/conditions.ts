import type { Json, JsonObject } from '../kubernetes/objects/types.ts'
import { asObjects, asText } from './json.ts'

/** A condition as it should be, without its times. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string | undefined
  readonly message?: string | undefined
  /** The generation of the object that it speaks of. Default: not told. */
  readonly observedGeneration?: number | undefined
}

/** One that nodes write as well as others: it stays behind those that only nodes write. */
const SHARED = 'DisruptionTarget'

/** A time as Kubernetes writes it: RFC 3339 in whole seconds. */
export function kubeTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/**
 * Puts conditions into the list that an object has. The time of the last transition stays as long as
 * the status does, fields that are known to nobody here stay, and so do conditions of others.
 *
 * @param fresh fields for conditions that changed, such as the time of the last heartbeat.
 */
export function mergeConditions(
  existing: Json | undefined,
  wanted: readonly Condition[],
  nowMs: number,
  fresh: JsonObject = {},
): readonly JsonObject[] {
  const before = asObjects(existing)
  const own = new Set(wanted.map((condition) => condition.type))
  const others = before.filter((condition) => !own.has(asText(condition['type']) ?? ''))
  const merged = wanted.map((condition) => {
    const old = before.find((each) => each['type'] === condition.type)
    const isSame = old?.['status'] === condition.status
    const { reason: _reason, message: _message, ...kept } = old ?? {}
    const isUntouched =
      isSame && old['reason'] === condition.reason && old['message'] === condition.message
    return {
      ...kept,
      type: condition.type,
      status: condition.status,
      ...(condition.reason === undefined ? {} : { reason: condition.reason }),
      ...(condition.message === undefined ? {} : { message: condition.message }),
      ...(condition.observedGeneration === undefined
        ? {}
        : { observedGeneration: condition.observedGeneration }),
      ...(isUntouched ? {} : fresh),
      lastTransitionTime: isSame ? (old['lastTransitionTime'] ?? kubeTime(nowMs)) : kubeTime(nowMs),
    }
  })
  const shared = others.filter(({ type }) => type === SHARED)
  return [...others.filter(({ type }) => type !== SHARED), ...merged, ...shared]
}
