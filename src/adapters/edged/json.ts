import { equalValues } from '../../core/index.ts'
import { isObject } from '../kubernetes/objects/read.ts'
import type { Json, JsonObject } from '../kubernetes/objects/types.ts'

/**
 * Reading JSON that others wrote: a value of another type than expected counts as absent, so that a
 * malformed object is handled like an incomplete one and never throws.
 */

/** The value as an object; an empty one when it is something else. */
export function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}

/** The objects in a list; none when the value is something else. */
export function asObjects(value: Json | undefined): readonly JsonObject[] {
  return isList(value) ? value.filter(isObject) : []
}

/** The texts in a list. */
export function asTexts(value: Json | undefined): readonly string[] {
  return isList(value) ? value.filter((item) => typeof item === 'string') : []
}

/** The value as text. */
export function asText(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The value as a number. */
export function asNumber(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

/** The fields of an object whose values are texts. */
export function asTextMap(value: Json | undefined): Readonly<Record<string, string>> {
  const result: Record<string, string> = {}
  for (const [key, item] of Object.entries(asObject(value))) {
    if (typeof item === 'string') result[key] = item
  }
  return result
}

/** Whether two values are the same JSON; the order of keys does not count, absent is undefined. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  return equalValues(a, b)
}

/** JSON text with sorted keys. */
export function canonical(value: Json | undefined): string {
  if (isList(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}
