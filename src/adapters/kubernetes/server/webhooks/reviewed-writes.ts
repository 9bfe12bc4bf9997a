import type { JsonObject, KubeObject } from '../../objects/types.ts'
import { proposedUpdate } from '../admit.ts'
import { keptAs, keyOf, type RequestContext, shownAs } from '../context.ts'
import type { Deletion } from '../delete.ts'
import { scaleOf, withScale } from '../scale.ts'
import { modified, notFound } from '../status.ts'
import type { Review } from './review.ts'
import { deleteOptionsOf, writeOptionsOf } from './review-options.ts'

// The writes that somebody looks at before they happen.

/** How often webhooks are asked anew because the object changed while they looked at it. */
const ATTEMPTS_MAX = 5

/** Asks about a new object: those that may change it. */
export async function reviewedCreate(
  review: Review,
  context: RequestContext,
  object: KubeObject,
): Promise<KubeObject> {
  const options = writeOptionsOf(context, 'CreateOptions')
  const name = (object.metadata.name as string | undefined) ?? ''
  return await review.mutate({ name, object, old: undefined, options })
}

/** Asks about a new object, as it would be stored: those that may only refuse it. */
export async function validateCreate(
  review: Review,
  context: RequestContext,
  object: KubeObject,
): Promise<void> {
  const options = writeOptionsOf(context, 'CreateOptions')
  const { name } = object.metadata
  const metadata = context.resource.counted
    ? { ...object.metadata, generation: 1 }
    : object.metadata
  await review.validate({ name, object: { ...object, metadata }, old: undefined, options })
}

/** An update, in the steps between which webhooks are asked. */
export interface UpdateSteps {
  /** The object as the client wants it, as it is kept. */
  readonly change: (current: KubeObject) => KubeObject
  /** The object as it would be stored; refuses what may not be. */
  readonly admit: (current: KubeObject, changed: KubeObject, isApplied: boolean) => KubeObject
  /** Stores what a recipe makes of the object. */
  readonly save: (recipe: (current: KubeObject) => KubeObject) => Promise<KubeObject>
  /** Whether ownership is recorded already. */
  readonly isApplied: boolean
  /** Empty for the whole object. */
  readonly subresource: string
  readonly isStatus: boolean
}

/**
 * Carries out an update that webhooks look at. They are asked before anything is stored, so the object may
 * have changed when they are done: then they are asked again about what it is now.
 *
 * @throws StatusError: what they refuse with, 409 when the object does not stand still, and what a write throws.
 */
export async function reviewedUpdate(
  review: Review,
  context: RequestContext,
  name: string,
  steps: UpdateSteps,
): Promise<KubeObject> {
  const { store, served } = context
  const options = writeOptionsOf(context, 'UpdateOptions')
  for (let attempt = 1; ; attempt++) {
    const current = store.get(keyOf(context, name))
    if (current === undefined) throw notFound(served, name)
    const proposed = proposedUpdate(context, current, steps.change(current), steps)
    const view = viewOf(context, steps.subresource)
    const old = view.shown(current)
    const seen = await review.mutate({ name, object: view.shown(proposed), old, options })
    const wanted = steps.admit(current, view.written(proposed, seen), true)
    await review.validate({ name, object: view.shown(wanted), old, options })
    const version = current.metadata.resourceVersion
    let isRace = false
    try {
      return await steps.save((found) => {
        isRace = found.metadata.resourceVersion !== version
        if (isRace) throw modified(served, name)
        return wanted === current ? found : wanted
      })
    } catch (error) {
      if (!isRace || attempt >= ATTEMPTS_MAX) throw error
    }
  }
}

/** What webhooks see of an update: the object, or the scale that the request is about. */
function viewOf(
  context: RequestContext,
  subresource: string,
): {
  readonly shown: (object: KubeObject) => JsonObject
  readonly written: (object: KubeObject, seen: JsonObject) => KubeObject
} {
  if (subresource !== 'scale')
    return { shown: (object) => object, written: (_object, seen) => seen as KubeObject }
  const paths = context.served.custom?.scale
  return {
    shown: (object) => scaleOf(shownAs(context, object), paths),
    written: (object, seen) => keptAs(context, withScale(shownAs(context, object), seen, paths)),
  }
}

/**
 * Asks about the deletion of an object, and once more when it has become another one meanwhile.
 *
 * @returns the object that may go, as it is now.
 * @throws StatusError: what they refuse with, 404 when it went by itself, 409 when it does not stand still.
 */
export async function reviewedDeletion(
  review: Review,
  context: RequestContext,
  object: KubeObject,
  deletion: Deletion,
): Promise<KubeObject> {
  const { store, served } = context
  const { name } = object.metadata
  const told = deletion.isOfMany === true ? '' : name
  const options = deleteOptionsOf(deletion)
  let old = object
  for (let attempt = 1; ; attempt++) {
    const write = { name: told, object: undefined, old, options }
    await review.mutate(write)
    await review.validate(write)
    await context.converted?.prepare(keyOf(context, name))
    const found = store.get(keyOf(context, name))
    if (found === undefined) throw notFound(served, name)
    if (found.metadata.resourceVersion === old.metadata.resourceVersion) return found
    if (attempt >= ATTEMPTS_MAX) throw modified(served, name)
    old = found
  }
}

/**
 * Asks about a request that is no write of an object: an Eviction, a Binding, what somebody wants of a
 * connection into a pod.
 *
 * @returns what it is about as webhooks leave it.
 */
export async function reviewedPart(
  context: RequestContext,
  operation: 'CREATE' | 'CONNECT',
  subresource: string,
  name: string,
  object: JsonObject,
): Promise<JsonObject> {
  const review = context.webhooks.reviewOf(context, operation, subresource)
  if (review === undefined) return object
  const options = operation === 'CREATE' ? writeOptionsOf(context, 'CreateOptions') : {}
  const write = { name, object, old: undefined, options }
  const changed = await review.mutate(write)
  await review.validate({ ...write, object: changed })
  return changed
}
