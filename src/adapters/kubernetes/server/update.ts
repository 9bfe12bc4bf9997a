import { DEFINITIONS } from '../objects/custom-resources.ts'
import { amended } from '../objects/parts.ts'
import type { JsonObject, KubeObject } from '../objects/types.ts'
import { ObjectError } from '../objects/types.ts'
import { admitStatus, admitUpdate, checkIdentity, decodeObject, refuse, writerOf } from './admit.ts'
import { applyOverClientSide, type Configuration } from './apply/last-applied.ts'
import { typedError } from './apply/typed-errors.ts'
import { mediaType, type ObjectBody, parseJson, parseYaml, unsupportedMediaType } from './body.ts'
import { apiVersionOf } from './catalog.ts'
import { keptAs, keyOf, type RequestContext, shownAs } from './context.ts'
import { createObject } from './create.ts'
import { withCustomDefaults } from './custom/admit-custom.ts'
import { at, isObject, listAt, objectAt, textAt } from './json.ts'
import { invalidValue } from './kinds/checks.ts'
import { refuseForce, requireManager } from './option-checks.ts'
import { applyJsonPatch } from './patch/json-patch.ts'
import { applyMergePatch } from './patch/merge-patch.ts'
import { applyStrategicPatch, goText } from './patch/strategic.ts'
import { badRequest, invalid, notFound, resourceText, StatusError } from './status.ts'
import { reviewedUpdate } from './webhooks/reviewed-writes.ts'

/** Which part of an object a request is about. */
export type Part = 'object' | 'status' | 'ephemeralcontainers' | 'resize'

/** An object that was written, and whether it is new. */
export interface Written {
  readonly object: KubeObject
  readonly isNew: boolean
}

/** Kinds that PUT may create: their writers do not care which it is. */
const UPSERTED: ReadonlySet<string> = new Set(['events', 'leases.coordination.k8s.io'])

/** Its kinds are webhooks and policies of admission. */
const ADMISSION_GROUP = 'admissionregistration.k8s.io'

/** Applying to an object that is created or deleted meanwhile is tried again this often. */
const APPLY_ATTEMPTS_MAX = 4

/** Replaces an object, or its status. */
export async function replaceObject(
  context: RequestContext,
  name: string,
  body: ObjectBody,
  part: Part,
): Promise<Written> {
  const given = decodeObject(context, body)
  if (((given.metadata.name as string | undefined) ?? '') === '')
    throw badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    )
  checkIdentity(context, given, name)
  requireVersion(context, given, name)
  const isThere = context.store.get(keyOf(context, name)) !== undefined
  if (!isThere && part === 'object' && UPSERTED.has(context.resource.id)) {
    const named = {
      ...given,
      metadata: { ...given.metadata, name, resourceVersion: undefined },
    } as unknown as KubeObject
    await context.permit('create')
    return { object: await createObject(context, named), isNew: true }
  }
  return { object: await writeObject(context, name, part, () => given, false), isNew: false }
}

/**
 * Definitions, the kinds that they define, and what says how requests are admitted are only replaced by
 * who knows what they replace.
 *
 * @throws StatusError 422 without a resourceVersion.
 */
function requireVersion(context: RequestContext, given: KubeObject, name: string): void {
  const { served, resource } = context
  const isFree =
    served.custom === undefined && resource.id !== DEFINITIONS && served.group !== ADMISSION_GROUP
  if (isFree || (given.metadata.resourceVersion ?? '') !== '') return
  const text = 'must be specified for an update'
  const { group, plural } = served
  // Kubernetes names the resource here, and the kind for the others.
  if (group === ADMISSION_GROUP)
    throw invalid(plural, group, name, [invalidValue('metadata.resourceVersion', 0, text)])
  refuse(context, name, [invalidValue('metadata.resourceVersion', 0, text)])
}

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

/**
 * Patches an object, or its status, with any of the four kinds of patch.
 *
 * @throws StatusError: 415 for another kind of patch, and what a write throws.
 */
