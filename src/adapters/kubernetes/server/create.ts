import { randomInt, randomUUID } from 'node:crypto'
import type { JsonObject, KubeObject } from '../objects/types.ts'
import { checkIdentity, refuse } from './admit.ts'
import { keptAs, keyOf, nowText, type RequestContext } from './context.ts'
import { customCauses, refuseLate } from './custom/admit-custom.ts'
import { isObject } from './json.ts'
import { required } from './kinds/checks.ts'
import { applyDefaults, initialStatus } from './kinds/defaults.ts'
import { withDefaults } from './kinds/filling.ts'
import { completeWithUid, type Prepared, prepareCreate, timedStatus } from './kinds/prepare.ts'
import { checkObject } from './kinds/validate.ts'
import { ownedByCreator } from './ownership.ts'
import { forbidden, notFound, resourceText, StatusError, unexpected } from './status.ts'
import type { Review } from './webhooks/review.ts'
import { reviewedCreate, validateCreate } from './webhooks/reviewed-writes.ts'

/** Letters and digits that form no words: what kube-apiserver makes names of. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const SUFFIX_CHARACTERS = 5
const NAME_BASE_CHARACTERS_MAX = 58

/** How often a generated name is tried before the conflict is told. */
const NAME_ATTEMPTS_MAX = 8

/**
 * Adds an object.
 *
 * @param isApplied whether ownership is recorded already, by server-side apply.
 * @returns the object as stored, or as it would be with `dryRun`.
 * @throws StatusError: 400, 403, 404 for a namespace that is not there, 409, 422 with the causes.
 */
export async function createObject(
  context: RequestContext,
  body: KubeObject,
  isApplied = false,
): Promise<KubeObject> {
  const given = keptAs(context, body)
  checkIdentity(context, given, undefined)
  if ((given.metadata.resourceVersion ?? '') !== '') {
    throw unexpected('resourceVersion should not be set on objects to be created')
  }
  await context.admission.awaited(context.resource.id, context.namespace, given)
  const review = context.webhooks.reviewOf(context, 'CREATE')
  if (review === undefined) return await createGiven(context, given, isApplied)
  const proposed = await reviewedCreate(review, context, proposedObject(context, given, isApplied))
  return await createGiven(context, proposed, true, review)
}

async function createGiven(
  context: RequestContext,
  given: KubeObject,
  isApplied: boolean,
  review?: Review,
): Promise<KubeObject> {
  const prefix = given.metadata.generateName ?? ''
  const isGenerated = ((given.metadata.name as string | undefined) ?? '') === '' && prefix !== ''
  for (let attempt = 1; ; attempt++) {
    const name = isGenerated ? generatedName(prefix) : given.metadata.name
    try {
      return await createNamed(context, given, name, isApplied, review)
    } catch (error) {
      const isTaken =
        error instanceof Error && 'reason' in error && error.reason === 'AlreadyExists'
      if (!isGenerated || !isTaken || attempt >= NAME_ATTEMPTS_MAX) throw error
    }
  }
}

function generatedName(prefix: string): string {
  const suffix = Array.from(
    { length: SUFFIX_CHARACTERS },
    () => ALPHABET[randomInt(ALPHABET.length)] ?? '',
  )
  return prefix.slice(0, NAME_BASE_CHARACTERS_MAX) + suffix.join('')
}

async function createNamed(
  context: RequestContext,
  given: KubeObject,
  name: string,
  isApplied: boolean,
  review: Review | undefined,
): Promise<KubeObject> {
  const { store, resource, served, options } = context
  if (((name as string | undefined) ?? '') === '') {
    refuse(context, '', [required('metadata.name', 'name or generateName is required')])
  }
  refuseLate(context, name)
  const { object, causes } = newObject(context, given, name)
  refuse(context, name, [
    ...checkObject(resource, object),
    ...customCauses(context, object),
    ...causes,
  ])
  checkNamespace(context, name)
  const owned = isApplied ? object : ownedByCreator(context, given, object)
  const key = keyOf(context, name)
  const why = context.mayWrite(key, owned)
  if (why !== undefined) throw forbidden(served, name, why)
  if (review !== undefined) await validateCreate(review, context, owned)
  const write = { served, resource: resource.id, object: owned, before: undefined }
  const release = context.admission.check(write)
  try {
    if (!options.dryRun)
      return await context.exclusive(key, () => {
        const there = store.get(key)
        if (there?.metadata.deletionTimestamp !== undefined)
          throw alreadyExists(context, name, 'object is being deleted: ')
        return store.create(owned, {
          author: options.author,
          complete: (found, uid) => completeWithUid(resource.id, found, uid),
        })
      })
  } finally {
    release()
  }
  if (store.get(key) !== undefined) throw alreadyExists(context, name)
  const uid = randomUUID()
  const whole = completeWithUid(resource.id, owned, uid)
  const creationTimestamp = nowText(context.clock)
  const generation = resource.counted ? { generation: 1 } : {}
  const metadata = { ...whole.metadata, uid, creationTimestamp, ...generation }
  const tried = { ...whole, metadata }
  return (await context.converted?.tried(undefined, tried)) ?? tried
}

