import { canonicalQuantity } from '../../objects/quantity.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { type Draft, isList, isObject, setOwn } from '../json.ts'
import { badRequest } from '../status.ts'
import { type Field, type StructType, structType } from './schema.ts'

/** An object as its kind describes it. */
export interface Decoded {
  readonly value: JsonObject
  /** Paths of fields that the kind does not have; they are left out of `value`. */
  readonly unknown: readonly string[]
}

/**
 * Reads JSON as a Go client of the API would: nulls and zero values that mean "absent" are dropped,
 * times and quantities take their canonical form, unknown fields are dropped and reported.
 *
 * @throws StatusError 400 when a field has the wrong type.
 */
export function decodeTyped(type: StructType, value: JsonObject): Decoded {
  const unknown: string[] = []
  return { value: structValue(type, value, '', unknown, true), unknown }
}

function structValue(
  type: StructType,
  value: JsonObject,
  path: string,
  unknown: string[],
  isRoot = false,
): JsonObject {
  const keys = Object.keys(value)
  // What is as it should be already is given back as it is: who compares it later sees that at once.
  let out: Draft | undefined
  keys.forEach((key, index) => {
    const raw = value[key]
    const found = structField(type, key, raw, path, unknown, isRoot)
    if (found === raw && out === undefined) return
    out ??= firstOf(value, keys, index)
    if (found !== undefined) setOwn(out, key, found)
  })
  return out ?? value
}

/** A copy of the first entries of a map. */
function firstOf(value: JsonObject, keys: readonly string[], count: number): Draft {
  const out: Draft = {}
  for (let index = 0; index < count; index += 1) {
    const key = keys[index] ?? ''
    const item = value[key]
    if (item !== undefined) setOwn(out, key, item)
  }
  return out
}

/** The path of what is inside of another: only who has something to say of it asks for it. */
function inside(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function structField(
  type: StructType,
  key: string,
  raw: Json | undefined,
  within: string,
  unknown: string[],
  isRoot: boolean,
): Json | undefined {
  const field = type.fields.get(key)
  if (field === undefined) {
    const isTypeMeta = isRoot && (key === 'apiVersion' || key === 'kind')
    if (isTypeMeta && typeof raw === 'string') return raw
    if (!isTypeMeta) unknown.push(inside(within, key))
    return undefined
  }
  if (raw === null || raw === undefined) return undefined
  const decoded = fieldValue(type, field, raw, within, unknown)
  return decoded === undefined || isZero(field, decoded) ? undefined : decoded
}

function isZero(field: Field, value: Json): boolean {
  if (field.pointer || !field.omitEmpty) return false
  if (field.shape === 'list') return isList(value) && value.length === 0
  if (field.shape === 'map') return isObject(value) && Object.keys(value).length === 0
  return value === '' || value === 0 || value === false
}

function fieldValue(
  type: StructType,
  field: Field,
  raw: Json,
  within: string,
  unknown: string[],
): Json | undefined {
  if (field.shape === 'one' && isPlain(field, raw)) return raw
  const path = inside(within, field.name)
  const place = `${type.name.slice(type.name.indexOf('.') + 1)}.${path}`
  if (field.shape === 'list') {
    if (!isList(raw)) throw mismatch(raw, place, `[]${goType(field.type)}`)
    const items = raw.map((item, index) =>
      itemValue(field, item, place, `${path}[${index}]`, unknown),
    )
    if (items.every((item, index) => item === raw[index])) return raw
    return items.filter((item) => item !== undefined)
  }
  if (field.shape === 'map') {
    if (!isObject(raw)) throw mismatch(raw, place, `map[string]${goType(field.type)}`)
    const out: Draft = {}
    let isSame = true
    for (const [key, item] of Object.entries(raw)) {
      const found =
        item === null || item === undefined
          ? zeroOf(field.type)
          : itemValue(field, item, place, `${path}.${key}`, unknown)
      if (found !== undefined) setOwn(out, key, found)
      if (found !== item) isSame = false
    }
    return isSame ? raw : out
  }
  return itemValue(field, raw, place, path, unknown)
}

/** Whether this is a text, a number or a switch that needs no more than to be there: most fields are. */
function isPlain(field: Field, raw: Json): boolean {
  if (field.type === 'string') return typeof raw === 'string'
  return field.type === 'bool' && typeof raw === 'boolean'
}

/** What Go keeps for a null in a map. */
function zeroOf(type: string): Json | undefined {
  return type === 'string' || type === 'bytes' ? '' : type === 'quantity' ? '0' : undefined
}

function itemValue(
  field: Field,
  raw: Json,
  place: string,
  path: string,
  unknown: string[],
): Json | undefined {
  const struct = structType(field.type)
  if (struct !== undefined) {
    if (raw === null) return {}
    if (!isObject(raw)) throw mismatch(raw, place, goType(field.type))
    return structValue(struct, raw, path, unknown)
  }
  if (field.type.startsWith('schemaOr')) return schemaOr(raw, path)
  return scalarValue(field.type, raw, place)
}

/** A schema, or what may stand in its place. Go does not look for unknown fields in it. */
function schemaOr(raw: Json, path: string): Json {
  const schema = structType('apiextensions.JSONSchemaProps')
  if (isList(raw)) return raw.map((item) => schemaOr(item, path))
  return isObject(raw) && schema !== undefined ? structValue(schema, raw, path, []) : raw
}

const INTEGERS: Readonly<Record<string, number>> = {
  int32: 2 ** 31,
  int64: Number.MAX_SAFE_INTEGER + 1,
}

function scalarValue(type: string, raw: Json, place: string): Json | undefined {
  switch (type) {
    case 'string':
    case 'duration':
      if (typeof raw !== 'string') throw mismatch(raw, place, 'string')
      return raw
    case 'bool':
      if (typeof raw !== 'boolean') throw mismatch(raw, place, 'bool')
      return raw
    case 'int32':
    case 'int64': {
      const limit = INTEGERS[type] ?? 0
      if (typeof raw !== 'number' || !Number.isInteger(raw)) throw mismatch(raw, place, type)
      if (raw >= limit || raw < -limit) throw mismatch(raw, place, type)
      return raw
    }
    case 'float64':
      if (typeof raw !== 'number') throw mismatch(raw, place, type)
      return raw
    case 'bytes':
      if (typeof raw !== 'string') throw mismatch(raw, place, '[]uint8')
      return base64(raw)
    case 'quantity':
      return quantity(raw)
    case 'intOrString':
      if (typeof raw !== 'string' && !Number.isInteger(raw))
        throw mismatch(raw, place, 'intstr.IntOrString')
      return raw
    case 'time':
      return time(raw, 0)
    case 'microTime':
      return time(raw, 6)
    default:
      return raw
  }
}

function base64(text: string): string {
  const clean = text.replace(/[\r\n]/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(clean)) {
    const bad = /[^A-Za-z0-9+/]/.exec(clean)?.index ?? clean.length
    throw badRequest(`illegal base64 data at input byte ${bad}`)
  }
  return clean
}

function quantity(raw: Json): string {
  const canonical =
    typeof raw === 'string' || typeof raw === 'number' ? canonicalQuantity(String(raw)) : undefined
  if (canonical === undefined) {
    throw badRequest(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    )
  }
  return canonical
}

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:\d\d)$/

