import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isList, isObject, textAt } from '../json.ts'
import { type Field, fieldIn, type StructType, structOf } from '../schema/schema.ts'
import { type StatusError, unexpected } from '../status.ts'

/** Past this many, a configuration is wrong enough. */
const ERRORS_MAX = 20

/**
 * The refusal of a configuration that does not fit its kind: fields that the kind does not have,
 * scalars of another type, list items with the same key. Ownership is kept by what the schema says,
 * so nothing else can be applied, whatever `fieldValidation` says.
 *
 * @returns undefined where it fits.
 */
export function typedError(type: StructType, config: JsonObject): StatusError | undefined {
  const errors: string[] = []
  const { apiVersion: _a, kind: _k, ...rest } = config
  checkStruct(type, rest, '', errors)
  if (errors.length === 0) return undefined
  const version = textAt(config, 'apiVersion')
  const name = `${textAt(config, 'metadata', 'namespace')}/${textAt(config, 'metadata', 'name')}`
  const kind = `${version.includes('/') ? version : `/${version}`}, Kind=${textAt(config, 'kind')}`
  const why =
    errors.length === 1 ? errors[0] : ['errors:', ...errors.map((text) => `  ${text}`)].join('\n')
  return unexpected(`failed to create typed patch object (${name}; ${kind}): ${why}`)
}

function checkStruct(type: StructType, value: JsonObject, path: string, errors: string[]): void {
  for (const [key, item] of Object.entries(value)) {
    if (errors.length >= ERRORS_MAX) return
    const field = fieldIn(type, key)
    if (field === undefined) errors.push(`${path}.${key}: field not declared in schema`)
    else if (item !== null && item !== undefined) checkField(field, item, `${path}.${key}`, errors)
  }
}

function checkField(field: Field, value: Json, path: string, errors: string[]): void {
  if (field.shape === 'map' && isObject(value)) {
    for (const [key, item] of Object.entries(value))
      if (item !== undefined) checkItem(field, item, `${path}.${key}`, errors)
  } else if (field.shape === 'list' && isList(value)) {
    checkList(field, value, path, errors)
  } else if (field.shape === 'one') {
    checkItem(field, value, path, errors)
  } else {
    errors.push(`${path}: expected ${field.shape}, got ${goValue(value)}`)
  }
}

function checkList(field: Field, list: readonly Json[], path: string, errors: string[]): void {
  const keys = field.listKeys
  const seen = new Set<string>()
  for (const [index, item] of list.entries()) {
    const name = keys === undefined ? `[${index}]` : `[${keyText(item, keys)}]`
    if (keys !== undefined && seen.has(name)) {
      errors.push(`${path}: duplicate entries for key ${name}`)
      continue
    }
    seen.add(name)
    checkItem(field, item, `${path}${name}`, errors)
  }
}

/** The keys that have defaults where an item does not say them. */
const KEY_DEFAULTS: Readonly<Record<string, Json>> = { protocol: 'TCP' }

function keyText(item: Json, keys: readonly string[]): string {
  const shown = keys.map((key) => {
    const value = at(item, key) ?? KEY_DEFAULTS[key] ?? null
    return `${key}=${JSON.stringify(value)}`
  })
  return shown.join(',')
}

/** What each scalar is called, and what it is in JSON. Others are read in more than one form. */
const SCALARS: Readonly<Record<string, readonly [is: string, name: string]>> = {
  string: ['string', 'string'],
  bytes: ['string', 'string'],
  bool: ['boolean', 'boolean'],
  int32: ['number', 'numeric (int or float)'],
  int64: ['number', 'numeric (int or float)'],
}

function checkItem(field: Field, value: Json, path: string, errors: string[]): void {
  const struct = structOf(field)
  if (struct !== undefined) {
    if (isObject(value)) checkStruct(struct, value, path, errors)
    else if (value !== null) errors.push(`${path}: expected map, got ${goValue(value)}`)
    return
  }
  const scalar = SCALARS[field.type]
  if (scalar === undefined || value === null || typeof value === scalar[0]) return
  errors.push(`${path}: expected ${scalar[1]}, got ${goValue(value)}`)
}

/** A value as the library that Kubernetes applies with prints it. */
function goValue(value: Json): string {
  const text = typeof value === 'object' ? JSON.stringify(value).slice(0, 256) : String(value)
  return `&value.valueUnstructured{Value:${typeof value === 'string' ? JSON.stringify(value) : text}}`
}
