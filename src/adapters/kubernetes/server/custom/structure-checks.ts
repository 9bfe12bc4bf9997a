import type { Json, JsonObject } from '../../objects/types.ts'
import { patternProblem } from '../cel/patterns.ts'
import { isObject, listAt, objectAt, textAt } from '../json.ts'
import { type Cause, forbiddenField, invalidValue, required } from '../kinds/checks.ts'

// What makes a schema structural: what a value is has to be said outside of alternatives, so that pruning
// and defaulting know every field.

type Level = 'root' | 'item' | 'field'

const MISSING_TYPE: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

const schemaAt = (schema: JsonObject, key: string): JsonObject | undefined => {
  const found = schema[key]
  return isObject(found) ? found : undefined
}

const flag = (schema: JsonObject, name: string): boolean => schema[`x-kubernetes-${name}`] === true

/** Everything that keeps a schema from being structural, in the order of messages. */
export function checkStructure(path: string, schema: JsonObject): readonly Cause[] {
  const causes = [...node(path, schema, 'root'), ...complete(path, path, schema, schema)]
  const text = ({ field, message }: Cause): string => `${field}: ${message}`
  return causes.sort((a, b) => (text(a) < text(b) ? -1 : 1))
}

function properties(schema: JsonObject): readonly (readonly [string, JsonObject])[] {
  return Object.entries(objectAt(schema, 'properties')).flatMap(([name, inner]) =>
    isObject(inner) ? [[name, inner] as const] : [],
  )
}

function node(path: string, schema: JsonObject, level: Level): readonly Cause[] {
  const items = schemaAt(schema, 'items')
  const additional = schema['additionalProperties']
  return [
    ...(schema['type'] === 'array' && schema['items'] === undefined
      ? [required(`${path}.items`, 'must be specified')]
      : []),
    ...(items === undefined ? [] : node(`${path}.items`, items, 'item')),
    ...properties(schema).flatMap(([name, inner]) =>
      node(`${path}.properties[${name}]`, inner, 'field'),
    ),
    ...(additional !== undefined && level === 'root'
      ? [forbiddenField(`${path}.additionalProperties`, 'must not be used at the root')]
      : []),
    ...(isObject(additional) ? node(`${path}.additionalProperties`, additional, 'field') : []),
    ...extensions(path, schema),
    ...alternatives(path, schema),
    ...typeCauses(path, schema, level),
    ...wholeCauses(path, schema, level),
  ]
}

function extensions(path: string, schema: JsonObject): readonly Cause[] {
  if (!flag(schema, 'int-or-string')) return []
  return ['preserve-unknown-fields', 'embedded-resource'].flatMap((name) =>
    flag(schema, name)
      ? [
          invalidValue(
            `${path}.x-kubernetes-${name}`,
            true,
            'must be false if x-kubernetes-int-or-string is true',
          ),
        ]
      : [],
  )
}

function typeCauses(path: string, schema: JsonObject, level: Level): readonly Cause[] {
  const type = textAt(schema, 'type')
  const causes: Cause[] = []
  const isEmbedded = flag(schema, 'embedded-resource')
  const place = `${path}.type`
  const text = 'must be object if x-kubernetes-embedded-resource is true'
  if (isEmbedded && type !== 'object')
    causes.push(type === '' ? required(place, text) : invalidValue(place, type, text))
  else if (
    type === '' &&
    !flag(schema, 'int-or-string') &&
    !flag(schema, 'preserve-unknown-fields')
  )
    causes.push(required(place, MISSING_TYPE[level]))
  if (isEmbedded && schema['additionalProperties'] !== undefined)
    causes.push(
      forbiddenField(
        `${path}.additionalProperties`,
        'must not be used if x-kubernetes-embedded-resource is set',
      ),
    )
  if (level === 'root' && type !== '' && type !== 'object')
    causes.push(invalidValue(place, type, 'must be object at the root'))
  return causes
}

