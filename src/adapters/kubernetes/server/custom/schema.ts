import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isList, isObject, listAt, numberAt, objectAt, textAt } from '../json.ts'

/** One rule of x-kubernetes-validations. */
export interface Rule {
  readonly rule: string
  readonly message: string
  readonly messageExpression: string
  readonly reason: string
  readonly fieldPath: string
  readonly optionalOldSelf: boolean | undefined
}

/** A schema of a definition (apiextensions/v1 JSONSchemaProps), read once. */
export interface Schema {
  /** Empty where none is given. */
  readonly type: string
  readonly format: string
  readonly nullable: boolean
  readonly default: Json | undefined
  readonly properties: ReadonlyMap<string, Schema>
  /** The schema of fields without one of their own; true when any are allowed. */
  readonly additional: Schema | boolean | undefined
  readonly items: Schema | undefined
  readonly required: readonly string[]
  readonly enum: readonly Json[] | undefined
  readonly allOf: readonly Schema[]
  readonly anyOf: readonly Schema[]
  readonly oneOf: readonly Schema[]
  readonly not: Schema | undefined
  readonly rules: readonly Rule[]
  /** `atomic`, `set`, `map`, or empty. */
  readonly listType: string
  readonly listKeys: readonly string[]
  readonly isAtomicMap: boolean
  /** Whether fields that it does not name are kept. */
  readonly preserves: boolean
  /** Whether it is a whole object with apiVersion, kind and metadata. */
  readonly isEmbedded: boolean
  readonly isIntOrString: boolean
  /** The schema as it is written, for its plain limits. */
  readonly source: JsonObject
}

/** Reads a schema that was checked; what is malformed in it counts as absent. */
export function readSchema(source: JsonObject): Schema {
  const schemas = (key: string): readonly Schema[] =>
    listAt(source, key).filter(isObject).map(readSchema)
  const inner = (key: string): Schema | undefined => {
    const found = source[key]
    return isObject(found) ? readSchema(found) : undefined
  }
  const additional = source['additionalProperties']
  const enums = source['enum']
  return {
    type: textAt(source, 'type'),
    format: textAt(source, 'format'),
    nullable: source['nullable'] === true,
    default: source['default'] ?? undefined,
    properties: new Map(
      Object.entries(objectAt(source, 'properties')).flatMap(([name, schema]) =>
        isObject(schema) ? [[name, readSchema(schema)] as const] : [],
      ),
    ),
    additional: typeof additional === 'boolean' ? additional : inner('additionalProperties'),
    items: inner('items'),
    required: listAt(source, 'required').map(String),
    enum: isList(enums) ? enums : undefined,
    allOf: schemas('allOf'),
    anyOf: schemas('anyOf'),
    oneOf: schemas('oneOf'),
    not: inner('not'),
    rules: listAt(source, 'x-kubernetes-validations').map(readRule),
    listType: textAt(source, 'x-kubernetes-list-type'),
    listKeys: listAt(source, 'x-kubernetes-list-map-keys').map(String),
    isAtomicMap: source['x-kubernetes-map-type'] === 'atomic',
    preserves: source['x-kubernetes-preserve-unknown-fields'] === true,
    isEmbedded: source['x-kubernetes-embedded-resource'] === true,
    isIntOrString: source['x-kubernetes-int-or-string'] === true,
    source,
  }
}

function readRule(rule: Json): Rule {
  const optional = at(rule, 'optionalOldSelf')
  return {
    rule: textAt(rule, 'rule'),
    message: textAt(rule, 'message'),
    messageExpression: textAt(rule, 'messageExpression'),
    reason: textAt(rule, 'reason'),
    fieldPath: textAt(rule, 'fieldPath'),
    optionalOldSelf: typeof optional === 'boolean' ? optional : undefined,
  }
}

/** A number that a schema sets as a limit. */
export function limitOf(schema: Schema, name: string): number | undefined {
  return numberAt(schema.source, name)
}

/** The schema of one field of an object; undefined where there is none. */
export function fieldSchema(schema: Schema, name: string): Schema | undefined {
  const own = schema.properties.get(name)
  if (own !== undefined) return own
  return typeof schema.additional === 'object' ? schema.additional : undefined
}

/** Whether there is a rule anywhere in a schema. */
export function hasRules(schema: Schema): boolean {
  return schema.rules.length > 0 || partsOf(schema).some(hasRules)
}

/** The schemas right below a schema, those of alternatives included. */
export function partsOf(schema: Schema): readonly Schema[] {
  return [
    ...schema.properties.values(),
    ...(typeof schema.additional === 'object' ? [schema.additional] : []),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...schema.allOf,
    ...schema.anyOf,
    ...schema.oneOf,
    ...(schema.not === undefined ? [] : [schema.not]),
  ]
}
