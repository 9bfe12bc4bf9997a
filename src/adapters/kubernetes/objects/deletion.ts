import { DEFINITION_FINALIZER, DEFINITIONS } from './custom-resources.ts'
import { mapAt, numberAt, textAt } from './read.ts'
import type { DeleteOptions, KubeObject, ObjectMeta, Resource } from './types.ts'

/** The finalizer of an object whose dependents are to lose their owner before it goes. */
export const ORPHAN_FINALIZER = 'orphan'

/** The finalizer of an object whose dependents are to go before it does. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion'

/** The grace of a pod that says nothing (PodSpec.terminationGracePeriodSeconds). */
const GRACE_SECONDS = 30

/** About 68 years, what fits the 32 bits that some clients read: a date has to come of it. */
const GRACE_SECONDS_MAX = 2 ** 31 - 1

/** Kinds whose dependents stay unless something else is asked for: so they did before there was a choice. */
const KEEPS_DEPENDENTS: ReadonlySet<string> = new Set(['jobs.batch', 'replicationcontrollers'])

/** What a delete request comes to. */
export type Deletion =
  | { readonly type: 'remove' }
  /** The object stays for now, marked. */
  | { readonly type: 'mark'; readonly object: KubeObject }
  /** It is marked already, and not to go later than asked. */
  | { readonly type: 'unchanged' }

/**
 * Decides how an object goes. A pod on a node gets its grace period, and goes when its node has stopped
 * it; what has finalizers waits for them, also for the one that stands for its dependents; a namespace
 * waits for its content; the rest goes at once.
 */
export function applyDeletion(
  resource: Resource,
  object: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): Deletion {
  const { deletionTimestamp } = object.metadata
  const pending = object.metadata.deletionGracePeriodSeconds ?? 0
  if (deletionTimestamp !== undefined && pending > 0)
    return hastened(object, Date.parse(deletionTimestamp), pending, options, nowMs)
  const finalizers = finalizersAfter(resource, object, options)
  const grace = deletionTimestamp === undefined ? graceOf(resource, object, options) : 0
  if (grace === 0 && finalizers.length === 0 && !hasContent(resource, object))
    return { type: 'remove' }
  const isAsIs = finalizers.join() === (object.metadata.finalizers ?? []).join()
  if (deletionTimestamp !== undefined && isAsIs) return { type: 'unchanged' }
  const at = deletionTimestamp ?? timeText(nowMs + grace * 1_000)
  const leaving = marked(object, at, grace, finalizers)
  return { type: 'mark', object: resource.id === 'namespaces' ? terminating(leaving) : leaving }
}

/** A running grace period can only become shorter; what is over at once waits for finalizers only. */
function hastened(
  object: KubeObject,
  endMs: number,
  pending: number,
  { gracePeriodSeconds }: DeleteOptions,
  nowMs: number,
): Deletion {
  if (gracePeriodSeconds === undefined || gracePeriodSeconds >= pending)
    return { type: 'unchanged' }
  const asked = Math.max(0, Math.floor(gracePeriodSeconds))
  const finalizers = object.metadata.finalizers ?? []
  if (asked === 0 && finalizers.length === 0) return { type: 'remove' }
  const wantedMs = endMs - (pending - asked) * 1_000
  const isOver = wantedMs < nowMs
  const at = timeText(isOver ? nowMs : wantedMs)
  // Who is to stop it has still to see that it was asked nicely.
  return {
    type: 'mark',
    object: marked(object, at, isOver ? Math.min(1, asked) : asked, finalizers),
  }
}

/** A namespace says at once that it goes, and has no grace. */
function terminating(namespace: KubeObject): KubeObject {
  const { deletionGracePeriodSeconds: _, ...metadata } = namespace.metadata
  const status = { ...mapAt(namespace, 'status'), phase: 'Terminating' }
  return { ...namespace, metadata, status } as KubeObject
}

function marked(
  object: KubeObject,
  deletionTimestamp: string,
  grace: number,
  finalizers: readonly string[],
): KubeObject {
  const { finalizers: _, ...kept } = object.metadata
  const metadata = {
    ...kept,
    deletionTimestamp,
    deletionGracePeriodSeconds: grace,
    ...(finalizers.length === 0 ? {} : { finalizers }),
  }
  return { ...object, metadata }
}

/**
 * The finalizers with the one that stands for the dependents, as asked for; else as they say already;
 * else as is usual for the kind.
 */
function finalizersAfter(
  resource: Resource,
  { metadata }: KubeObject,
  options: DeleteOptions,
): readonly string[] {
  const known = metadata.finalizers ?? []
  // Nothing belongs to an event.
  if (resource.id === 'events') return known
  const wanted = dependentsFinalizer(resource, known, options)
  const others = [...known, ...cleanupFinalizer(resource, metadata)].filter(
    (name) => name !== ORPHAN_FINALIZER && name !== FOREGROUND_FINALIZER,
  )
  return wanted === undefined ? others : [...others, wanted]
}

/** The definition of a kind waits for its objects, from when it is asked to go. */
function cleanupFinalizer(
  resource: Resource,
  { deletionTimestamp, finalizers = [] }: ObjectMeta,
): readonly string[] {
  const isAsked = deletionTimestamp !== undefined || finalizers.includes(DEFINITION_FINALIZER)
  return resource.id === DEFINITIONS && !isAsked ? [DEFINITION_FINALIZER] : []
}

function dependentsFinalizer(
  resource: Resource,
  known: readonly string[],
  { propagation }: DeleteOptions,
): string | undefined {
  if (propagation === 'Orphan') return ORPHAN_FINALIZER
  if (propagation === 'Foreground') return FOREGROUND_FINALIZER
  if (propagation === 'Background') return undefined
  const said = known.find((name) => name === ORPHAN_FINALIZER || name === FOREGROUND_FINALIZER)
  return said ?? (KEEPS_DEPENDENTS.has(resource.id) ? ORPHAN_FINALIZER : undefined)
}

function hasContent(resource: Resource, object: KubeObject): boolean {
  const finalizers = mapAt(object, 'spec')?.['finalizers']
  return resource.id === 'namespaces' && Array.isArray(finalizers) && finalizers.length > 0
}

/** The grace of an object: only a pod that a node runs, and that has not ended, gets any. */
function graceOf(resource: Resource, object: KubeObject, options: DeleteOptions): number {
  if (resource.id !== 'pods' || textAt(object, 'spec', 'nodeName') === undefined) return 0
  const phase = textAt(object, 'status', 'phase')
  if (phase === 'Succeeded' || phase === 'Failed') return 0
  const own = numberAt(object, 'spec', 'terminationGracePeriodSeconds') ?? GRACE_SECONDS
  const asked = options.gracePeriodSeconds ?? own
  return Number.isFinite(asked)
    ? Math.min(GRACE_SECONDS_MAX, Math.max(0, Math.floor(asked)))
    : GRACE_SECONDS
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
