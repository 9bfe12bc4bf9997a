import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { type Cause, invalidValue } from '../kinds/checks.ts'
import { decodeTyped } from '../schema/decode.ts'
import type { TableColumn } from '../table/column.ts'
import type { ConversionWebhook } from './conversion-webhook.ts'
import { defaultedObject } from './defaulting.ts'
import { checkEmbedded } from './embedded-checks.ts'
import { checkLists } from './list-checks.ts'
import { METADATA_TYPE } from './metadata-type.ts'
import { prunedObject } from './prune.ts'
import { checkRules } from './rules.ts'
import { checkReplicas, type ScalePaths } from './scale-paths.ts'
import { hasRules, type Schema } from './schema.ts'
import { checkValue } from './value-checks.ts'

/** What one version of a kind does itself when a definition defines it. */
export interface CustomKind {
  /** Undefined where everything is allowed. */
  readonly schema: Schema | undefined
  readonly columns: readonly TableColumn[]
  /** Undefined where there is no scale. */
  readonly scale: ScalePaths | undefined
  /** Said with each answer, where the version is on its way out. */
  readonly warning: string | undefined
  /** Its name among the schemas of OpenAPI. */
  readonly openApiName: string
  /** Its schema as OpenAPI shows it. */
  readonly openApi: JsonObject
  /** Whether the definition is being deleted: then nothing is created any more. */
  readonly isEnding: () => boolean
  /** Who converts its objects from and to other versions; undefined where they are only renamed. */
  readonly webhook: ConversionWebhook | undefined
}

/** An object as a custom kind reads it. */
export interface DecodedCustom {
  readonly value: JsonObject
  /** Paths of fields that the schema does not have; they are left out of `value`. */
  readonly unknown: readonly string[]
}

/**
 * Reads an object as a kind has it: without unknown fields, with defaults.
 *
 * @param isPart whether it is only what somebody applies of an object: that gets no defaults.
 * @throws StatusError 400 when its metadata is malformed.
 */
export function decodeCustom(
  { schema }: CustomKind,
  body: JsonObject,
  isPart: boolean,
): DecodedCustom {
  const unknown: string[] = []
  const { metadata, ...rest } = body
  const typed = decodeTyped(METADATA_TYPE, metadata === undefined ? {} : { metadata })
  unknown.push(...typed.unknown)
  const whole = prunedObject(isPart ? rest : defaultedObject(rest, schema), schema, unknown)
  const { metadata: _metadata, ...value } = whole
  return { value: { ...value, metadata: typed.value['metadata'] ?? {} }, unknown: unknown.sort() }
}

const BLOCKING: ReadonlySet<string> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

const UNCHECKED =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'

/**
 * Everything that is wrong with an object, its metadata apart.
 *
 * @param before the object before an update: what it does not change is not looked at again.
 * @param warn told what is wrong and was before.
 */
export function checkCustom(
  { schema, scale }: CustomKind,
  object: KubeObject,
  before: KubeObject | undefined,
  warn: (text: string) => void,
): readonly Cause[] {
  if (schema === undefined) return []
  const causes = [
    ...checkValue(schema, object, before, ''),
    ...(scale === undefined
      ? []
      : [...checkReplicas(object, scale.spec), ...checkReplicas(object, scale.status)]),
    ...checkEmbedded(schema, object, ''),
    ...changedLists(schema, object, before),
  ]
  return [...causes, ...ruleCauses(schema, object, before, causes, warn)]
}

/** Everything that is wrong with the status of an object. */
export function checkCustomStatus(
  { schema, scale }: CustomKind,
  object: KubeObject,
  before: KubeObject,
  warn: (text: string) => void,
): readonly Cause[] {
  if (schema === undefined) return []
  const status = schema.properties.get('status')
  const { status: after } = object as { readonly status?: Json }
  const { status: old } = before as { readonly status?: Json }
  const causes = [
    ...(status === undefined || after === undefined
      ? []
      : checkValue(status, after, old, 'status')),
    ...(scale === undefined ? [] : checkReplicas(object, scale.status)),
    ...changedLists(schema, object, before),
  ]
  return [...causes, ...ruleCauses(schema, object, before, causes, warn)]
}

/** Repeated items count only where there were none before. */
function changedLists(
  schema: Schema,
  object: KubeObject,
  before: KubeObject | undefined,
): readonly Cause[] {
  const wasWrong = before !== undefined && checkLists(schema, before, '').length > 0
  return wasWrong ? [] : checkLists(schema, object, '')
}

function ruleCauses(
  schema: Schema,
  object: KubeObject,
  before: KubeObject | undefined,
  causes: readonly Cause[],
  warn: (text: string) => void,
): readonly Cause[] {
  if (!hasRules(schema)) return []
  if (causes.some(({ reason }) => BLOCKING.has(reason)))
    return [invalidValue('<nil>', null, UNCHECKED)]
  return checkRules(schema, object, before, '', true, warn)
}
