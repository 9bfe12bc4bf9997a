import type { Json, JsonObject } from '../../objects/types.ts'
import { at, type Draft, isList, isObject, sameJson, setOwn } from '../json.ts'
import { type Field, type StructType, structType } from '../schema/schema.ts'
import { badRequest, unexpected } from '../status.ts'

const DIRECTIVE = '$patch'
const RETAIN_KEYS = '$retainKeys'
const DELETE_PREFIX = '$deleteFromPrimitiveList/'
const ORDER_PREFIX = '$setElementOrder/'

/**
 * Applies a strategic merge patch: like a merge patch, but lists merge by their merge keys, and
 * directives delete, replace, order and retain.
 *
 * @param type what the document is, undefined where only maps of text are below.
 * @throws StatusError 400 when a directive is malformed or an item lacks its merge key.
 */
export function applyStrategicPatch(
  document: JsonObject,
  patch: JsonObject,
  type: StructType | undefined,
): JsonObject {
  const merged = mergeMap(document, patch, type)
  return merged ?? {}
}

/** Undefined when the patch deletes the map. */
function mergeMap(
  original: JsonObject | undefined,
  patch: JsonObject,
  type: StructType | undefined,
): JsonObject | undefined {
  const directive = patch[DIRECTIVE]
  if (directive !== undefined) {
    if (directive === 'replace') return stripped(omit(patch, DIRECTIVE), type)
    if (directive === 'delete') return undefined
    if (directive !== 'merge')
      throw badRequest(`unknown patch directive: ${JSON.stringify(directive)}`)
  }
  const out: Draft = { ...retained(original ?? {}, patch) }
  for (const [key, value] of Object.entries(patch)) {
    if (key === DIRECTIVE || key === RETAIN_KEYS || value === undefined) continue
    if (key.startsWith(DELETE_PREFIX)) {
      deleteScalars(out, key.slice(DELETE_PREFIX.length), value)
    } else if (!key.startsWith(ORDER_PREFIX)) {
      const merged = mergeField(out, key, value, type?.fields.get(key))
      if (merged === undefined) delete out[key]
      else setOwn(out, key, merged)
    }
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ORDER_PREFIX)) continue
    const name = key.slice(ORDER_PREFIX.length)
    const list = at(out, name)
    const field = type?.fields.get(name)
    if (isList(list) && isList(order))
      setOwn(out, name, ordered(list, order, original, name, field))
    else if (!isList(order)) throw badRequest(`unable to parse the list of ${key}`)
  }
  return out
}

function mergeField(
  out: Draft,
  key: string,
  value: Json,
  field: Field | undefined,
): Json | undefined {
  if (value === null) return undefined
  const current = at(out, key)
  const inner = field === undefined ? undefined : structType(field.type)
  if (isObject(value)) {
    const isMapOfStructs = field?.shape === 'map'
    return mergeMap(
      isObject(current) ? current : undefined,
      value,
      isMapOfStructs ? undefined : inner,
    )
  }
  if (!isList(value) || field?.patchKey === undefined) {
    return isList(value)
      ? value.map((item) => (isObject(item) ? stripped(item, inner) : item))
      : value
  }
  const list = isList(current) ? current : []
  const merged =
    field.patchKey === ''
      ? mergeScalars(list, value)
      : mergeItems(list, value, field.patchKey, inner)
  // Without an order of its own, a patch orders what it names.
  return ordered(merged, value, out, key, field)
}

/** A value that is new here: the directives in it have nothing to act on. */
function stripped(value: JsonObject, type: StructType | undefined): JsonObject {
  return mergeMap(undefined, value, type) ?? {}
}

function mergeScalars(list: readonly Json[], patch: readonly Json[]): readonly Json[] {
  const out = [...list]
  for (const item of patch) if (!out.some((known) => sameJson(known, item))) out.push(item)
  return out
}

