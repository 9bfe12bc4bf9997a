import { Counter, ImmutableString } from '@automerge/automerge/slim'

import { movedKeys } from './moved-keys.ts'
import { orderKeyBetween, orderKeys } from './order-key.ts'
import { isNode, orderOf, readValue } from './read-value.ts'
import { fieldShape, itemsByKey, LIST_MARK, ORDER_MARK, SET_MARK, type Shape } from './shape.ts'
import { equalValues, isMap, type JsonMap, type JsonValue, own } from './value.ts'

/** A map inside an Automerge change. */
type Draft = Record<string, unknown>

/**
 * Writes into `draft` what changed from `base` to `next`, leaf by leaf, and nothing else: what others
 * changed in the document since `base` stays. What the document already says is not written again.
 *
 * @param now What the draft is a draft of, where that is at hand: each look into a draft costs a call into
 * Automerge.
 */
export function writeChanges(
  draft: Draft,
  base: JsonMap,
  next: JsonMap,
  shape: Shape | undefined,
  now: Draft = draft,
): void {
  for (const key in next) {
    writeKey(draft, key, own(base, key), next[key], fieldShape(shape, key), now)
  }
  for (const key in base) {
    if (!Object.hasOwn(next, key))
      writeKey(draft, key, base[key], undefined, fieldShape(shape, key), now)
  }
}

function writeKey(
  draft: Draft,
  key: string,
  base: JsonValue | undefined,
  next: JsonValue | undefined,
  shape: Shape | undefined,
  now: Draft,
): void {
  if (equalValues(base, next)) return
  const current = now === draft || Object.hasOwn(now, key) ? now[key] : undefined
  if (next === undefined) {
    if (current !== undefined) delete draft[key]
    return
  }
  if (shape?.type === 'counter' && typeof next === 'number') {
    writeCounter(draft, key, typeof base === 'number' ? base : undefined, next)
    return
  }
  if (writeInside(draft, key, base, next, shape, current)) return
  if (current !== undefined && equalValues(readValue(current), next)) return
  draft[key] = encodeValue(next, shape)
}

/** Writes into what stands there, when both the old and the new value are of its type. */
function writeInside(
  draft: Draft,
  key: string,
  base: JsonValue | undefined,
  next: JsonValue,
  shape: Shape | undefined,
  current: unknown,
): boolean {
  if (!isNode(current)) return false
  if (shape?.type === 'list' && Array.isArray(next)) {
    const after = itemsByKey(next, shape.keys)
    const before = itemsByKey(Array.isArray(base) ? base : [], shape.keys)
    const items = isNode(current[LIST_MARK]) ? inner(draft[key], LIST_MARK) : undefined
    if (items === undefined || after === undefined || before === undefined) return false
    writeItems(items, before, after, shape.item)
    return true
  }
  if (shape?.type === 'set' && Array.isArray(next)) {
    const values = isNode(current[SET_MARK]) ? inner(draft[key], SET_MARK) : undefined
    if (values === undefined || !next.every((item) => typeof item === 'string')) return false
    writeSet(values, Array.isArray(base) ? base : [], next)
    return true
  }
  if (shape?.type === 'value' || !isMap(next) || LIST_MARK in current || SET_MARK in current)
    return false
  const map = draft[key]
  if (!isNode(map)) return false
  writeChanges(map, isMap(base) ? base : {}, next, shape, current)
  return true
}

function inner(node: unknown, mark: string): Draft | undefined {
  const map = isNode(node) ? node[mark] : undefined
  return isNode(map) ? map : undefined
}

function writeCounter(draft: Draft, key: string, base: number | undefined, next: number): void {
  const current = draft[key]
  if (!(current instanceof Counter)) {
    draft[key] = new Counter(next)
    return
  }
  // Who did not see a counter means the number itself, not an addition.
  const by = next - (base ?? Number(current.value))
  // The draft of a counter has `increment`, which the type of a stored counter does not show.
  if (by !== 0) (current as Counter & { increment(by: number): void }).increment(by)
}

