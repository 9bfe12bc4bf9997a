import { UsageError } from '../errors.ts'
import { movedKeys } from './moved-keys.ts'
import type { DocumentPath } from './path.ts'
import { fieldShape, keyedItems, type Shape } from './shape.ts'
import { equalValues, isMap, type JsonMap, type JsonValue, own } from './value.ts'

/**
 * One step from one value to the next. Steps are in order: each path is meant in the value that the steps
 * before it made.
 */
export type DocumentPatch =
  /** A key of a map, or an item of a list, has a new value. `before` is undefined for a new key. */
  | {
      readonly op: 'set'
      readonly path: DocumentPath
      readonly before: JsonValue | undefined
      readonly after: JsonValue
    }
  /** An item came into a list, at the place that the path ends with; those from there on moved by one. */
  | { readonly op: 'insert'; readonly path: DocumentPath; readonly after: JsonValue }
  /** A key of a map, or an item of a list, is gone; the items behind it moved by one. */
  | { readonly op: 'delete'; readonly path: DocumentPath; readonly before: JsonValue }

/**
 * The steps from `before` to `after`. Items of a keyed list and of a set are told apart by their keys; any
 * other list is one value. Parts that are the same object are not looked into.
 */
export function diffValues(
  before: JsonMap,
  after: JsonMap,
  shape: Shape | undefined,
): readonly DocumentPatch[] {
  const patches: DocumentPatch[] = []
  diffMaps(before, after, shape, [], patches)
  return patches
}

/**
 * Makes the steps, without changing `value`: parts that no step touches are shared.
 *
 * @throws UsageError when a step does not fit the value.
 */
export function applyPatches<Value>(value: Value, patches: readonly DocumentPatch[]): Value {
  let next = value as JsonValue
  for (const patch of patches) next = applyPatch(next, patch, 0)
  return next as Value
}

function diffMaps(
  before: JsonMap,
  after: JsonMap,
  shape: Shape | undefined,
  path: DocumentPath,
  patches: DocumentPatch[],
): void {
  for (const [key, old] of Object.entries(before)) {
    if (old === undefined || own(after, key) !== undefined) continue
    patches.push({ op: 'delete', path: [...path, key], before: old })
  }
  for (const [key, next] of Object.entries(after)) {
    if (next === undefined) continue
    diff(own(before, key), next, fieldShape(shape, key), [...path, key], patches)
  }
}

function diff(
  before: JsonValue | undefined,
  after: JsonValue,
  shape: Shape | undefined,
  path: DocumentPath,
  patches: DocumentPatch[],
): void {
  if (before === after) return
  if (shape?.type !== 'value' && isMap(before) && isMap(after)) {
    return diffMaps(before, after, shape, path, patches)
  }
  const old = keyedItems(before, shape)
  const next = keyedItems(after, shape)
  if (old !== undefined && next !== undefined) {
    return diffLists(old, next, shape?.type === 'list' ? shape.item : undefined, path, patches)
  }
  if (!equalValues(before, after)) patches.push({ op: 'set', path, before, after })
}

function diffLists(
  before: ReadonlyMap<string, JsonValue>,
  after: ReadonlyMap<string, JsonValue>,
  shape: Shape | undefined,
  path: DocumentPath,
  patches: DocumentPatch[],
): void {
  const keys = [...before.keys()]
  const moved = movedKeys(keys, [...after.keys()])
  for (let index = keys.length - 1; index >= 0; index -= 1) {
    const key = keys[index] ?? ''
    if (after.has(key) && !moved.has(key)) continue
    patches.push({ op: 'delete', path: [...path, index], before: before.get(key) ?? null })
    keys.splice(index, 1)
  }
  // What is left has the order of `after`, so up to `index` both are the same.
  let index = 0
  for (const [key, item] of after) {
    if (keys[index] === key) {
      diff(before.get(key), item, shape, [...path, index], patches)
    } else {
      patches.push({ op: 'insert', path: [...path, index], after: item })
      keys.splice(index, 0, key)
    }
    index += 1
  }
}

function applyPatch(value: JsonValue | undefined, patch: DocumentPatch, depth: number): JsonValue {
  const step = patch.path[depth]
  const isLast = depth === patch.path.length - 1
  if (Array.isArray(value) && typeof step === 'number') {
    const list: JsonValue[] = [...value]
    if (step < 0 || step > list.length || (step === list.length && patch.op !== 'insert')) {
      throw unfit(patch)
    }
    if (!isLast) list[step] = applyPatch(list[step], patch, depth + 1)
    else if (patch.op === 'insert') list.splice(step, 0, patch.after)
    else if (patch.op === 'delete') list.splice(step, 1)
    else list[step] = patch.after
    return list
  }
  if (!isMap(value) || typeof step !== 'string') throw unfit(patch)
  if (!isLast) return { ...value, [step]: applyPatch(own(value, step), patch, depth + 1) }
  if (patch.op === 'insert') throw unfit(patch)
  if (patch.op === 'set') return { ...value, [step]: patch.after }
  const { [step]: _, ...others } = value
  return others
}

function unfit({ op, path }: DocumentPatch): UsageError {
  return new UsageError('USAGE_INVALID_ARGUMENT', 'a patch does not fit the value', {
    op,
    path: path.join('.'),
  })
}
