import { isMap, type JsonMap, type JsonValue, own } from './value.ts'

/**
 * How a part of a document's JSON merges. What no shape describes: maps merge key by key, lists and
 * scalars are one value, of which the newer write wins.
 */
export type Shape =
  /** A map whose keys merge one by one. */
  | {
      readonly type: 'map'
      readonly fields?: Readonly<Record<string, Shape>>
      /** The shape of every key that `fields` does not name. */
      readonly values?: Shape
    }
  /** A list of maps that are told apart by these fields: items merge one by one, and keep their order. */
  | { readonly type: 'list'; readonly keys: readonly string[]; readonly item?: Shape }
  /** A list of distinct strings without an order: additions and removals merge. */
  | { readonly type: 'set' }
  /** A whole number: concurrent changes add up. */
  | { readonly type: 'counter' }
  /** One value, also when it is a map. */
  | { readonly type: 'value' }

/** The shape of one key of a map. */
export function fieldShape(shape: Shape | undefined, key: string): Shape | undefined {
  if (shape?.type !== 'map') return undefined
  const { fields } = shape
  return fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : shape.values
}

/** Whether some part of a document of this shape is a counter. */
export function hasCounter(shape: Shape | undefined): boolean {
  if (shape?.type === 'list') return hasCounter(shape.item)
  if (shape?.type !== 'map') return shape?.type === 'counter'
  return hasCounter(shape.values) || Object.values(shape.fields ?? {}).some(hasCounter)
}

// How keyed lists and sets stand in an Automerge document: as a map under one reserved key, so that a
// reader needs no shape to tell them apart from maps.

/** `{ "#list": { <key>: { "#": <order key>, ...item } } }` */
export const LIST_MARK = '#list'
/** `{ "#set": { <value>: true } }` */
export const SET_MARK = '#set'
/** The order key of an item of a keyed list. */
export const ORDER_MARK = '#'

/** The key of an item of a keyed list, or undefined when it lacks one of the fields. */
export function itemKey(item: unknown, keys: readonly string[]): string | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined
  const parts: string[] = []
  for (const key of keys) {
    const value: unknown = own(item as JsonMap, key)
    if (typeof value === 'string' || typeof value === 'number') parts.push(String(value))
    else if (value === undefined && parts.length > 0) parts.push('')
    else return undefined
  }
  return parts.join('\u0000')
}

/**
 * The items of a list by what tells them apart: of a keyed list by key, of a set by value. Undefined for
 * what is no such list: an item without a key, two with the same, another shape.
 */
export function keyedItems(
  list: JsonValue | undefined,
  shape: Shape | undefined,
): ReadonlyMap<string, JsonValue> | undefined {
  if (!Array.isArray(list)) return undefined
  if (shape?.type === 'list') return itemsByKey(list, shape.keys)
  if (shape?.type !== 'set') return undefined
  const items = new Map<string, JsonValue>()
  for (const item of list) {
    if (typeof item !== 'string' || items.has(item)) return undefined
    items.set(item, item)
  }
  return items
}

/** The items of a keyed list by key, or undefined when one has no key or two have the same. */
export function itemsByKey(
  list: readonly JsonValue[],
  keys: readonly string[],
): ReadonlyMap<string, JsonMap> | undefined {
  const map = new Map<string, JsonMap>()
  for (const item of list) {
    const key = itemKey(item, keys)
    if (key === undefined || !isMap(item) || map.has(key)) return undefined
    map.set(key, item)
  }
  return map
}