export async function patchObject(
  context: RequestContext,
  name: string,
  bytes: Uint8Array,
  contentType: string | undefined,
  part: Part,
): Promise<Written> {
  const type = mediaType(contentType)
  if (type === 'application/apply-patch+yaml')
    return await applyObject(context, name, parseYaml(bytes), part)
  if (!PATCH_TYPES.some((known) => known === type))
    throw new StatusError('UnsupportedMediaType', '415: Unsupported Media Type', {})
  refuseForce(context.query)
  const isStrategic = type === 'application/strategic-merge-patch+json'
  const { value: patch, duplicates } = parseJson(bytes, isStrategic ? '' : 'error decoding patch: ')
  if (isStrategic && context.served.type.name.startsWith('unknown.')) {
    throw unsupportedMediaType(PATCH_TYPES.filter((known) => !known.includes('strategic')))
  }
  const recipe = (current: KubeObject): KubeObject => {
    const patched = patchedBy(context, type, current, patch)
    if (!isObject(patched)) throw badRequest('the patch does not leave an object')
    // A strategic patch is told as it came, any other as what it leaves.
    const told = isStrategic ? goText(patch) : JSON.stringify(patched)
    const given = decodePatched(context, patched, duplicates, told)
    checkIdentity(context, given, name)
    return withoutForeignUid(context, current, given)
  }
  return { object: await writeObject(context, name, part, recipe, false), isNew: false }
}

/**
 * What a patch leaves, without the uid of the object, which no patch has to name. A patch of another
 * version of the object is told that first, so the uid is not looked at.
 *
 * @throws StatusError 422 for the uid of another object.
 */
function withoutForeignUid(
  context: RequestContext,
  current: KubeObject,
  given: KubeObject,
): KubeObject {
  const { uid = '', ...metadata } = given.metadata
  const { resourceVersion = '' } = metadata
  const isOfThis = resourceVersion === '' || resourceVersion === current.metadata.resourceVersion
  if (uid !== '' && uid !== current.metadata.uid && isOfThis)
    refuse(context, current.metadata.name, [
      invalidValue('metadata.uid', uid, 'field is immutable'),
    ])
  return { ...given, metadata } as KubeObject
}

/** What a patch leaves has to be an object of the kind: 422, as it is not the body that is wrong. */
function decodePatched(
  context: RequestContext,
  patched: JsonObject,
  duplicates: readonly string[],
  told: string,
): KubeObject {
  try {
    return decodeObject(context, { value: patched, duplicates })
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'BadRequest') throw error
    // The patch is at fault, not a body of some kind.
    const why = error.message.replace(/^\S+ in version "[^"]*" cannot be handled as a \S+: /, '')
    throw invalid('', '', '', [invalidValue('patch', told, why)])
  }
}

