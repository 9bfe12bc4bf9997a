import { UsageError } from '../errors.ts'
import type { EventHash } from '../ids.ts'
import { compareChanges, requireEdit } from './history.ts'
import type { OpenDocument } from './open-document.ts'
import type { DocumentPath } from './path.ts'
import { fieldShape, keyedItems, type Shape } from './shape.ts'
import { equalValues, isMap, type JsonMap, type JsonValue, own } from './value.ts'

/** How many edits one undo takes back. */
const EDITS_MAX = 1000
/** How many of them its message names. */
const NAMED_MAX = 8

/** What an undo would write. */
export interface Undone {
  readonly value: JsonMap
  readonly left: readonly DocumentPath[]
  /** What the history says of it when its author says nothing. */
  readonly message: string
}

/**
 * The present value without these edits, the newest of them taken back first.
 *
 * @throws DocumentError `DOCUMENT_HISTORY_MISSING` when one is not here.
 * @throws UsageError for none, or too many.
 */
export function undoEdits(
  document: OpenDocument,
  present: JsonMap,
  hashes: readonly EventHash[],
): Undone {
  const { id, kind } = document
  const distinct = [...new Set(hashes)]
  if (distinct.length === 0 || distinct.length > EDITS_MAX) {
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'an undo takes back 1 to 1,000 edits', {
      document: id,
      given: distinct.length,
    })
  }
  const changes = distinct.map((hash) => requireEdit(document, hash)).sort(compareChanges)
  const left: DocumentPath[] = []
  let value = present
  for (const { hash, deps } of changes) {
    const before = document.at(deps)
    value = takeBack({ before, after: document.at([hash]), present: value }, kind.shape, left)
  }
  const names = changes.slice(0, NAMED_MAX).map(({ hash }) => hash.slice(0, 8))
  const more = changes.length > NAMED_MAX ? ` and ${changes.length - NAMED_MAX} more` : ''
  return { value, left, message: `undo ${names.join(' ')}${more}` }
}

/** A value before an edit, right after it, and now. */
interface Versions {
  readonly before: JsonValue | undefined
  readonly after: JsonValue | undefined
  readonly present: JsonValue | undefined
}

/**
 * The present value without what one edit did: each field that still has the value which the edit gave it
 * gets the one from before. The paths of fields that the edit touched and that were written since go to
 * `left`. What a counter was raised by is taken off it, whatever was added since.
 */
export function takeBack(
  versions: { readonly before: JsonMap; readonly after: JsonMap; readonly present: JsonMap },
  shape: Shape | undefined,
  left: DocumentPath[],
): JsonMap {
  const value = backAt(versions, shape, [], left)
  return isMap(value) ? value : {}
}

function backAt(
  versions: Versions,
  shape: Shape | undefined,
  path: DocumentPath,
  left: DocumentPath[],
): JsonValue | undefined {
  const { before, after, present } = versions
  if (equalValues(before, after)) return present
  if (equalValues(present, after)) return before
  if (shape?.type === 'counter' && isNumber(before) && isNumber(after) && isNumber(present)) {
    return present - (after - before)
  }
  if (shape?.type !== 'value' && isMap(after) && isMap(present)) {
    if (isMap(before)) return mapBack(before, after, present, shape, path, left)
    if (before === undefined) {
      const rest = mapBack({}, after, present, shape, path, left)
      return Object.keys(rest).length === 0 ? undefined : rest
    }
  }
  const lists = [before, after, present].map((value) => keyedItems(value, shape))
  const [old, made, now] = lists
  if (old !== undefined && made !== undefined && now !== undefined) {
    if (shape?.type === 'set') return setBack(old, made, now)
    return listBack({ old, made, now }, shape, path, left)
  }
  left.push(path)
  return present
}

function mapBack(
  before: JsonMap,
  after: JsonMap,
  present: JsonMap,
  shape: Shape | undefined,
  path: DocumentPath,
  left: DocumentPath[],
): JsonMap {
  const map: Record<string, JsonValue | undefined> = { ...present }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const versions = {
      before: own(before, key),
      after: own(after, key),
      present: own(present, key),
    }
    const value = backAt(versions, fieldShape(shape, key), [...path, key], left)
    if (value === undefined) delete map[key]
    else map[key] = value
  }
  return map
}

type Items = ReadonlyMap<string, JsonValue>

function setBack(old: Items, made: Items, now: Items): JsonValue {
  const kept = [...now.keys()].filter((key) => old.has(key) || !made.has(key))
  const gone = [...old.keys()].filter((key) => !made.has(key) && !now.has(key))
  return [...kept, ...gone].sort()
}

function listBack(
  { old, made, now }: { readonly old: Items; readonly made: Items; readonly now: Items },
  shape: Shape | undefined,
  path: DocumentPath,
  left: DocumentPath[],
): JsonValue {
  const places = [...now.keys()]
  const items = new Map(now)
  for (const key of new Set([...old.keys(), ...made.keys()])) {
    const versions = { before: old.get(key), after: made.get(key), present: now.get(key) }
    const place = places.indexOf(key)
    const item = itemBack(versions, shape, [...path, place === -1 ? key : place], left)
    if (item === undefined) items.delete(key)
    else items.set(key, item)
  }
  const order = orderBack(
    [old, made, now].map((list) => [...list.keys()]),
    path,
    left,
  )
  const kept = order.filter((key) => items.has(key))
  for (const key of items.keys()) if (!now.has(key)) putBack(kept, key, [...old.keys()])
  return kept.flatMap((key) => items.get(key) ?? [])
}

/** An item that the edit added goes as a whole or stays as a whole: half an item is no item. */
function itemBack(
  versions: Versions,
  shape: Shape | undefined,
  path: DocumentPath,
  left: DocumentPath[],
): JsonValue | undefined {
  const { before, after, present } = versions
  const item = shape?.type === 'list' ? shape.item : undefined
  const isAdded = before === undefined && !equalValues(present, after)
  if (!isAdded) return backAt(versions, item, path, left)
  left.push(path)
  return present
}

/** The order of the items that are there now, with what the edit moved moved back. */
function orderBack(
  [before = [], after = [], present = []]: readonly (readonly string[])[],
  path: DocumentPath,
  left: DocumentPath[],
): readonly string[] {
  const isCommon = (key: string): boolean =>
    before.includes(key) && after.includes(key) && present.includes(key)
  const old = before.filter(isCommon)
  const made = after.filter(isCommon)
  if (equalValues(old, made)) return present
  if (!equalValues(made, present.filter(isCommon))) {
    left.push(path)
    return present
  }
  let next = 0
  return present.map((key) => {
    if (!isCommon(key)) return key
    next += 1
    return old[next - 1] ?? key
  })
}

/** Behind the nearest of its old neighbours that is still there. */
function putBack(keys: string[], key: string, old: readonly string[]): void {
  for (let place = old.indexOf(key) - 1; place >= 0; place -= 1) {
    const neighbour = keys.indexOf(old[place] ?? '')
    if (neighbour === -1) continue
    keys.splice(neighbour + 1, 0, key)
    return
  }
  keys.unshift(key)
}

function isNumber(value: JsonValue | undefined): value is number {
  return typeof value === 'number'
}
