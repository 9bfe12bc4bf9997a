import type { Json, JsonObject, KubeObject, ObjectRow, Propagation } from '../objects/types.ts'
import { type ObjectBody, parseObject } from './body.ts'
import { keyOf, type RequestContext } from './context.ts'
import { isList, numberAt, textAt } from './json.ts'
import { invalidValue, notSupported } from './kinds/checks.ts'
import { convertedList, rowsOf, selectorOf } from './list.ts'
import { dryRunCauses } from './option-checks.ts'
import { wholeNumber } from './request.ts'
import { decodeTyped } from './schema/decode.ts'
import { kindType } from './schema/schema.ts'
import { badRequest, conflict, forbidden, invalid, notFound, successStatus } from './status.ts'
import { reviewedDeletion } from './webhooks/reviewed-writes.ts'

/** How an object is to be deleted (metav1.DeleteOptions). */
export interface Deletion {
  readonly gracePeriodSeconds: number | undefined
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
  readonly propagation: Propagation | undefined
  readonly dryRun: boolean
  /** Whether the request names no object: who looks at it is told no name. */
  readonly isOfMany?: boolean
}

const POLICIES: ReadonlySet<string> = new Set(['', 'Orphan', 'Background', 'Foreground'])
const POLICY_NAMES = ['Foreground', 'Background', 'Orphan', 'nil']
const BOTH = 'orphanDependents and deletionPropagation cannot be both set'

/**
 * Reads the options of a deletion, from the body or, where there is none, from the query.
 *
 * @throws StatusError: 400 for a malformed body, 422 for values that are not allowed.
 */
export function deletionOf(
  bytes: Uint8Array,
  contentType: string | undefined,
  query: URLSearchParams,
): Deletion {
  const value = bytes.length === 0 ? {} : optionsIn(parseObject(bytes, contentType))
  const grace = numberAt(value, 'gracePeriodSeconds') ?? wholeNumber(query, 'gracePeriodSeconds')
  const policy = textAt(value, 'propagationPolicy') || (query.get('propagationPolicy') ?? '')
  const dryRun = [...listOf(value['dryRun']), ...query.getAll('dryRun')].filter(
    (item) => item !== '',
  )
  const causes = [
    ...(policy !== '' && value['orphanDependents'] !== undefined
      ? [invalidValue('propagationPolicy', policy, BOTH)]
      : []),
    ...(POLICIES.has(policy) ? [] : [notSupported('propagationPolicy', policy, POLICY_NAMES)]),
    ...dryRunCauses(dryRun),
  ]
  if (causes.length > 0) throw invalid('DeleteOptions', 'meta.k8s.io', '', causes)
  return {
    // Less than no time is as little as there is.
    gracePeriodSeconds: grace === undefined || grace >= 0 ? grace : 1,
    uid: textAt(value, 'preconditions', 'uid') || undefined,
    resourceVersion: textAt(value, 'preconditions', 'resourceVersion') || undefined,
    propagation: propagationOf(value, policy),
    dryRun: dryRun.length > 0,
  }
}

/** Old clients say whether the dependents are to stay, as a boolean. */
function propagationOf(value: JsonObject, policy: string): Propagation | undefined {
  const { orphanDependents } = value
  if (typeof orphanDependents === 'boolean') return orphanDependents ? 'Orphan' : 'Background'
  return policy === '' ? undefined : (policy as Propagation)
}

function optionsIn(body: ObjectBody): JsonObject {
  const kind = textAt(body.value, 'kind')
  const type = kindType('', 'DeleteOptions')
  if (kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(
      `${kind} in version "${textAt(body.value, 'apiVersion')}" cannot be handled as a DeleteOptions`,
    )
  }
  return type === undefined ? body.value : decodeTyped(type, body.value).value
}

function listOf(value: Json | undefined): readonly string[] {
  return isList(value) ? value.map(String) : []
}

/**
 * Deletes one object, or asks for it to go.
 *
 * @returns the object while it is still there, and what a pod last was; otherwise a Status of
 * success.
 * @throws StatusError: 404, 409 when a precondition does not hold, 403.
 */
export async function deleteObject(
  context: RequestContext,
  name: string,
  deletion: Deletion,
): Promise<JsonObject> {
  const { store, served, resource, options } = context
  const key = keyOf(context, name)
  const current = store.get(key)
  if (current === undefined) throw notFound(served, name)
  const { uid, resourceVersion } = deletion
  if (uid !== undefined && uid !== current.metadata.uid) {
    throw conflict(
      { ...served, plural: served.kind },
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${current.metadata.uid ?? ''}). The object might have been deleted and then recreated`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
    throw conflict(
      { ...served, plural: served.kind },
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${current.metadata.resourceVersion ?? ''}). The object might have been modified`,
    )
  }
  const why = context.mayWrite(key, undefined)
  if (why !== undefined) throw forbidden(served, name, why)
  if (resource.id === 'namespaces' && PERMANENT.has(name))
    throw forbidden(served, name, 'this namespace may not be deleted')
  const review = context.webhooks.reviewOf(context, 'DELETE')
  const meant =
    review === undefined ? current : await reviewedDeletion(review, context, current, deletion)
  if (deletion.dryRun) return answerOf(context, meant, false)
  const last = await context.exclusive(key, () =>
    store.delete(key, {
      gracePeriodSeconds: deletion.gracePeriodSeconds,
      propagation: deletion.propagation,
      uid: uid ?? (review === undefined ? undefined : meant.metadata.uid),
      resourceVersion,
      author: options.author,
    }),
  )
  const isThere = store.get(key)?.metadata.uid === meant.metadata.uid
  return answerOf(context, isThere ? last : goneAs(last, store.resourceVersion), isThere)
}

/** What is gone is of the version at which it was, and has no grace left. */
function goneAs(last: KubeObject, resourceVersion: number): KubeObject {
  const metadata = { ...last.metadata, resourceVersion: String(resourceVersion) }
  const hadGrace = metadata.deletionGracePeriodSeconds !== undefined
  return { ...last, metadata: hadGrace ? { ...metadata, deletionGracePeriodSeconds: 0 } : metadata }
}

const PERMANENT: ReadonlySet<string> = new Set([
  'default',
  'kube-system',
  'kube-public',
  'kube-node-lease',
])

/** Kinds of which a deletion shows what was there. */
const RETURNED: ReadonlySet<string> = new Set([
  'persistentvolumeclaims',
  'persistentvolumes',
  'pods',
  'podtemplates',
  'resourcequotas',
  'serviceaccounts',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'deviceclasses.resource.k8s.io',
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
])

function answerOf(
  { served, resource }: RequestContext,
  object: KubeObject,
  isThere: boolean,
): JsonObject {
  if (isThere || RETURNED.has(resource.id)) return object
  return successStatus(served, object.metadata.name, object.metadata.uid)
}

/** Deletes every selected object of a namespace, or of all. Returns what they were. */
export async function deleteCollection(
  context: RequestContext,
  deletion: Deletion,
): Promise<readonly ObjectRow[]> {
  const { resource, query } = context
  const select = selectorOf(resource, query, context.served.conversion)
  const selected = rowsOf(await convertedList(context)).filter(select)
  for (const { name, namespace: home } of selected) {
    const inside: RequestContext = { ...context, namespace: home }
    try {
      await context.converted?.prepare(keyOf(inside, name))
      await deleteObject(inside, name, { ...deletion, isOfMany: true })
    } catch (error) {
      // Somebody else was faster: that is what was wanted.
      const isGone = error instanceof Error && 'reason' in error && error.reason === 'NotFound'
      if (!isGone) throw error
    }
  }
  return selected
}
