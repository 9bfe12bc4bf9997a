import type { Json } from '../../objects/types.ts'
import { isList, isObject } from '../json.ts'
import { type Cause, duplicate } from '../kinds/checks.ts'
import { fieldSchema, type Schema } from './schema.ts'

/** What names an item of a list that is a map (x-kubernetes-list-map-keys), as text. */
export function listMapKey(schema: Schema, item: Json): string {
  return JSON.stringify(keysOf(schema, item))
}

function keysOf({ listKeys }: Schema, item: Json): Readonly<Record<string, Json>> {
  if (!isObject(item)) return {}
  return Object.fromEntries(
    listKeys.flatMap((key): [string, Json][] => {
      const value = item[key]
      return value === undefined ? [] : [[key, value]]
    }),
  )
}

/** Items of sets and of lists that are maps which occur twice, anywhere in a value. */
export function checkLists(schema: Schema, value: Json, path: string): readonly Cause[] {
  if (isList(value)) {
    const items = schema.items
    return [
      ...repeated(schema, value, path),
      ...(items === undefined
        ? []
        : value.flatMap((item, index) => checkLists(items, item, `${path}[${index}]`))),
    ]
  }
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, item]) => {
    const inner = fieldSchema(schema, key)
    if (inner === undefined || item === undefined) return []
    const below = schema.properties.has(key)
      ? path === ''
        ? key
        : `${path}.${key}`
      : `${path}[${key}]`
    return checkLists(inner, item, below)
  })
}

function repeated(schema: Schema, list: readonly Json[], path: string): readonly Cause[] {
  if (schema.listType !== 'set' && schema.listType !== 'map') return []
  const isMap = schema.listType === 'map'
  const seen = new Map<string, number>()
  return list.flatMap((item, index): Cause[] => {
    const shown: Json = isMap ? keysOf(schema, item) : item
    const key = JSON.stringify(shown)
    const times = (seen.get(key) ?? 0) + 1
    seen.set(key, times)
    // Only the first one that repeats another is told.
    return times === 2 ? [duplicate(`${path}[${index}]`, shown)] : []
  })
}
