import type { JsonObject, KubeObject } from '../../objects/types.ts'
import { isObject, sameJson, withField } from '../json.ts'
import type { StructType } from '../schema/schema.ts'
import { StatusError } from '../status.ts'
import {
  difference,
  existingIn,
  type FieldSet,
  intersection,
  isEmptySet,
  NO_FIELDS,
  pathsOf,
  sameSet,
  union,
  withoutMember,
} from './field-set.ts'
import { type Manager, managerId, readManagers, withManagers } from './managers.ts'
import {
  changedFields,
  emptyObject,
  fieldsOf,
  lostFields,
  mergeTyped,
  withoutFields,
} from './typed-value.ts'

/** Who writes, and through which part of the API. */
export interface Writer {
  readonly manager: string
  readonly apiVersion: string
  /** Empty for the object itself. */
  readonly subresource: string
  /** RFC 3339. */
  readonly time: string
  /** The group of a kind that a webhook converts: what is owned in its other versions is looked at later. */
  readonly convertedGroup?: string | undefined
}

/** Whether an entry is about another version of an object, in which it has other fields. */
export function isOfOtherVersion(
  { apiVersion }: Pick<Manager, 'apiVersion'>,
  writer: Pick<Writer, 'apiVersion' | 'convertedGroup'>,
): boolean {
  if (writer.convertedGroup === undefined || apiVersion === writer.apiVersion) return false
  return apiVersion.startsWith(`${writer.convertedGroup}/`)
}

/** Fields of metadata that nobody owns: the server sets them. */
const UNOWNED = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'selfLink',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
] as const

/** What an object of a type is before anything is set. */
const blanks = new WeakMap<StructType, JsonObject>()

const LAST_RESORT = 'before-first-apply'

/** Which part of an object counts, for ownership, in a write. */
export function counted(object: JsonObject, writer: Pick<Writer, 'subresource'>): JsonObject {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {}
  const owned = Object.fromEntries(
    Object.entries(metadata).filter(([key]) => !UNOWNED.some((name) => name === key)),
  )
  const { apiVersion: _a, kind: _k, metadata: _m, status, ...rest } = object
  const named = Object.keys(owned).length === 0 ? {} : { metadata: owned }
  if (writer.subresource !== 'status') return { ...rest, ...named }
  return { ...named, ...(status === undefined ? {} : { status }) }
}

/**
 * Server-side apply: the configuration is laid over the live object, what this manager applied
 * before and nobody owns now is removed, and ownership is recorded.
 *
 * @param live undefined when the object does not exist yet.
 * @param allowed fields of others that may be taken over without force.
 * @throws StatusError 409 with a cause per field that another manager owns with another value,
 * unless `force`.
 */
export function applyConfiguration(
  type: StructType,
  live: KubeObject | undefined,
  config: KubeObject,
  writer: Writer,
  force: boolean,
  allowed: FieldSet = NO_FIELDS,
): KubeObject {
  const managers = new Map(
    liveManagers(type, live, writer).map((manager) => [managerId(manager), manager]),
  )
  const mine: Manager = {
    name: writer.manager,
    operation: 'Apply',
    apiVersion: writer.apiVersion,
    subresource: writer.subresource,
    time: writer.time,
    fields: fieldsOf(type, counted(config, writer)),
  }
  const id = managerId(mine)
  const last = managers.get(id)
  managers.delete(id)
  const others = [...managers.values()]
  // What identifies the object is in every configuration, so that no pruning reaches it.
  const named = union(fieldsOf(type, config), mine.fields)
  const comparable = others.filter((manager) => !isOfOtherVersion(manager, writer))
  const kept = comparable.map((manager) => manager.fields).reduce(union, named)
  // What others own in another version may be the same thing by another name: then it all stays.
  const owners = last === undefined ? others : [...others, last]
  const isPruned = owners.every((manager) => !isOfOtherVersion(manager, writer))
  const base: JsonObject = live ?? {}
  const merged = withoutFields(
    type,
    mergeTyped(type, base, config),
    isPruned ? (last?.fields ?? NO_FIELDS) : NO_FIELDS,
    kept,
  )
  const before = counted(base, writer)
  const after = counted(merged, writer)
  const changed = changedFields(type, before, after)
  const conflicts = comparable.flatMap((manager) => {
    const fields = difference(intersection(manager.fields, changed), allowed)
    return isEmptySet(fields) ? [] : [{ manager, fields }]
  })
  if (!force && conflicts.length > 0) throw conflictError(conflicts)
  const removed = lostFields(type, before, after)
  const rest = others.map((manager) =>
    isOfOtherVersion(manager, writer)
      ? manager
      : { ...manager, fields: difference(difference(manager.fields, changed), removed) },
  )
  // Who applies what is there already changes nothing, so there is no time of a change either.
  const isRepeat = live !== undefined && sameJson(before, after)
  return withManagers(merged as KubeObject, [
    ...rest,
    isRepeat ? { ...mine, time: last?.time ?? '' } : mine,
  ])
}