function writeSet(values: Draft, base: readonly JsonValue[], next: readonly string[]): void {
  for (const value of base) {
    if (typeof value === 'string' && !next.includes(value) && values[value] !== undefined)
      delete values[value]
  }
  for (const value of next) {
    if (!base.includes(value) && values[value] === undefined) values[value] = true
  }
}

function writeItems(
  items: Draft,
  before: ReadonlyMap<string, JsonMap>,
  after: ReadonlyMap<string, JsonMap>,
  shape: Shape | undefined,
): void {
  for (const key of before.keys()) {
    if (!after.has(key) && items[key] !== undefined) delete items[key]
  }
  const moved = movedKeys([...before.keys()], [...after.keys()])
  const keys = [...after.keys()]
  let previous: Placed | undefined
  keys.forEach((key, index) => {
    const next = after.get(key) ?? {}
    const current = items[key]
    const stays = isNode(current) && !moved.has(key) && follows(previous, key, orderOf(current))
    if (!stays) {
      const following = nextOrder(items, keys, index + 1, moved, previous?.order)
      const order = orderKeyBetween(previous?.order, following)
      if (isNode(current)) current[ORDER_MARK] = new ImmutableString(order)
      // An item that somebody removed meanwhile stays removed, unless it is this writer who changed it.
      else if (!equalValues(before.get(key), next)) items[key] = encodeItem(next, order, shape)
    }
    const written = items[key]
    if (isNode(written)) {
      if (current !== undefined) writeChanges(written, before.get(key) ?? {}, next, shape)
      previous = { key, order: orderOf(written) }
    }
  })
}

interface Placed {
  readonly key: string
  readonly order: string
}

/** Whether an item with this order key is shown after `previous`: items of one order key go by key. */
function follows(previous: Placed | undefined, key: string, order: string): boolean {
  if (previous === undefined || previous.order < order) return true
  return previous.order === order && previous.key < key
}

/** The order key of the first of these items, from `from` on, that stays where it is, after `previous`. */
function nextOrder(
  items: Draft,
  keys: readonly string[],
  from: number,
  moved: ReadonlySet<string>,
  previous: string | undefined,
): string | undefined {
  for (let i = from; i < keys.length; i += 1) {
    const key = keys[i]
    if (key === undefined || moved.has(key)) continue
    const item = items[key]
    if (isNode(item) && orderOf(item) > (previous ?? '')) return orderOf(item)
  }
  return undefined
}

/** A JSON value as it is put into a document for the first time. */
export function encodeValue(value: JsonValue, shape: Shape | undefined): unknown {
  if (typeof value === 'string') return new ImmutableString(value)
  if (typeof value === 'number' && shape?.type === 'counter') return new Counter(value)
  if (Array.isArray(value)) return encodeList(value, shape)
  if (isMap(value)) return encodeMap(value, shape)
  return value
}

function encodeMap(value: JsonMap, shape: Shape | undefined): Draft {
  const map: Draft = {}
  for (const key in value) {
    const item = value[key]
    if (item !== undefined) map[key] = encodeValue(item, fieldShape(shape, key))
  }
  return map
}

function encodeList(list: readonly JsonValue[], shape: Shape | undefined): unknown {
  if (shape?.type === 'set' && list.every((item) => typeof item === 'string')) {
    return { [SET_MARK]: Object.fromEntries(list.map((item) => [item, true])) }
  }
  const items = shape?.type === 'list' ? itemsByKey(list, shape.keys) : undefined
  if (items === undefined || shape?.type !== 'list')
    return list.map((item) => encodeValue(item, undefined))
  const orders = orderKeys(items.size)
  const encoded = [...items].map(([key, item], index) => [
    key,
    encodeItem(item, orders[index] ?? 'n', shape.item),
  ])
  return { [LIST_MARK]: Object.fromEntries(encoded) }
}

function encodeItem(item: JsonMap, order: string, shape: Shape | undefined): Draft {
  return { [ORDER_MARK]: new ImmutableString(order), ...encodeMap(item, shape) }
}