function patchedBy(
  context: RequestContext,
  type: string,
  current: KubeObject,
  patch: JsonObject[string],
): JsonObject[string] {
  if (type === 'application/json-patch+json') return applyJsonPatch(current, patch ?? null)
  if (patch === null) throw badRequest('Invalid JSON Patch')
  if (!isObject(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal the patch into an object')
  if (type === 'application/merge-patch+json') return applyMergePatch(current, patch)
  return applyStrategicPatch(current, patch, context.served.type)
}

async function applyObject(
  context: RequestContext,
  name: string,
  body: ObjectBody | { value: unknown; duplicates: readonly string[] },
  part: Part,
): Promise<Written> {
  if (!isObject(body.value))
    throw badRequest('error decoding YAML: the configuration is not an object')
  requireManager(context.query)
  const expected = { apiVersion: apiVersionOf(context.served), kind: context.served.kind }
  if (textAt(body.value, 'apiVersion') === '' || textAt(body.value, 'kind') === '') {
    throw badRequest(`invalid object type: ${kindText(body.value)}`)
  }
  if (
    textAt(body.value, 'apiVersion') !== expected.apiVersion ||
    textAt(body.value, 'kind') !== expected.kind
  )
    throw badRequest(`invalid object type: ${kindText(body.value)}`)
  if (at(body.value, 'metadata', 'managedFields') !== undefined)
    throw badRequest('metadata.managedFields must be nil')
  const { type } = context.served
  const wrong = type.name.startsWith('unknown.') ? undefined : typedError(type, body.value)
  if (wrong !== undefined) throw wrong
  const config = decodeObject(context, { value: body.value, duplicates: body.duplicates }, true)
  checkIdentity(context, config, name)
  const { status, ...main } = config
  const content =
    part === 'status'
      ? { ...expected, metadata: { name }, ...(status === undefined ? {} : { status }) }
      : context.resource.status
        ? main
        : config
  const metadata = {
    ...objectAt(content as JsonObject, 'metadata'),
    name,
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
  }
  const shaped = { ...content, metadata } as unknown as KubeObject
  const configuration = { given: body.value, config: shaped }
  for (let attempt = 1; ; attempt++) {
    try {
      return await applyOnce(context, name, configuration, part)
    } catch (error) {
      // What is wrong with a configuration is told to who may apply it.
      if (error instanceof StatusError && error.reason === 'Conflict') context.warnings.length = 0
      const isRace =
        error instanceof ObjectError &&
        (error.reason === 'AlreadyExists' || error.reason === 'NotFound')
      if (!isRace || attempt >= APPLY_ATTEMPTS_MAX) throw error
    }
  }
}

/** What an object says that it is, as Go writes it: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`. */
function kindText(value: JsonObject): string {
  const apiVersion = textAt(value, 'apiVersion')
  const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
  return `${version}, Kind=${textAt(value, 'kind')}`
}

async function applyOnce(
  context: RequestContext,
  name: string,
  configuration: Configuration,
  part: Part,
): Promise<Written> {
  const { served, options, store } = context
  const { config } = configuration
  const writer = writerOf(context, part === 'object' ? '' : part)
  if (store.get(keyOf(context, name)) === undefined) {
    if (part !== 'object') throw notFound(served, name)
    if ((config.metadata.uid ?? '') !== '') {
      throw new StatusError(
        'Conflict',
        `Operation cannot be fulfilled on ${resourceText(served)} "${name}": uid mismatch: the provided object specified uid ${config.metadata.uid ?? ''}, and no existing object was found`,
        { name, group: served.group, kind: served.plural },
      )
    }
    const { resourceVersion: _, ...metadata } = config.metadata
    const created = applyOverClientSide(
      served.type,
      undefined,
      { ...configuration, config: { ...config, metadata } as KubeObject },
      writer,
      options.force,
    )
    await context.permit('create')
    const whole = withCustomDefaults(context, created)
    return { object: await createObject(context, whole, true), isNew: true }
  }
  const recipe = (current: KubeObject): KubeObject => {
    const { uid = '' } = config.metadata
    if (uid !== '' && uid !== current.metadata.uid)
      refuse(context, name, [invalidValue('metadata.uid', uid, 'field is immutable')])
    const applied = applyOverClientSide(served.type, current, configuration, writer, options.force)
    return {
      ...withCustomDefaults(context, applied),
      metadata: { ...applied.metadata, resourceVersion: config.metadata.resourceVersion ?? '' },
    }
  }
  return { object: await writeObject(context, name, part, recipe, true), isNew: false }
}

/** Runs a change through admission against the live object, in one step with the write. */
export async function writeObject(
  context: RequestContext,
  name: string,
  part: Part,
  change: (current: KubeObject) => KubeObject,
  isApplied: boolean,
  subresource = '',
): Promise<KubeObject> {
  const { store, served, options } = context
  if (part === 'status' && !context.resource.status) throw notFound(served, name)
  const key = keyOf(context, name)
  const given = (current: KubeObject): KubeObject =>
    keptAs(context, change(shownAs(context, current)))
  const isStatus = part === 'status'
  const about = part === 'object' ? subresource : part
  const admit = (current: KubeObject, changed: KubeObject, isOwned: boolean): KubeObject =>
    isStatus
      ? admitStatus(context, current, changed, isOwned)
      : admitUpdate(context, current, changed, isOwned, about)
  const current = store.get(key)
  if (current === undefined) throw notFound(served, name)
  const save = async (recipe: (current: KubeObject) => KubeObject): Promise<KubeObject> => {
    if (options.dryRun) {
      const wanted = recipe(current)
      if (wanted === current) return current
      const tried = amended(context.resource, current, wanted)
      return (await context.converted?.tried(current, tried)) ?? tried
    }
    return await context.exclusive(key, async () => {
      const written = await store.update(key, recipe, {
        part: isStatus ? 'both' : 'desired',
        author: options.author,
      })
      const { uid } = written.metadata
      if (isFinished(written)) await store.remove(key, uid === undefined ? {} : { uid })
      return written
    })
  }
  const review = context.webhooks.reviewOf(context, 'UPDATE', about)
  if (review === undefined) return await save((found) => admit(found, given(found), isApplied))
  const steps = { change: given, admit, save, isApplied, isStatus, subresource: about }
  return await reviewedUpdate(review, context, name, steps)
}

/** Whether an object that is being deleted waits for nothing any more. */
function isFinished(object: KubeObject): boolean {
  const { metadata } = object
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0)
    return false
  if (object.kind === 'Namespace') return listAt(object, 'spec', 'finalizers').length === 0
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0 || object.kind !== 'Pod'
}
