import type { JsonObject, KubeObject } from '../objects/types.ts'
import { recordUpdate, type Writer, withoutManagers } from './apply/apply.ts'
import { readManagers, withManagers } from './apply/managers.ts'
import type { ObjectBody } from './body.ts'
import { apiVersionOf } from './catalog.ts'
import { keptAs, keyOf, nowText, type RequestContext, shownAs } from './context.ts'
import { customCauses, customStatusCauses } from './custom/admit-custom.ts'
import { decodeCustom } from './custom/custom-kind.ts'
import { at, objectAt, sameJson, textAt } from './json.ts'
import { CAUSES_MAX, type Cause, forbiddenField, invalidValue } from './kinds/checks.ts'
import { applyDefaults } from './kinds/defaults.ts'
import { partUpdateOf } from './kinds/part-updates.ts'
import { prepareUpdate } from './kinds/prepare.ts'
import { completeStatus } from './kinds/status-fields.ts'
import { checkObject, checkStatus, checkUpdate } from './kinds/validate.ts'
import { decodeTyped } from './schema/decode.ts'
import {
  badRequest,
  conflict,
  forbidden,
  invalid,
  modified,
  StatusError,
  unexpected,
} from './status.ts'
import { statusMetadata } from './status-metadata.ts'

/** Who writes in this request, for ownership of fields. */
export function writerOf(context: RequestContext, subresource = ''): Writer {
  return {
    manager: context.options.manager,
    apiVersion: apiVersionOf(context.served),
    subresource,
    // A scale is another kind of object, which does not say when.
    time: subresource === 'scale' ? '' : nowText(context.clock),
    convertedGroup: context.converted === undefined ? undefined : context.served.group,
  }
}

/**
 * Reads a body as an object of the resource of this request.
 *
 * @param isPart whether it is only what somebody applies of an object.
 * @throws StatusError 400 when it is of another kind or version, has fields of a wrong type, or,
 * with `fieldValidation=Strict`, fields that the kind does not have.
 */
export function decodeObject(
  context: RequestContext,
  body: ObjectBody,
  isPart = false,
): KubeObject {
  const { served, options } = context
  const apiVersion = apiVersionOf(served)
  const found = {
    apiVersion: textAt(body.value, 'apiVersion') || apiVersion,
    kind: textAt(body.value, 'kind') || served.kind,
  }
  if (found.kind !== served.kind) {
    if (served.custom !== undefined)
      refuse(context, textAt(body.value, 'metadata', 'name'), [
        invalidValue('kind', found.kind, `must be ${served.kind}`),
      ])
    throw badRequest(
      `${found.kind} in version "${found.apiVersion}" cannot be handled as a ${served.kind}: no kind "${found.kind}" is expected at this path`,
    )
  }
  if (found.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${found.apiVersion}) does not match the expected API version (${apiVersion})`,
    )
  }
  const prefix = `${served.kind} in version "${served.version}" cannot be handled as a ${served.kind}: `
  let decoded: ReturnType<typeof decodeTyped>
  try {
    decoded =
      served.custom === undefined
        ? decodeTyped(served.type, body.value)
        : decodeCustom(served.custom, body.value, isPart)
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'BadRequest')
      throw badRequest(prefix + error.message)
    throw error
  }
  const isUntyped = served.custom === undefined && served.type.name.startsWith('unknown.')
  const problems = [
    ...body.duplicates.map((path) =>
      path.startsWith('line ') ? path : `duplicate field "${path}"`,
    ),
    ...(isUntyped ? [] : decoded.unknown.map((path) => `unknown field "${path}"`)),
  ]
  if (problems.length > 0 && options.validation === 'Strict') {
    throw badRequest(`${prefix}strict decoding error: ${strictText(problems)}`)
  }
  if (options.validation === 'Warn') context.warnings.push(...problems.slice(0, CAUSES_MAX))
  const value: JsonObject = isUntyped
    ? { ...body.value, metadata: decoded.value['metadata'] }
    : decoded.value
  const metadata = objectAt(value, 'metadata')
  // No owners at all: whoever writes that wants all of them forgotten.
  const isReset = sameJson(at(body.value, 'metadata', 'managedFields'), [])
  return {
    ...value,
    apiVersion,
    kind: served.kind,
    metadata: isReset ? { ...metadata, managedFields: [] } : metadata,
  } as KubeObject
}

function strictText(problems: readonly string[]): string {
  const shown = problems.slice(0, CAUSES_MAX)
  const lines = shown.filter((problem) => problem.startsWith('line '))
  const rest = shown.filter((problem) => !problem.startsWith('line '))
  const ofYaml = ['yaml: unmarshal errors:', ...lines.map((line) => `  ${line}`)].join('\n')
  return [...(lines.length === 0 ? [] : [ofYaml]), ...rest].join(', ')
}

/**
 * Checks that a body names the object and namespace of the request, where it names them.
 *
 * @throws StatusError 400 when it names others.
 */
export function checkIdentity(
  context: RequestContext,
  object: KubeObject,
  name: string | undefined,
): void {
  const { metadata } = object
  const given = metadata.name as string | undefined
  if (name !== undefined && given !== undefined && given !== '' && given !== name) {
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${name})`,
    )
  }
  if (
    metadata.namespace !== undefined &&
    context.namespace !== undefined &&
    metadata.namespace !== context.namespace
  ) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    )
  }
}