function time(raw: Json, digits: number): string {
  const match = typeof raw === 'string' ? RFC3339.exec(raw) : null
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`)
  if (match === null || Number.isNaN(ms)) {
    throw badRequest(timeError(raw))
  }
  const seconds = new Date(ms).toISOString().slice(0, 19)
  return digits === 0
    ? `${seconds}Z`
    : `${seconds}.${(match[2] ?? '').slice(0, digits).padEnd(digits, '0')}Z`
}

/** The steps by which Go reads a time. */
const TIME_STEPS: readonly (readonly [read: RegExp, layout: string])[] = [
  [/^\d{4}/, '2006'],
  [/^-/, '-'],
  [/^\d\d/, '01'],
  [/^-/, '-'],
  [/^\d\d/, '02'],
  [/^T/, 'T'],
  [/^\d\d/, '15'],
  [/^:/, ':'],
  [/^\d\d/, '04'],
  [/^:/, ':'],
  [/^\d\d(?:[.,]\d+)?/, '05'],
  [/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00'],
]

/** What is wrong with a text that is no time, in the words of Go. */
function timeError(raw: Json): string {
  const text = typeof raw === 'string' ? raw.slice(0, 256) : JSON.stringify(raw)
  const start = `parsing time ${JSON.stringify(text)}`
  let rest = text
  for (const [read, layout] of TIME_STEPS) {
    const found = read.exec(rest)
    if (found === null)
      return `${start} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(rest)} as "${layout}"`
    rest = rest.slice(found[0].length)
  }
  return rest === ''
    ? `${start}: day out of range`
    : `${start}: extra text: ${JSON.stringify(rest)}`
}

function goType(type: string): string {
  if (type === 'bytes') return '[]uint8'
  return type.startsWith('core.')
    ? `v1.${type.slice(5)}`
    : type.includes('.')
      ? `v1.${type.slice(type.indexOf('.') + 1)}`
      : type
}

function mismatch(raw: Json, place: string, wanted: string): Error {
  const found =
    raw === null ? 'null' : isList(raw) ? 'array' : typeof raw === 'boolean' ? 'bool' : typeof raw
  const shown = typeof raw === 'number' && wanted.startsWith('int') ? `number ${raw}` : found
  return badRequest(
    `json: cannot unmarshal ${shown} into Go struct field ${place} of type ${wanted}`,
  )
}