function liveManagers(
  type: StructType,
  live: KubeObject | undefined,
  writer: Writer,
): readonly Manager[] {
  if (live === undefined) return []
  const managers = readManagers(live)
  if (managers.length > 0) return managers
  // An object that no client wrote: somebody set these fields, so taking one over is a conflict.
  const fields = fieldsOf(type, counted(live, { ...writer, subresource: '' }))
  return [
    {
      name: LAST_RESORT,
      operation: 'Update',
      apiVersion: writer.apiVersion,
      subresource: '',
      time: writer.time,
      fields,
    },
  ]
}

/**
 * Records a create, update or patch: what it changed is its manager's from now on, and no other's.
 *
 * @param before undefined for a create.
 */
export function recordUpdate(
  type: StructType,
  before: KubeObject | undefined,
  after: KubeObject,
  writer: Writer,
): KubeObject {
  const was = counted(before ?? {}, writer)
  const is = counted(after, writer)
  const known = baseManagers(before, after)
  // Ownership of an object that has none on record is recorded from the first apply on.
  if (before !== undefined && (known.length === 0 || sameJson(was, is)))
    return withManagers(after, known)
  // Before the first report a status is there, with nothing in it.
  const blank = blanks.get(type) ?? emptyObject(type)
  blanks.set(type, blank)
  const base = before === undefined ? blank : { ...statusOf(blank, writer), ...was }
  const changed = changedFields(type, base, is)
  const lost = lostFields(type, was, is)
  // What was empty and is not any more is no path of its own, but is still there.
  const removed = difference(lost, existingIn(lost, is))
  const mine = {
    name: writer.manager,
    operation: 'Update' as const,
    apiVersion: writer.apiVersion,
    subresource: writer.subresource,
  }
  const id = managerId(mine)
  const previous = known.find((manager) => managerId(manager) === id)
  const left = difference(union(previous?.fields ?? NO_FIELDS, changed), removed)
  // All that a new object has is there.
  const there = before === undefined ? left : existingIn(left, is)
  const fields = withoutMember(there, 'f:metadata')
  const isSame = previous !== undefined && sameSet(previous.fields, fields)
  const rest = known.flatMap((manager): Manager[] => {
    if (managerId(manager) === id) return []
    if (isOfOtherVersion(manager, writer)) return [manager]
    const others = difference(difference(manager.fields, changed), removed)
    return [{ ...manager, fields: existingIn(others, after) }]
  })
  return withManagers(after, [
    ...rest,
    { ...mine, fields, time: isSame && previous !== undefined ? previous.time : writer.time },
  ])
}

function statusOf(blank: JsonObject, writer: Writer): JsonObject {
  return writer.subresource === 'status' ? { status: blank['status'] } : {}
}

/** A client may edit managedFields, also to reset them; what it leaves out stays as it was. */
function baseManagers(before: KubeObject | undefined, after: KubeObject): readonly Manager[] {
  const given = after.metadata.managedFields
  if (before === undefined) return []
  if (given === undefined) return readManagers(before)
  const isReset = given.length === 1 && Object.keys(given[0] ?? {}).length === 0
  if (given.length === 0 || isReset) return []
  const parsed = readManagers(after)
  return parsed.length === given.length ? parsed : readManagers(before)
}

/** 409 for fields that others own with other values. */
export function conflictError(
  conflicts: readonly { readonly manager: Manager; readonly fields: FieldSet }[],
): StatusError {
  const causes = conflicts.flatMap(({ manager, fields }) =>
    pathsOf(fields).map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${managerText(manager)}`,
      field,
    })),
  )
  const [only] = causes
  if (causes.length === 1 && only !== undefined)
    return new StatusError(
      'Conflict',
      `Apply failed with 1 conflict: ${only.message}: ${only.field}`,
      { causes },
    )
  const texts = conflicts.flatMap(({ manager, fields }) => [
    `conflicts with ${managerText(manager)}:`,
    ...pathsOf(fields).map((path) => `- ${path}`),
  ])
  return new StatusError(
    'Conflict',
    `Apply failed with ${causes.length} conflicts: ${texts.join('\n')}`,
    { causes },
  )
}

function managerText(manager: Manager): string {
  const name = JSON.stringify(manager.name)
  const scoped =
    manager.subresource === '' ? name : `${name} with subresource "${manager.subresource}"`
  if (manager.operation === 'Apply') return scoped
  return `${scoped} using ${manager.apiVersion}`
}

/** The object without its ownership records, for comparing what really changed. */
export function withoutManagers(object: KubeObject): JsonObject {
  return withField(object, ['metadata', 'managedFields'], undefined)
}
