import { Counter, ImmutableString } from '@automerge/automerge'

import type { JsonMap, JsonValue } from './value.ts'
import { LIST_MARK, ORDER_MARK, SET_MARK } from './shape.ts'

/** The JSON that an Automerge document stands for. Reads any document, also one that others wrote. */
export function readValue(node: unknown): JsonValue {
  if (node === null || node === undefined) return null
  if (node instanceof ImmutableString) return node.val
  if (node instanceof Counter) return Number(node.value)
  if (node instanceof Date) return node.toISOString()
  if (node instanceof Uint8Array) return [...node]
  if (Array.isArray(node)) return node.map(readValue)
  switch (typeof node) {
    case 'string':
    case 'boolean':
      return node
    case 'number':
      return Number.isFinite(node) ? node : null
    case 'bigint':
      return Number(node)
    case 'object':
      return readMap(node as Record<string, unknown>)
    default:
      return null
  }
}

function readMap(node: Record<string, unknown>): JsonValue {
  const list = node[LIST_MARK]
  if (isObject(list)) return readList(list)
  const set = node[SET_MARK]
  if (isObject(set)) return Object.keys(set).sort()
  const map: Record<string, JsonValue> = {}
  for (const key of Object.keys(node).sort()) if (key !== ORDER_MARK) map[key] = readValue(node[key])
  return map
}

function readList(items: Record<string, unknown>): JsonValue {
  const ordered = Object.entries(items).map(([key, item]) => ({ key, item, order: orderOf(item) }))
  ordered.sort((a, b) => compare(a.order, b.order) || compare(a.key, b.key))
  return ordered.map(({ item }) => readValue(item))
}

/** The order key of an item of a keyed list; empty for an item without one. */
export function orderOf(item: unknown): string {
  const order = isObject(item) ? item[ORDER_MARK] : undefined
  return order instanceof ImmutableString ? order.val : typeof order === 'string' ? order : ''
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

function withoutEmpty(map: JsonMap, path: readonly string[]): JsonMap {
  const [key, ...rest] = path
  if (key === undefined) return map
  const child = map[key]
  if (child === undefined || child === null || typeof child !== 'object') return map
  if (rest.length === 0) {
    if (Object.keys(child).length > 0) return map
    const { [key]: _, ...others } = map
    return others
  }
  if (Array.isArray(child)) return map
  const pruned = withoutEmpty(child as JsonMap, rest)
  return pruned === child ? map : { ...map, [key]: pruned }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