/**
 * An object with the ownership of what this write changed in it, in the words of the version of the
 * request.
 */
export function recorded(
  context: RequestContext,
  before: KubeObject | undefined,
  after: KubeObject,
  subresource = '',
): KubeObject {
  const { served } = context
  const old = before === undefined ? undefined : shownAs(context, before)
  const writer = writerOf(context, subresource)
  return keptAs(context, recordUpdate(served.type, old, shownAs(context, after), writer))
}

/** Refuses an object with everything that is wrong with it, if anything is. */
export function refuse(context: RequestContext, name: string, causes: readonly Cause[]): void {
  if (causes.length > 0)
    throw invalid(context.served.kind, context.served.group, name, causes.slice(0, CAUSES_MAX))
}

/** What the server alone sets, taken from the live object. */
const KEPT = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generateName',
  'selfLink',
] as const

/**
 * What an update makes of an object: with its identity and status kept, defaults, ownership,
 * checks.
 *
 * @returns `live` itself when nothing changes but times of ownership.
 * @throws StatusError: 409 when the writer had seen another version, 422 with the causes, 403.
 */
export function admitUpdate(
  context: RequestContext,
  live: KubeObject,
  given: KubeObject,
  isApplied: boolean,
  subresource = '',
): KubeObject {
  const { resource, served } = context
  const name = live.metadata.name
  const before = normalized(context, live)
  checkPreconditions(context, before, given)
  const part = partUpdateOf(subresource)
  const full = withIdentity(context, before, given, subresource)
  const { object: defaulted, causes } = prepareUpdate(resource.id, before, full, {
    store: context.store,
    now: nowText(context.clock),
  })
  refuse(context, name, [
    ...lateFinalizers(before, defaulted),
    ...checkObject(resource, defaulted),
    ...(part?.check(before, defaulted) ?? checkUpdate(resource, before, defaulted)),
    ...customCauses(context, defaulted, before),
    ...causes,
  ])
  const after = isApplied ? defaulted : recorded(context, before, defaulted, subresource)
  const why = context.mayWrite(keyOf(context, name), after)
  if (why !== undefined) throw forbidden(served, name, why)
  context.admission.check({ served, resource: resource.id, object: after, before, subresource })()
  const isSame =
    sameJson(withoutManagers(before), withoutManagers(after)) && sameOwnership(before, after)
  return isSame ? live : after
}

/** What an update leaves of an object: its identity and status as they are, the rest with defaults. */
function withIdentity(
  { resource }: RequestContext,
  before: KubeObject,
  given: KubeObject,
  subresource: string,
): KubeObject {
  const metadata: Record<string, unknown> = { ...given.metadata }
  for (const key of KEPT) {
    if (before.metadata[key] === undefined) delete metadata[key]
    else metadata[key] = before.metadata[key]
  }
  const told = { ...given, metadata } as unknown as KubeObject
  const part = partUpdateOf(subresource)
  const kept = part === undefined ? told : withOwners(part.reduce(before, told), told)
  return applyDefaults(resource.id, resource.status ? withStatus(kept, before['status']) : kept)
}

/**
 * What an update wants an object to be, with its owners and before anything of it is checked.
 *
 * @throws StatusError 409 when the writer had seen another version.
 */
