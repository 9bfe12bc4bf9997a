import type { Json, JsonObject } from '../../objects/types.ts'
import { compiledPattern } from '../cel/patterns.ts'
import { isList, isObject, sameJson } from '../json.ts'
import { type Cause, invalidValue, notSupported, required } from '../kinds/checks.ts'
import { floatText } from './go-text.ts'
import { listMapKey } from './list-checks.ts'
import { fieldSchema, limitOf, type Schema } from './schema.ts'
import { isText, isTextFormat } from './text-formats.ts'

/** What a check of a value came to. */
interface Result {
  readonly causes: Cause[]
  /** How much was looked at: of alternatives that all fail, the one with most is shown. */
  matches: number
}

/** Where a value is, for messages: within what is checked, and as a field of the object. */
interface Place {
  readonly path: string
  /** What stands before the path in the name of the field. */
  readonly prefix: string
}

/** What is not said of one field. */
const NOWHERE = '<nil>'

/**
 * What is wrong with a value, as kube-apiserver words it. What an update does not change is not looked at
 * again.
 *
 * @param old the value before, undefined for a new one.
 * @param prefix the path of the value in its object; empty for the object itself.
 */
export function checkValue(
  schema: Schema,
  value: Json,
  old: Json | undefined,
  prefix: string,
): readonly Cause[] {
  return check(schema, value, old, { path: '', prefix }).causes
}

function check(schema: Schema, value: Json, old: Json | undefined, place: Place): Result {
  const result: Result = { causes: [], matches: 1 }
  if (old !== undefined && sameJson(old, value)) return result
  checkType(schema, value, place, result)
  if (value === null) {
    checkEnum(schema, value, place, result)
    return result
  }
  checkAlternatives(schema, value, place, result)
  if (typeof value === 'string') checkText(schema, value, place, result)
  if (typeof value === 'number') checkNumber(schema, value, place, result)
  if (isList(value)) checkItems(schema, value, old, place, result)
  checkEnum(schema, value, place, result)
  if (isObject(value)) checkFields(schema, value, old, place, result)
  return result
}

function fieldOf({ path, prefix }: Place): string {
  const own = path.startsWith('.') ? path.slice(1) : path
  if (prefix === '') return own === '' ? NOWHERE : own
  return own === '' ? prefix : `${prefix}.${own}`
}

function refuse(place: Place, value: Json, result: Result, detail: string): void {
  result.causes.push(invalidValue(fieldOf(place), value, `${place.path} in body ${detail}`))
}

/** Something that is said of the whole object, not of a field. */
function refuseWhole(result: Result, { prefix }: Place, detail: string): void {
  result.causes.push(invalidValue(prefix === '' ? NOWHERE : prefix, '', detail))
}

