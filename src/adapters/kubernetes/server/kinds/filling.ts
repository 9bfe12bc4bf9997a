import type { Json, JsonObject } from '../../objects/types.ts'
import { isObject } from '../json.ts'

// The vocabulary in which it is written down what a kind gets where it says nothing.

/** Completes an object, and leaves what it says as it is. */
export type Fill = (object: JsonObject) => JsonObject

/** `object` with each of `values` that it lacks; an empty text says nothing. */
export function withDefaults(object: JsonObject, values: JsonObject): JsonObject {
  const missing = Object.entries(values).filter(
    ([key, value]) =>
      value !== undefined && (object[key] === undefined || (object[key] === '' && value !== '')),
  )
  return missing.length === 0 ? object : { ...object, ...Object.fromEntries(missing) }
}

/** `object` with the field `key` mapped, where it is there. */
export function mapField(object: JsonObject, key: string, change: Fill): JsonObject {
  const value = object[key]
  return isObject(value) ? withValue(object, key, change(value)) : object
}

/** `object` itself where the value is that already: who compares it later sees that at once. */
function withValue(object: JsonObject, key: string, value: Json): JsonObject {
  return value === object[key] ? object : { ...object, [key]: value }
}

/** `object` with each item of the list `key` mapped, where it is there. */
export function mapItems(object: JsonObject, key: string, change: Fill): JsonObject {
  const list = object[key]
  if (!Array.isArray(list)) return object
  const items = list.map((item: Json) => (isObject(item) ? change(item) : item))
  return items.every((item, index) => item === list[index]) ? object : { ...object, [key]: items }
}

/** One after the other. */
export function fills(...steps: readonly Fill[]): Fill {
  return (object) => steps.reduce((current, step) => step(current), object)
}

/** These values where there are none. */
export function values(defaults: JsonObject): Fill {
  return (object) => withDefaults(object, defaults)
}

/** In the object at `key`, which is made where it is not there. */
export function always(key: string, ...steps: readonly Fill[]): Fill {
  const fill = fills(...steps)
  return (object) => {
    const value = object[key]
    return withValue(object, key, fill(isObject(value) ? value : {}))
  }
}

/** In the object at `key`, where it is there. */
export function inside(key: string, ...steps: readonly Fill[]): Fill {
  const fill = fills(...steps)
  return (object) => mapField(object, key, fill)
}

/** In each item of the list at `key`, where it is there. */
export function eachOf(key: string, ...steps: readonly Fill[]): Fill {
  const fill = fills(...steps)
  return (object) => mapItems(object, key, fill)
}

/** Only for some objects. */
export function where(isMeant: (object: JsonObject) => boolean, ...steps: readonly Fill[]): Fill {
  const fill = fills(...steps)
  return (object) => (isMeant(object) ? fill(object) : object)
}
