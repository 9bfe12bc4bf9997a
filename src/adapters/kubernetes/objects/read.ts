import type { JsonObject } from './types.ts'

// Reading JSON that anybody may have written: what is not of the expected type counts as absent.

/** Whether a value is a JSON map. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The map at a path. */
export function mapAt(value: unknown, ...path: readonly string[]): JsonObject | undefined {
  const found = at(value, path)
  return isObject(found) ? found : undefined
}

/** The maps in the list at a path; empty when there is none. */
export function mapsAt(value: unknown, ...path: readonly string[]): readonly JsonObject[] {
  const found = at(value, path)
  return Array.isArray(found) ? found.filter(isObject) : []
}

/** The text at a path; empty text counts as absent, as in the Kubernetes API. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, path)
  return typeof found === 'string' && found !== '' ? found : undefined
}

/** The number at a path. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, path)
  return typeof found === 'number' ? found : undefined
}

function at(value: unknown, path: readonly string[]): unknown {
  let current = value
  for (const key of path) {
    if (!isObject(current)) return undefined
    current = current[key]
  }
  return current
}