function typeName(value: Json): string {
  if (value === null) return 'null'
  if (isList(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function wrongType(place: Place, wanted: string, found: string): Cause {
  const shown = JSON.stringify(found)
  return {
    reason: 'FieldValueTypeInvalid',
    field: fieldOf(place),
    message: `Invalid value: ${shown}: ${place.path} in body must be of type ${wanted}: ${shown}`,
  }
}

function checkType(schema: Schema, value: Json, place: Place, result: Result): void {
  const types = schema.isIntOrString ? ['integer', 'string'] : [schema.type]
  if (types[0] === '') return
  result.matches += 1
  const found = typeName(value)
  if (value === null && schema.nullable) return
  const isOf = types.includes(found) || (found === 'integer' && types.includes('number'))
  if (isOf) result.matches += 1
  else if (isFormatted(schema) && value !== null && typeof value !== 'string' && !isList(value))
    result.causes.push(wrongType(place, schema.format, goFormat(value)))
  else result.causes.push(wrongType(place, types.join(','), found))
}

/** Whether a format is known for the type that it stands with. */
function isFormatted({ type, format }: Schema): boolean {
  if (format === '') return false
  if (type === 'integer') return format === 'int32' || format === 'int64'
  if (type === 'number') return format === 'float' || format === 'double'
  return (type === '' || type === 'string') && isTextFormat(format)
}

/** The format that Go finds in a value. */
function goFormat(value: Json): string {
  if (typeof value !== 'number') return ''
  return Number.isInteger(value) ? 'int64' : 'float64'
}

function checkEnum(schema: Schema, value: Json, place: Place, result: Result): void {
  const { enum: allowed } = schema
  if (allowed === undefined || allowed.some((item) => sameJson(item, value))) return
  if (value === null && schema.nullable) return
  const texts = allowed.map((item) => (typeof item === 'string' ? item : JSON.stringify(item)))
  result.causes.push(notSupported(fieldOf(place), value, texts))
}

function checkText(schema: Schema, value: string, place: Place, result: Result): void {
  const max = limitOf(schema, 'maxLength')
  const min = limitOf(schema, 'minLength')
  const pattern = schema.source['pattern']
  const length = [...value].length
  if (max !== undefined && length > max) {
    const message = `Too long: may not be more than ${max} bytes`
    result.causes.push({ reason: 'FieldValueTooLong', field: fieldOf(place), message })
  } else if (min !== undefined && length < min) {
    refuse(place, value, result, `should be at least ${min} chars long`)
  } else if (typeof pattern === 'string' && pattern !== '' && !fitsPattern(pattern, value)) {
    refuse(place, value, result, `should match '${pattern}'`)
  }
  const { format, type } = schema
  const isChecked = (type === '' || type === 'string') && format !== '' && isTextFormat(format)
  if (isChecked && !isText(format, value)) result.causes.push(wrongType(place, format, value))
}

function fitsPattern(pattern: string, value: string): boolean {
  try {
    return compiledPattern(pattern).matcher(value).find()
  } catch {
    return false
  }
}

const INT32_MAX = 2 ** 31 - 1

function checkNumber(schema: Schema, value: number, place: Place, result: Result): void {
  result.matches += 1
  const { format } = schema
  const isWhole = Number.isInteger(value)
  const isOut = value > INT32_MAX || value < -INT32_MAX - 1
  if (schema.type === 'integer' && (!isWhole || (format === 'int32' && isOut))) {
    const wanted = isFormatted(schema) ? `with format ${format}` : '(default format)'
    const text = `Checked value must be of type integer ${wanted} in ${place.path}`
    refuseWhole(result, place, text)
  }
  // Go compares a whole number with the whole part of a limit.
  const bound = (name: string): number | undefined => {
    const found = limitOf(schema, name)
    return found === undefined || !isWhole ? found : Math.trunc(found)
  }
  const limit = (name: string): string => floatOrWhole(bound(name) ?? 0, isWhole)
  const multiple = bound('multipleOf')
  if (multiple !== undefined && multiple <= 0) {
    const text = `factor MultipleOf declared for ${place.path} must be positive: ${multiple}`
    result.causes.push(invalidValue(fieldOf(place), multiple, text))
  } else if (
    multiple !== undefined &&
    !Number.isInteger(Number((value / multiple).toPrecision(15)))
  )
    refuse(place, value, result, `should be a multiple of ${limit('multipleOf')}`)
  const max = bound('maximum')
  const isMaxOut = schema.source['exclusiveMaximum'] === true
  if (max !== undefined && (value > max || (isMaxOut && value === max)))
    refuse(
      place,
      value,
      result,
      `should be less than ${isMaxOut ? '' : 'or equal to '}${limit('maximum')}`,
    )
  const min = bound('minimum')
  const isMinOut = schema.source['exclusiveMinimum'] === true
  if (min !== undefined && (value < min || (isMinOut && value === min)))
    refuse(
      place,
      value,
      result,
      `should be greater than ${isMinOut ? '' : 'or equal to '}${limit('minimum')}`,
    )
}

function floatOrWhole(value: number, isWhole: boolean): string {
  return isWhole ? String(value) : floatText(value)
}

function tooMany(place: Place, count: number, max: number): Cause {
  return {
    reason: 'FieldValueTooMany',
    field: fieldOf(place),
    message: `Too many: ${count}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  }
}

function checkItems(
  schema: Schema,
  list: readonly Json[],
  old: Json | undefined,
  place: Place,
  result: Result,
): void {
  const before = schema.listType === 'map' && isList(old) ? byKey(schema, old) : undefined
  for (const [index, item] of list.entries()) {
    if (schema.items === undefined) break
    const known = before?.get(listMapKey(schema, item))
    merge(result, check(schema.items, item, known, { ...place, path: `${place.path}[${index}]` }))
  }
  const min = limitOf(schema, 'minItems')
  const max = limitOf(schema, 'maxItems')
  if (min !== undefined && list.length < min)
    refuse(place, list.length, result, `should have at least ${min} items`)
  if (max !== undefined && list.length > max) result.causes.push(tooMany(place, list.length, max))
  result.matches += 1
}

/** The items of a list by what names them. */
function byKey(schema: Schema, list: readonly Json[]): ReadonlyMap<string, Json> {
  return new Map(list.map((item) => [listMapKey(schema, item), item]))
}

function checkFields(
  schema: Schema,
  object: JsonObject,
  old: Json | undefined,
  place: Place,
  result: Result,
): void {
  const count = Object.keys(object).length
  const min = limitOf(schema, 'minProperties')
  const max = limitOf(schema, 'maxProperties')
  if (min !== undefined && count < min)
    refuse(place, count, result, `should have at least ${min} properties`)
  if (max !== undefined && count > max) result.causes.push(tooMany(place, count, max))
  for (const [key, item] of Object.entries(object)) {
    const inner = fieldSchema(schema, key)
    const isNamed = schema.properties.has(key)
    if (inner === undefined && schema.additional === false) {
      result.causes.push(
        invalidValue(fieldOf(place), key, `${place.path}.${key} in body is a forbidden property`),
      )
    }
    if (inner === undefined || item === undefined) continue
    const path = isNamed && place.path === '' ? key : `${place.path}.${key}`
    const before = isObject(old) ? old[key] : undefined
    merge(result, check(inner, item, before, { ...place, path }))
  }
  for (const key of schema.required) {
    if (Object.hasOwn(object, key) && object[key] !== undefined) continue
    result.causes.push(required(fieldOf({ ...place, path: `${place.path}.${key}` })))
  }
}

function merge(result: Result, other: Result): void {
  result.causes.push(...other.causes)
  result.matches += other.matches
}

function checkAlternatives(schema: Schema, value: Json, place: Place, result: Result): void {
  const tried = (schemas: readonly Schema[]): readonly Result[] =>
    schemas.map((alternative) => check(alternative, value, undefined, place))
  const path = JSON.stringify(place.path)
  if (schema.anyOf.length > 0 && !isIntOrStringPattern(schema)) {
    const results = tried(schema.anyOf)
    if (!results.some(isValid)) {
      refuseWhole(result, place, `${path} must validate at least one schema (anyOf)`)
      merge(result, best(results))
    }
  }
  if (schema.oneOf.length > 0) {
    const results = tried(schema.oneOf)
    const valid = results.filter(isValid).length
    const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`
    if (valid !== 1)
      refuseWhole(result, place, `${path} must validate one and only one schema (oneOf). ${found}`)
    if (valid === 0) merge(result, best(results))
  }
  if (schema.allOf.length > 0) {
    const results = tried(schema.allOf)
    for (const one of results) merge(result, one)
    const none = results.some(isValid) ? '' : '. None validated'
    if (!results.every(isValid))
      refuseWhole(result, place, `${path} must validate all the schemas (allOf)${none}`)
  }
  if (schema.not !== undefined && isValid(check(schema.not, value, undefined, place)))
    refuseWhole(result, place, `${path} must not validate the schema (not)`)
}

/** Alternatives that only say again that it is a whole number or a text. */
function isIntOrStringPattern({ isIntOrString, anyOf }: Schema): boolean {
  return isIntOrString && anyOf.length === 2 && anyOf.every(({ source }) => 'type' in source)
}

function isValid({ causes }: Result): boolean {
  return causes.length === 0
}

function best(results: readonly Result[]): Result {
  return results.reduce((found, one) => (one.matches > found.matches ? one : found))
}
