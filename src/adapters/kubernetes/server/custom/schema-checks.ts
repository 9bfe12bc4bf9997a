import type { Json, JsonObject } from '../../objects/types.ts'
import { isList, isObject, listAt, objectAt, textAt } from '../json.ts'
import {
  type Cause,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../kinds/checks.ts'
import { checkRuleSources } from './rule-checks.ts'

// What a schema of a definition may say, beside that it has to be structural.

/** What holds where a schema stands. */
export interface SchemaPlace {
  readonly path: string
  /** Why no default may be here. */
  readonly noDefaults?: string | undefined
  readonly isRoot?: boolean
  readonly isInMetadata?: boolean
  /** Whether it is part of what a value is, not of an alternative. */
  readonly isStructural: boolean
  /** The nearest list whose items cannot be told apart across an update. */
  readonly uncorrelated?: string | undefined
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const WHOLE: ReadonlySet<string> = new Set(['metadata', 'kind', 'apiVersion'])

/** Everything that a schema says and may not. */
export function checkSchema(
  schema: JsonObject,
  place: SchemaPlace,
  checksRules: boolean,
): readonly Cause[] {
  const own = [
    ...plainCauses(schema, place),
    ...additionalCauses(schema, place),
    ...mapCauses(schema, place.path),
    ...listCauses(schema, place.path),
  ]
  const below = childrenOf(schema, place).flatMap(([inner, at]) =>
    checkSchema(inner, at, checksRules),
  )
  const rules = checkRuleSources(schema, place, checksRules && own.length + below.length === 0)
  return [...own, ...below, ...rules]
}

const NOT_SUPPORTED = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
] as const

function plainCauses(schema: JsonObject, place: SchemaPlace): readonly Cause[] {
  const { path } = place
  const type = textAt(schema, 'type')
  const causes: Cause[] = []
  if (type !== '' && !TYPES.includes(type)) causes.push(notSupported(`${path}.type`, type, TYPES))
  if (schema['default'] !== undefined && place.noDefaults !== undefined)
    causes.push(forbiddenField(`${path}.default`, `must not be set ${place.noDefaults}`))
  for (const key of NOT_SUPPORTED)
    if (schema[key] !== undefined)
      causes.push(forbiddenField(`${path}.${key}`, `${key} is not supported`))
  if (type === 'null')
    causes.push(
      forbiddenField(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'),
    )
  if (isList(schema['items']))
    causes.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'))
  if (place.isInMetadata === true && schema['x-kubernetes-embedded-resource'] === true)
    causes.push(
      forbiddenField(
        `${path}.x-kubernetes-embedded-resource`,
        'must not be used inside of resource meta',
      ),
    )
  if (schema['uniqueItems'] === true)
    causes.push(
      forbiddenField(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    causes.push(
      invalidValue(
        `${path}.x-kubernetes-preserve-unknown-fields`,
        false,
        'must be true or undefined',
      ),
    )
  return causes
}

function additionalCauses(schema: JsonObject, { path }: SchemaPlace): readonly Cause[] {
  const additional = schema['additionalProperties']
  const isBoth = additional !== undefined && Object.keys(objectAt(schema, 'properties')).length > 0
  return isBoth && additional !== true
    ? [
        forbiddenField(
          `${path}.additionalProperties`,
          'additionalProperties and properties are mutual exclusive',
        ),
      ]
    : []
}

/** The type that an extension demands. */
function typeCause(
  path: string,
  type: string,
  wanted: string,
  extension: string,
): readonly Cause[] {
  if (type === wanted) return []
  const text = `must be ${wanted} if ${extension} is specified`
  return [type === '' ? required(`${path}.type`, text) : invalidValue(`${path}.type`, type, text)]
}

function mapCauses(schema: JsonObject, path: string): readonly Cause[] {
  const kind = schema['x-kubernetes-map-type']
  if (kind === undefined) return []
  const allowed = ['atomic', 'granular']
  return [
    ...typeCause(path, textAt(schema, 'type'), 'object', 'x-kubernetes-map-type'),
    ...(allowed.includes(String(kind))
      ? []
      : [notSupported(`${path}.x-kubernetes-map-type`, kind, allowed)]),
  ]
}

function listCauses(schema: JsonObject, path: string): readonly Cause[] {
  const kind = schema['x-kubernetes-list-type']
  const keys = listAt(schema, 'x-kubernetes-list-map-keys')
  const items = isObject(schema['items']) ? schema['items'] : undefined
  const causes: Cause[] = []
  if (kind !== undefined) {
    const ofType = typeCause(path, textAt(schema, 'type'), 'array', 'x-kubernetes-list-type')
    causes.push(...ofType, ...(ofType.length === 0 && kind === 'set' ? setCauses(items, path) : []))
    const allowed = ['atomic', 'set', 'map']
    if (!allowed.includes(String(kind)))
      causes.push(notSupported(`${path}.x-kubernetes-list-type`, kind, allowed))
  }
  if (keys.length > 0 && kind !== 'map') {
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const field = `${path}.x-kubernetes-list-type`
    causes.push(kind === undefined ? required(field, text) : invalidValue(field, kind, text))
  }
  if (kind === 'map') causes.push(...keyCauses(items, keys, path))
  if ((kind === 'map' || kind === 'set') && items !== undefined)
    causes.push(...itemCauses(items, keys, kind, path))
  return causes
}

function setCauses(items: JsonObject | undefined, path: string): readonly Cause[] {
  const text = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const list = items?.['x-kubernetes-list-type']
  if (items?.['type'] === 'array' && list !== undefined && list !== 'atomic')
    return [invalidValue(`${path}.items.x-kubernetes-list-type`, list, text)]
  if (items?.['type'] !== 'object' || items['x-kubernetes-map-type'] === 'atomic') return []
  return [invalidValue(`${path}.items.x-kubernetes-map-type`, list ?? null, text)]
}

function keyCauses(
  items: JsonObject | undefined,
  keys: readonly Json[],
  path: string,
): readonly Cause[] {
  const causes: Cause[] = []
  const field = `${path}.x-kubernetes-list-map-keys`
  if (keys.length === 0)
    causes.push(required(field, 'must not be empty if x-kubernetes-list-type is map'))
  if (items === undefined) {
    const text = 'must have a schema if x-kubernetes-list-type is map'
    return [...causes, required(`${path}.items`, text)]
  }
  const type = textAt(items, 'type')
  if (type !== 'object') {
    const text = "must be object if parent array's x-kubernetes-list-type is map"
    return [...causes, invalidValue(`${path}.items.type`, type, text)]
  }
  for (const [index, key] of keys.entries()) {
    const inner = objectAt(items, 'properties')[String(key)]
    const innerType = textAt(inner, 'type')
    if (inner === undefined)
      causes.push(invalidValue(field, keys, 'entries must all be names of item properties'))
    else if (innerType === 'array' || innerType === 'object')
      causes.push(
        invalidValue(
          `${path}.items.properties[${String(key)}].type`,
          type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (keys.indexOf(key) < index)
      causes.push(invalidValue(field, keys, 'must not contain duplicate entries'))
  }
  return causes
}

function itemCauses(
  items: JsonObject,
  keys: readonly Json[],
  kind: string,
  path: string,
): readonly Cause[] {
  const causes: Cause[] = []
  if (items['nullable'] === true)
    causes.push(
      forbiddenField(
        `${path}.items.nullable`,
        `cannot be nullable when x-kubernetes-list-type is ${kind}`,
      ),
    )
  if (kind !== 'map') return causes
  for (const key of keys.map(String)) {
    const inner = objectAt(items, 'properties')[key]
    if (!isObject(inner)) continue
    const field = `${path}.items.properties[${key}]`
    const isRequired = listAt(items, 'required').includes(key)
    if (!isRequired && inner['default'] === undefined)
      causes.push(
        required(
          `${field}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      )
    if (inner['nullable'] === true)
      causes.push(
        forbiddenField(
          `${field}.nullable`,
          'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
        ),
      )
  }
  return causes
}

/** The schemas below a schema, each with what holds there. */
function childrenOf(
  schema: JsonObject,
  place: SchemaPlace,
): readonly (readonly [JsonObject, SchemaPlace])[] {
  const { path } = place
  const base: SchemaPlace = { ...place, isRoot: false }
  const uncorrelated = place.uncorrelated ?? path
  const out: (readonly [JsonObject, SchemaPlace])[] = []
  const add = (value: Json | undefined, at: SchemaPlace): void => {
    if (isObject(value)) out.push([value, at])
  }
  add(schema['additionalProperties'], {
    ...base,
    path: `${path}.additionalProperties`,
    ...(place.isInMetadata === true
      ? { noDefaults: 'inside additionalProperties applying to object metadata' }
      : {}),
  })
  const isAtomic = schema['x-kubernetes-map-type'] === 'atomic'
  for (const [name, inner] of Object.entries(objectAt(schema, 'properties'))) {
    const isWhole =
      (place.isRoot === true || schema['x-kubernetes-embedded-resource'] === true) &&
      WHOLE.has(name)
    add(inner, {
      ...base,
      path: `${path}.properties[${name}]`,
      isInMetadata: place.isInMetadata === true || isWhole,
      ...(isWhole && place.isRoot === true ? { noDefaults: `in top-level ${name}` } : {}),
      ...(isAtomic ? { uncorrelated } : {}),
    })
  }
  const nested = { ...base, isStructural: false }
  add(schema['not'], { ...nested, path: `${path}.not` })
  for (const key of ['allOf', 'oneOf', 'anyOf'])
    for (const [index, inner] of listAt(schema, key).entries())
      add(inner, { ...nested, path: `${path}.${key}[${index}]` })
  add(schema['items'], {
    ...base,
    path: `${path}.items`,
    ...(schema['x-kubernetes-list-type'] === 'map' ? {} : { uncorrelated }),
  })
  return out
}
