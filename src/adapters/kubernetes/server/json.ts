import { equalValues } from '../../../core/index.ts'
import { isObject } from '../objects/read.ts'
import type { Json, JsonObject } from '../objects/types.ts'

export { isObject } from '../objects/read.ts'

/** A JSON object under construction. */
export type Draft = Record<string, Json | undefined>

/** Whether a value is a JSON list. */
export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value)
}

/** The value at a path of field names, undefined where the path ends early. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let current = value
  for (const key of path) {
    if (!isObject(current) || !Object.hasOwn(current, key)) return undefined
    current = current[key]
  }
  return current
}

/** The object at a path, an empty one where there is none. */
export function objectAt(value: Json | undefined, ...path: readonly string[]): JsonObject {
  const found = at(value, ...path)
  return isObject(found) ? found : {}
}

/** The list at a path, an empty one where there is none. */
export function listAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = at(value, ...path)
  return isList(found) ? found : []
}

/** The text at a path, empty where there is none. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** The number at a path. */
export function numberAt(value: Json | undefined, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : undefined
}

/** A copy with one field set, or removed when `value` is undefined. Other parts are shared. */
export function withField(
  object: JsonObject,
  path: readonly string[],
  value: Json | undefined,
): JsonObject {
  const [key, ...rest] = path
  if (key === undefined) return object
  const copy: Draft = { ...object }
  const next = rest.length === 0 ? value : withField(objectAt(object, key), rest, value)
  if (next === undefined) delete copy[key]
  else setOwn(copy, key, next)
  return copy
}

/**
 * Sets a field as an own property, whatever its name: `__proto__` from a client stays a plain key.
 */
export function setOwn(target: Draft, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  } else {
    target[key] = value
  }
}

/** Deep equality of JSON values; a field that is undefined equals one that is absent. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  return equalValues(a, b)
}
