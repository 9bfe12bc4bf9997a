import type { Json } from '../../objects/types.ts'
import { parseDuration, parseTimestamp } from '../cel/times.ts'
import { BOOL, type CelType, DYN, INT, STRING } from '../cel/types.ts'
import { unordered, type Value } from '../cel/values.ts'
import { isList, isObject } from '../json.ts'
import { fieldSchema, type Schema } from './schema.ts'

/** Words of CEL that no field can be named by as they are. */
const RESERVED: ReadonlySet<string> = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
])

const ESCAPES: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
}

/** The name by which rules reach a field; undefined for one that they cannot reach. */
export function ruleName(field: string): string | undefined {
  if (RESERVED.has(field)) return `__${field}__`
  const name = field.replace(/__|[./-]/g, (part) => ESCAPES[part] ?? part)
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : undefined
}

/** What is known of the metadata of an object in rules. */
const METADATA: CelType = {
  kind: 'object',
  fields: new Map([
    ['name', STRING],
    ['generateName', STRING],
  ]),
}

/**
 * The type that a schema gives to values.
 *
 * @param isRoot whether it describes a whole object.
 */
export function typeOfSchema(schema: Schema, isRoot: boolean): CelType {
  if (schema.isIntOrString) return DYN
  switch (schema.type) {
    case 'boolean':
      return BOOL
    case 'integer':
      return INT
    case 'number':
      return { kind: 'double' }
    case 'string':
      return textType(schema.format)
    case 'array':
      return { kind: 'list', item: itemType(schema.items) }
    case 'object':
      return objectType(schema, isRoot)
    default:
      return DYN
  }
}

function itemType(schema: Schema | undefined): CelType {
  return schema === undefined ? DYN : typeOfSchema(schema, false)
}

function objectType(schema: Schema, isRoot: boolean): CelType {
  if (typeof schema.additional === 'object')
    return { kind: 'map', key: STRING, value: typeOfSchema(schema.additional, false) }
  const fields = new Map<string, CelType>()
  for (const [name, inner] of schema.properties) {
    const known = ruleName(name)
    if (known !== undefined) fields.set(known, typeOfSchema(inner, false))
  }
  if (isRoot || schema.isEmbedded) {
    fields.set('apiVersion', STRING).set('kind', STRING).set('metadata', METADATA)
  } else if (fields.size === 0 && (schema.preserves || schema.additional === true)) return DYN
  return { kind: 'object', fields }
}

function textType(format: string): CelType {
  switch (format.replaceAll('-', '')) {
    case 'byte':
      return { kind: 'bytes' }
    case 'duration':
      return { kind: 'duration' }
    case 'date':
    case 'datetime':
      return { kind: 'timestamp' }
    default:
      return STRING
  }
}

/**
 * A value as rules see it.
 *
 * @throws CelError when it is not of the type that its schema says.
 */
export function ruleValue(value: Json, schema: Schema | undefined, isRoot: boolean): Value {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    const isDouble = schema?.type === 'number' || !Number.isInteger(value)
    return isDouble ? value : BigInt(value)
  }
  if (typeof value === 'string') return textValue(value, schema)
  if (isList(value)) return listValue(value, schema)
  return isObject(value) ? objectValue(value, schema, isRoot) : null
}

function listValue(list: readonly Json[], schema: Schema | undefined): Value {
  const values = list.map((item) => ruleValue(item, schema?.items, false))
  if (schema?.listType === 'set') return unordered(values, { type: 'set' })
  if (schema?.listType !== 'map') return values
  return unordered(values, {
    type: 'map',
    keys: schema.listKeys.map((key) => ruleName(key) ?? key),
  })
}

function textValue(text: string, schema: Schema | undefined): Value {
  if (schema?.type !== 'string') return text
  switch (textType(schema.format).kind) {
    case 'bytes':
      return new Uint8Array(Buffer.from(text, 'base64'))
    case 'duration':
      return parseDuration(text)
    case 'timestamp':
      return parseTimestamp(schema.format === 'date' ? `${text}T00:00:00Z` : text)
    default:
      return text
  }
}

function objectValue(
  object: Readonly<Record<string, Json | undefined>>,
  schema: Schema | undefined,
  isRoot: boolean,
): Value {
  const out = new Map<Value, Value>()
  const isMap = schema === undefined || typeof schema.additional === 'object'
  const isOpen = isMap || (schema.properties.size === 0 && !isRoot && !schema.isEmbedded)
  for (const [key, item] of Object.entries(object)) {
    if (item === undefined) continue
    const inner = schema === undefined ? undefined : fieldSchema(schema, key)
    // A null where none may be is nothing.
    if (item === null && inner !== undefined && !inner.nullable) continue
    const name = isOpen ? key : ruleName(key)
    if (name !== undefined) out.set(name, ruleValue(item, inner, false))
  }
  return out
}