/** A new object as its creator wants it, with its owners and before anything of it is checked. */
function proposedObject(
  context: RequestContext,
  given: KubeObject,
  isApplied: boolean,
): KubeObject {
  const { resource, store } = context
  const { status } = given
  const named = completedObject(context, given, given.metadata.name)
  const now = nowText(context.clock)
  // Of a pod the rest, its priority for one, comes from admission too.
  const isPod = resource.id === 'pods'
  const completed = isPod ? prepareCreate(resource.id, named, { store, now }).object : named
  const object = status === undefined ? completed : { ...completed, status }
  return isApplied ? object : ownedByCreator(context, given, object)
}

/** A new object with what the kind, the node and its namespace give it. */
function completedObject(context: RequestContext, given: KubeObject, name: string): KubeObject {
  const { resource, namespace } = context
  const {
    uid: _u,
    creationTimestamp: _c,
    deletionTimestamp: _d,
    deletionGracePeriodSeconds: _s,
    generation,
    selfLink: _l,
    resourceVersion: _r,
    namespace: _n,
    ...metadata
  } = given.metadata
  const named = {
    ...metadata,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    // Of what no controller counts it is the client's.
    ...(resource.counted || generation === undefined ? {} : { generation }),
  }
  const { status: _status, ...rest } = given
  const completed = context.admit(keyOf(context, name), { ...rest, metadata: named } as KubeObject)
  return context.admission.complete(resource.id, applyDefaults(resource.id, completed))
}

function newObject(context: RequestContext, given: KubeObject, name: string): Prepared {
  const { resource, store } = context
  const { status } = given
  const now = nowText(context.clock)
  const admitted = completedObject(context, given, name)
  const { object, causes } = prepareCreate(resource.id, admitted, { store, now })
  if (!resource.status)
    return { object: status === undefined ? object : { ...object, status }, causes }
  // Only a node describes itself when it registers; every other status is reported later.
  const first = resource.id === 'nodes' ? nodeStatus(given) : initialStatus(resource.id, object)
  return {
    object:
      first === undefined ? object : { ...object, status: timedStatus(resource.id, first, now) },
    causes,
  }
}

/** What a node says of itself; all that it has can be given to pods, where it says nothing else. */
function nodeStatus(given: KubeObject): JsonObject {
  const status = isObject(given['status']) ? given['status'] : {}
  const { capacity, allocatable = capacity } = status
  const described = allocatable === undefined ? status : { ...status, allocatable }
  return withDefaults(described, initialStatus('nodes', given) ?? {})
}

/** 409 for a name that is taken. */
export function alreadyExists({ served }: RequestContext, name: string, why = ''): StatusError {
  return new StatusError(
    'AlreadyExists',
    `${why}${resourceText(served)} "${name}" already exists`,
    {
      name,
      group: served.group,
      kind: served.plural,
    },
  )
}

function checkNamespace(context: RequestContext, name: string): void {
  const { store, resource, namespace, served } = context
  if (!resource.namespaced || namespace === undefined) return
  const home = store.get({ resource: 'namespaces', name: namespace })
  if (home === undefined)
    throw notFound({ plural: 'namespaces', group: '', kind: 'Namespace' }, namespace)
  if (home.metadata.deletionTimestamp !== undefined) {
    throw new StatusError(
      'Forbidden',
      `${resourceText(served)} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
      {
        name,
        group: served.group,
        kind: served.plural,
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${namespace} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      },
    )
  }
}
