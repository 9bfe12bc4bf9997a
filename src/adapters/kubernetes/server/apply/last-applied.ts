import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { type Draft, isList, isObject, setOwn, textAt, withField } from '../json.ts'
import { inspectJson } from '../json-text.ts'
import { checkAnnotations } from '../kinds/metadata-checks.ts'
import type { StructType } from '../schema/schema.ts'
import { applyConfiguration, type Writer } from './apply.ts'
import { difference, type FieldSet, NO_FIELDS } from './field-set.ts'
import { typedError } from './typed-errors.ts'
import { changedFields, fieldsOf, lostFields } from './typed-value.ts'

/** What `kubectl apply` without `--server-side` remembers on an object: what it applied. */
const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'
const PATH = ['metadata', 'annotations', ANNOTATION] as const

/** The only manager for which the annotation counts: others have never written it. */
const KUBECTL = 'kubectl'

/** An apply as it came and as it is used. */
export interface Configuration {
  /** As the client sent it. */
  readonly given: JsonObject
  /** Decoded, with what the path of the request says. */
  readonly config: KubeObject
}

/**
 * Server-side apply for somebody who may have applied on the client before: kubectl takes over without
 * force what its annotation says it applied and nobody changed since, and the annotation, where there
 * is one, follows what is applied now, so that clients of both ways go on with the same object.
 *
 * @throws StatusError 409 as {@link applyConfiguration}.
 */
export function applyOverClientSide(
  type: StructType,
  live: KubeObject | undefined,
  { given, config }: Configuration,
  writer: Writer,
  force: boolean,
): KubeObject {
  if (writer.manager !== KUBECTL || writer.subresource !== '')
    return applyConfiguration(type, live, config, writer, force)
  const allowed = live === undefined ? NO_FIELDS : stillAsApplied(type, live, writer.apiVersion)
  const applied = applyConfiguration(type, live, config, writer, force, allowed)
  if (textAt(applied, ...PATH) === '') return applied
  const told = withField(applied, PATH, configurationText(given)) as KubeObject
  const isTooLong = checkAnnotations(told.metadata['annotations']).length > 0
  return isTooLong ? (withField(applied, PATH, undefined) as KubeObject) : told
}

/** The fields of the annotation that the object still has as they were applied. */
function stillAsApplied(type: StructType, live: KubeObject, apiVersion: string): FieldSet {
  const last = parsed(textAt(live, ...PATH))
  if (last === undefined || textAt(last, 'apiVersion') !== apiVersion) return NO_FIELDS
  const isShaped = !type.name.startsWith('unknown.')
  if (isShaped && typedError(type, last) !== undefined) return NO_FIELDS
  const kept = difference(fieldsOf(type, last), changedFields(type, last, live))
  return difference(kept, lostFields(type, last, live))
}

function parsed(text: string): JsonObject | undefined {
  if (text === '') return undefined
  try {
    // Nobody looked at how deep it is: it came as text.
    inspectJson(text)
    const value = JSON.parse(text) as Json
    return isObject(value) ? value : undefined
  } catch {
    // Somebody wrote something else there: it says of no field that it was applied.
    return undefined
  }
}

/** A configuration as the annotation has it: as Go writes JSON, with keys in order. */
function configurationText(given: JsonObject): string {
  const bare = textAt(given, ...PATH) === '' ? given : withField(given, PATH, undefined)
  const text = JSON.stringify(inOrder(bare))
  const escaped = text.replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${escaped}\n`
}

function inOrder(value: Json): Json {
  if (isList(value)) return value.map(inOrder)
  if (!isObject(value)) return value
  const out: Draft = {}
  for (const key of Object.keys(value).sort()) {
    const item = value[key]
    if (item !== undefined) setOwn(out, key, inOrder(item))
  }
  return out as JsonObject
}