export function proposedUpdate(
  context: RequestContext,
  live: KubeObject,
  given: KubeObject,
  update: { readonly isApplied: boolean; readonly isStatus: boolean; readonly subresource: string },
): KubeObject {
  const { isApplied, isStatus, subresource } = update
  const before = isStatus ? live : normalized(context, live)
  checkPreconditions(context, before, given)
  if (!isStatus) {
    const full = withIdentity(context, before, given, subresource)
    return isApplied ? full : recorded(context, before, full, subresource)
  }
  const metadata = statusMetadata(context.resource, before, given)
  const reported = withStatus({ ...before, metadata }, given['status'])
  if (isApplied) return withManagers(reported, readManagers(given))
  return recorded(context, before, withOwners(reported, given), 'status')
}

/** What is on its way out takes no more finalizers. */
function lateFinalizers(before: KubeObject, after: KubeObject): readonly Cause[] {
  if (before.metadata.deletionTimestamp === undefined) return []
  const known = before.metadata.finalizers ?? []
  const added = (after.metadata.finalizers ?? []).filter((name) => !known.includes(name))
  if (added.length === 0) return []
  const list = added.map((name) => JSON.stringify(name)).join(', ')
  return [
    forbiddenField(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
    ),
  ]
}

/**
 * The live object in the form in which bodies are read, so that empty maps in it are no difference.
 */
function normalized({ served }: RequestContext, live: KubeObject): KubeObject {
  return served.keptType.name.startsWith('unknown.')
    ? live
    : (decodeTyped(served.keptType, live).value as KubeObject)
}

function sameOwnership(before: KubeObject, after: KubeObject): boolean {
  const timeless = (object: KubeObject): KubeObject['metadata']['managedFields'] =>
    withManagers(
      object,
      readManagers(object).map((manager) => ({ ...manager, time: '' })),
    ).metadata.managedFields
  return sameJson(timeless(before), timeless(after))
}

function withStatus(object: KubeObject, status: JsonObject[string]): KubeObject {
  const { status: _, ...rest } = object
  return (status === undefined ? rest : { ...rest, status }) as KubeObject
}

/**
 * What an update of the status makes of an object: only its status, and who owns what of it, may
 * differ.
 */
export function admitStatus(
  context: RequestContext,
  before: KubeObject,
  given: KubeObject,
  isApplied: boolean,
): KubeObject {
  checkPreconditions(context, before, given)
  const status = completeStatus(context.resource.id, before, given['status'])
  const metadata = statusMetadata(context.resource, before, given)
  const reported = withStatus({ ...before, metadata }, status)
  refuse(context, before.metadata.name, [
    ...customStatusCauses(context, reported, before),
    ...checkStatus(context.resource, reported),
  ])
  if (metadata !== before.metadata)
    refuse(context, before.metadata.name, [
      ...lateFinalizers(before, reported),
      ...checkObject(context.resource, reported),
    ])
  const after = isApplied
    ? withManagers(reported, readManagers(given))
    : recorded(context, before, withOwners(reported, given), 'status')
  const why = context.mayWrite(keyOf(context, before.metadata.name), after)
  if (why !== undefined) throw forbidden(context.served, before.metadata.name, why)
  const isSame =
    sameJson(withoutManagers(before), withoutManagers(after)) && sameOwnership(before, after)
  return isSame ? before : after
}

/** What a writer says of ownership, laid over an object. */
function withOwners(object: KubeObject, given: KubeObject): KubeObject {
  const { managedFields } = given.metadata
  if (managedFields === undefined) return object
  return { ...object, metadata: { ...object.metadata, managedFields } }
}

function checkPreconditions(
  { served }: RequestContext,
  before: KubeObject,
  given: KubeObject,
): void {
  const name = before.metadata.name
  const { uid, resourceVersion } = given.metadata
  if (uid !== undefined && uid !== '' && uid !== before.metadata.uid) {
    throw conflict(
      served,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid ?? ''}`,
    )
  }
  if (
    resourceVersion !== undefined &&
    resourceVersion !== '' &&
    resourceVersion !== before.metadata.resourceVersion
  ) {
    if (!/^\d+$/.test(resourceVersion)) {
      const shown = JSON.stringify(resourceVersion.slice(0, 64))
      throw unexpected(`strconv.ParseUint: parsing ${shown}: invalid syntax`)
    }
    throw modified(served, name)
  }
}