function mergeItems(
  list: readonly Json[],
  patch: readonly Json[],
  mergeKey: string,
  type: StructType | undefined,
): readonly Json[] {
  const entries = patch.map((entry) => {
    if (!isObject(entry))
      throw badRequest(`an item of a list that merges by ${mergeKey} is not an object`)
    return entry
  })
  const isReplace = entries.some(
    (entry) => entry[DIRECTIVE] === 'replace' && entry[mergeKey] === undefined,
  )
  const out: Json[] = isReplace ? [] : [...list]
  for (const entry of entries) {
    const isBareReplace = entry[DIRECTIVE] === 'replace' && entry[mergeKey] === undefined
    if (isBareReplace) continue
    const id = entry[mergeKey]
    if (id === undefined || id === null) {
      throw unexpected(
        `map: ${goText(entry).slice(0, 256)} does not contain declared merge key: ${mergeKey}`,
      )
    }
    const index = out.findIndex((item) => sameJson(at(item, mergeKey), id))
    if (entry[DIRECTIVE] === 'delete') {
      for (let i = out.length - 1; i >= 0; i--)
        if (sameJson(at(out[i], mergeKey), id)) out.splice(i, 1)
      continue
    }
    const known = index < 0 ? undefined : out[index]
    const merged = mergeMap(isObject(known) ? known : undefined, entry, type) ?? {}
    if (index >= 0) out[index] = merged
    else out.push(merged)
  }
  return out
}

function deleteScalars(out: Draft, key: string, values: Json): void {
  if (!isList(values)) throw badRequest(`unable to parse the list of ${DELETE_PREFIX}${key}`)
  const list = at(out, key)
  if (isList(list)) out[key] = list.filter((item) => !values.some((value) => sameJson(value, item)))
}

function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch[RETAIN_KEYS]
  if (keys === undefined) return original
  if (!isList(keys)) throw badRequest(`${RETAIN_KEYS} is not a list`)
  const named = new Set(keys.map(String))
  for (const key of Object.keys(patch)) {
    if (!key.startsWith('$') && !named.has(key) && patch[key] !== null) {
      throw badRequest(`${RETAIN_KEYS} directive lacks a key that the patch sets: ${key}`)
    }
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => named.has(key)))
}

/**
 * Puts a list into the order that the patch asks for. Items that the patch does not name (only the
 * server has them) keep their place behind the item that they followed.
 */
function ordered(
  list: readonly Json[],
  order: readonly Json[],
  original: JsonObject | undefined,
  name: string,
  field: Field | undefined,
): readonly Json[] {
  const mergeKey = field?.patchKey ?? ''
  const idOf = (item: Json): string =>
    JSON.stringify(mergeKey === '' ? item : (at(item, mergeKey) ?? null))
  const rank = new Map(order.map((item, index) => [idOf(item), index]))
  const before = at(original, name)
  const place = new Map((isList(before) ? before : []).map((item, index) => [idOf(item), index]))
  const named = list
    .filter((item) => rank.has(idOf(item)))
    .sort((a, b) => (rank.get(idOf(a)) ?? 0) - (rank.get(idOf(b)) ?? 0))
  const others = list.filter((item) => !rank.has(idOf(item)))
  const out: Json[] = []
  for (const item of named) {
    const itemPlace = place.get(idOf(item))
    while (
      itemPlace !== undefined &&
      others[0] !== undefined &&
      (place.get(idOf(others[0])) ?? Infinity) < itemPlace
    ) {
      out.push(others[0])
      others.shift()
    }
    out.push(item)
  }
  return [...out, ...others]
}

function omit(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))
}

/** A value as Go prints it. */
export function goText(value: Json | undefined): string {
  if (isList(value)) return `[${value.map(goText).join(' ')}]`
  if (!isObject(value)) return value === null || value === undefined ? '<nil>' : String(value)
  const fields = Object.keys(value).sort()
  return `map[${fields.map((key) => `${key}:${goText(value[key])}`).join(' ')}]`
}
