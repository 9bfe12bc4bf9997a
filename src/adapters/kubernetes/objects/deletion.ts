import type { DeleteOptions, JsonObject, KubeObject, Resource } from './types.ts'

/** The grace of a pod that says nothing (PodSpec.terminationGracePeriodSeconds). */
const GRACE_SECONDS = 30

/** About 68 years, what fits the 32 bits that some clients read: a date has to come of it. */
const GRACE_SECONDS_MAX = 2 ** 31 - 1

/** What a delete request comes to. */
export type Deletion =
  | { readonly type: 'remove' }
  /** The object stays for now, marked. */
  | { readonly type: 'mark'; readonly object: KubeObject }
  /** It is marked already, and not to go later than asked. */
  | { readonly type: 'unchanged' }

/**
 * Decides how an object goes. A pod on a node gets its grace period, and goes when its node has stopped
 * it; what has finalizers waits for them; a namespace waits for its content; the rest goes at once.
 */
export function applyDeletion(
  resource: Resource,
  object: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): Deletion {
  const { finalizers, deletionTimestamp, deletionGracePeriodSeconds } = object.metadata
  const grace = graceOf(resource, object, options)
  const waits = (finalizers?.length ?? 0) > 0 || resource.id === 'namespaces'
  if (grace === 0 && !waits) return { type: 'remove' }
  if (deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) <= grace)
    return { type: 'unchanged' }
  const at = new Date(nowMs + grace * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  const metadata = { ...object.metadata, deletionTimestamp: at, deletionGracePeriodSeconds: grace }
  return { type: 'mark', object: { ...object, metadata } }
}

function graceOf(resource: Resource, object: KubeObject, options: DeleteOptions): number {
  if (resource.id !== 'pods') return 0
  const spec = object['spec'] as JsonObject | undefined
  if (typeof spec?.['nodeName'] !== 'string' || spec['nodeName'] === '') return 0
  const own = spec['terminationGracePeriodSeconds']
  const asked = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : GRACE_SECONDS)
  return Number.isFinite(asked)
    ? Math.min(GRACE_SECONDS_MAX, Math.max(0, Math.floor(asked)))
    : GRACE_SECONDS
}