/** What whole objects have is not for schemas to say. */
function wholeCauses(path: string, schema: JsonObject, level: Level): readonly Cause[] {
  const isEmbedded = flag(schema, 'embedded-resource')
  const isWhole = level === 'root' || isEmbedded
  const own = new Map(properties(schema))
  const causes: Cause[] = []
  for (const key of ['kind', 'apiVersion']) {
    const inner = own.get(key)
    const type = textAt(inner, 'type')
    if (isWhole && inner !== undefined && type !== 'string')
      causes.push(invalidValue(`${path}.properties[${key}].type`, type, 'must be string'))
  }
  const metadata = own.get('metadata')
  if (metadata !== undefined) {
    const place = `${path}.properties[metadata]`
    const type = textAt(metadata, 'type')
    if (isWhole && type !== 'object')
      causes.push(invalidValue(`${place}.type`, type, 'must be object'))
    if (level === 'root' && saysMore(metadata))
      causes.push(
        forbiddenField(
          place,
          'must not specify anything other than name and generateName, but metadata is implicitly specified',
        ),
      )
  }
  if (isEmbedded && !flag(schema, 'preserve-unknown-fields') && own.size === 0)
    causes.push(
      required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  return causes
}

function saysMore(metadata: JsonObject): boolean {
  const { type: _type, default: _default, properties: own, ...rest } = metadata
  const names = isObject(own) ? Object.keys(own) : []
  return (
    Object.keys(rest).length > 0 || names.some((name) => name !== 'name' && name !== 'generateName')
  )
}

const INT_OR_STRING = JSON.stringify([{ type: 'integer' }, { type: 'string' }])

function isIntOrString(list: readonly Json[]): boolean {
  return JSON.stringify(list) === INT_OR_STRING
}

/** What alternatives may not say. */
function alternatives(path: string, schema: JsonObject, skipsAnyOf = false): readonly Cause[] {
  const anyOf = listAt(schema, 'anyOf')
  const allOf = listAt(schema, 'allOf')
  const skips = skipsAnyOf || isIntOrString(anyOf)
  const not = schemaAt(schema, 'not')
  const pattern = textAt(schema, 'pattern')
  const problem = pattern === '' ? undefined : patternProblem(pattern)
  const each = (key: string, list: readonly Json[]): readonly Cause[] =>
    list.flatMap((item, index) =>
      isObject(item)
        ? nested(
            `${path}.${key}[${index}]`,
            item,
            isIntOrString(listAt(item, 'anyOf')) && index === 0,
          )
        : [],
    )
  return [
    ...(skips ? [] : each('anyOf', anyOf)),
    ...each('allOf', allOf),
    ...each('oneOf', listAt(schema, 'oneOf')),
    ...(not === undefined ? [] : nested(`${path}.not`, not, false)),
    ...(problem === undefined
      ? []
      : [
          invalidValue(
            `${path}.pattern`,
            pattern,
            `must be a valid regular expression, but isn't: ${problem}`,
          ),
        ]),
  ]
}

/** Fields of a schema that only stand outside of alternatives, and what they have to be inside. */
const OUTSIDE: readonly (readonly [key: string, text: string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

function nested(path: string, schema: JsonObject, skipsAnyOf: boolean): readonly Cause[] {
  const items = schemaAt(schema, 'items')
  return [
    ...alternatives(path, schema, skipsAnyOf),
    ...(items === undefined ? [] : nested(`${path}.items`, items, false)),
    ...properties(schema).flatMap(([name, inner]) =>
      nested(`${path}.properties[${name}]`, inner, false),
    ),
    ...OUTSIDE.flatMap(([key, text]) =>
      schema[key] === undefined ? [] : [forbiddenField(`${path}.${key}`, text)],
    ),
    ...(properties(schema).some(([name]) => name === 'metadata')
      ? [
          forbiddenField(
            `${path}.properties[metadata]`,
            'must not be specified in a nested context',
          ),
        ]
      : []),
  ]
}

/** What alternatives say of fields has to be about fields that are there. */
function complete(
  path: string,
  valuePath: string,
  validation: JsonObject,
  schema: JsonObject | undefined,
): readonly Cause[] {
  const not = schemaAt(validation, 'not')
  const lists = ['allOf', 'anyOf', 'oneOf'].flatMap((key) =>
    listAt(validation, key).flatMap((item, index) =>
      isObject(item) ? completeNested(path, `${valuePath}.${key}[${index}]`, item, schema) : [],
    ),
  )
  return [
    ...(not === undefined ? [] : completeNested(path, `${valuePath}.not`, not, schema)),
    ...lists,
  ]
}

function completeNested(
  path: string,
  valuePath: string,
  validation: JsonObject,
  schema: JsonObject | undefined,
): readonly Cause[] {
  if (schema === undefined) return [required(path, `because it is defined in ${valuePath}`)]
  const items = schemaAt(validation, 'items')
  const own = new Map(properties(schema))
  return [
    ...complete(path, valuePath, validation, schema),
    ...(items === undefined
      ? []
      : completeNested(`${path}.items`, `${valuePath}.items`, items, schemaAt(schema, 'items'))),
    ...properties(validation).flatMap(([name, inner]) => {
      const below = `${valuePath}.properties[${name}]`
      return completeNested(`${path}.properties[${name}]`, below, inner, own.get(name))
    }),
  ]
}
