import { Counter, ImmutableString } from '@automerge/automerge/slim'

import { sortTexts } from '../sort-texts.ts'
import { LIST_MARK, ORDER_MARK, SET_MARK } from './shape.ts'
import { DEPTH_MAX, isReserved, type JsonMap, type JsonValue, own } from './value.ts'

/** Order keys longer than this, or of other letters, are not ours and count as absent. */
const ORDER_CHARS_MAX = 4096

/** Values that were read before, by the maps and lists of Automerge that they stand for. */
export type KnownValues = Pick<WeakMap<object, JsonValue>, 'get' | 'set'>

/**
 * The JSON that an Automerge document stands for. It reads any document, also one that others wrote:
 * what no value that {@link checkValue} allows could have become is null, text, or left out. Frozen.
 *
 * @param known What was read of the same document before, at the same place: given back as it is.
 */
export function readValue(node: unknown, known?: KnownValues, depth = 0): JsonValue {
  if (node === null || node === undefined) return null
  switch (typeof node) {
    case 'string':
    case 'boolean':
      return node
    case 'number':
      return readNumber(node)
    case 'bigint':
      return Number.isSafeInteger(Number(node)) ? readNumber(Number(node)) : String(node)
    case 'object':
      return readObject(node, known, depth)
    default:
      return null
  }
}

function readObject(node: object, known: KnownValues | undefined, depth: number): JsonValue {
  if (node instanceof ImmutableString) return node.val
  if (node instanceof Counter) return readNumber(Number(node.value))
  if (node instanceof Date) return Number.isFinite(node.getTime()) ? node.toISOString() : null
  if (node instanceof Uint8Array) return depth >= DEPTH_MAX ? [] : [...node]
  const before = known?.get(node)
  if (before !== undefined) return before
  const value = Array.isArray(node)
    ? readArray(node, known, depth)
    : readMap(node as Record<string, unknown>, known, depth)
  known?.set(node, value)
  return value
}

/** A number that can be written back; one that is too large for that as text. */
function readNumber(value: number): JsonValue {
  if (!Number.isFinite(value)) return null
  const isLarge = Number.isInteger(value) && Math.abs(value) >= Number.MAX_SAFE_INTEGER
  return isLarge ? String(value) : value
}

function readArray(
  list: readonly unknown[],
  known: KnownValues | undefined,
  depth: number,
): JsonValue {
  if (depth >= DEPTH_MAX) return Object.freeze([])
  return Object.freeze(list.map((item) => readValue(item, known, depth + 1)))
}

function readMap(
  node: Record<string, unknown>,
  known: KnownValues | undefined,
  depth: number,
): JsonValue {
  // What is deeper could not be written back, and would exhaust the stack of some reader.
  if (depth >= DEPTH_MAX) return Object.freeze({})
  const list = node[LIST_MARK]
  if (isNode(list)) {
    return Object.freeze(listKeys(list).map((key) => readValue(list[key], known, depth + 1)))
  }
  const set = node[SET_MARK]
  if (isNode(set)) return Object.freeze(Object.keys(set).sort())
  const map: Record<string, JsonValue> = {}
  // Sorted: Automerge orders keys by their history, which is not the same on every replica.
  for (const key of sortTexts(Object.keys(node))) {
    if (!isReserved(key)) map[key] = readValue(node[key], known, depth + 1)
  }
  return Object.freeze(map)
}

/** The keys of the items of a keyed list, in the order in which they are shown. */
export function listKeys(items: Readonly<Record<string, unknown>>): readonly string[] {
  const keys = Object.keys(items)
  if (keys.length < 2) return keys
  const ordered = keys.map((key) => ({ key, order: orderOf(items[key]) }))
  ordered.sort((a, b) => compare(a.order, b.order) || compare(a.key, b.key))
  return ordered.map(({ key }) => key)
}

/** The order key of an item of a keyed list; empty for an item without one. */
export function orderOf(item: unknown): string {
  const order = isNode(item) ? item[ORDER_MARK] : undefined
  const text = order instanceof ImmutableString ? order.val : order
  const isOurs = typeof text === 'string' && text.length <= ORDER_CHARS_MAX && /^[a-z]*$/.test(text)
  return isOurs ? text : ''
}

/** Whether this is a map of an Automerge document, and not one of the scalars that are objects. */
export function isNode(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof ImmutableString) &&
    !(value instanceof Counter) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  )
}

/**
 * Leaves out what only the skeleton of a kind put there: maps and lists at `paths` that are empty.
 * Deeper paths first.
 */
export function prune(value: JsonMap, paths: readonly (readonly string[])[]): JsonMap {
  let pruned = value
  for (const path of paths) pruned = withoutEmpty(pruned, path)
  return pruned
}

/** @param depth how much of the path is behind. */
function withoutEmpty(map: JsonMap, path: readonly string[], depth = 0): JsonMap {
  const key = path[depth]
  if (key === undefined) return map
  const child = own(map, key)
  if (child === undefined || child === null || typeof child !== 'object') return map
  if (depth === path.length - 1) {
    if (!isEmpty(child)) return map
    const { [key]: _, ...others } = map
    return others
  }
  if (Array.isArray(child)) return map
  const pruned = withoutEmpty(child as JsonMap, path, depth + 1)
  return pruned === child ? map : { ...map, [key]: pruned }
}

function isEmpty(container: object): boolean {
  for (const _ in container) return false
  return true
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
