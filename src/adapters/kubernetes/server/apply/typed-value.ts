import type { Json, JsonObject } from '../../objects/types.ts'
import { at, type Draft, isList, isObject, sameJson, setOwn } from '../json.ts'
import { type Field, fieldIn, type StructType, structOf } from '../schema/schema.ts'
import { difference, type FieldSet, isEmptySet, membership, NO_FIELDS, SELF } from './field-set.ts'

/** Values that stand for an absent list key (the schema defaults of merge keys). */
const KEY_DEFAULTS: Readonly<Record<string, Json>> = { protocol: 'TCP' }

/** What a field holds that says nothing and is there all the same. */
const ZEROS: Readonly<Record<string, Json>> = { string: '', bool: false, int32: 0, int64: 0 }

/** How a value divides into owned paths. */
type Shape =
  | { readonly type: 'leaf' }
  | { readonly type: 'struct'; readonly struct: StructType }
  | { readonly type: 'map' }
  | { readonly type: 'set' }
  | {
      readonly type: 'items'
      readonly keys: readonly string[]
      readonly struct: StructType
      readonly defaults: Readonly<Record<string, Json>>
    }

const LEAF: Shape = { type: 'leaf' }

function shapeOf(field: Field | undefined, value: Json | undefined): Shape {
  if (field === undefined || field.atomic) return LEAF
  const struct = structOf(field)
  if (field.shape === 'list') {
    if (field.set) return { type: 'set' }
    return field.listKeys !== undefined && struct !== undefined
      ? {
          type: 'items',
          keys: field.listKeys,
          struct,
          defaults: field.keyDefaults ?? KEY_DEFAULTS,
        }
      : LEAF
  }
  if (!isObject(value)) return LEAF
  if (field.shape === 'map') return { type: 'map' }
  return struct === undefined || struct.atomic ? LEAF : { type: 'struct', struct }
}

function itemKey(item: Json, { keys, defaults }: Extract<Shape, { type: 'items' }>): string {
  const named: Draft = {}
  for (const key of [...keys].sort()) {
    const value = at(item, key) ?? defaults[key]
    if (value !== undefined) setOwn(named, key, value)
  }
  return `k:${JSON.stringify(named)}`
}

/** The paths that a whole object sets. */
export function fieldsOf(type: StructType, value: JsonObject): FieldSet {
  return structFields(type, value, (field, item) => valueFields(field, item))
}

function structFields(
  type: StructType,
  value: JsonObject,
  read: (field: Field | undefined, item: Json) => FieldSet,
): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const key of Object.keys(value)) {
    const item = value[key]
    if (item === undefined) continue
    const fields = read(fieldIn(type, key), item)
    if (!isEmptySet(fields)) children.set(`f:${key}`, fields)
  }
  return { self: false, children }
}

/**
 * @param isNew whether composites count as members themselves, because they did not exist before.
 */
function valueFields(field: Field | undefined, value: Json, isNew = false): FieldSet {
  const shape = shapeOf(field, value)
  switch (shape.type) {
    case 'leaf':
      return SELF
    case 'struct': {
      if (!isObject(value) || Object.keys(value).length === 0) return SELF
      const { children } = structFields(shape.struct, value, (inner, item) =>
        valueFields(inner, item, isNew),
      )
      return { self: isNew, children }
    }
    case 'map': {
      const keys = isObject(value) ? Object.keys(value) : []
      return keys.length === 0
        ? SELF
        : { self: isNew, children: new Map(keys.map((key) => [`f:${key}`, SELF])) }
    }
    case 'set': {
      const items = isList(value) ? value : []
      return {
        self: isNew,
        children: new Map(items.map((item) => [`v:${JSON.stringify(item)}`, SELF])),
      }
    }
    case 'items': {
      const items = isList(value) ? value : []
      const children = new Map(
        items.map((item) => [itemKey(item, shape), itemFields(shape.struct, item, isNew)]),
      )
      return { self: isNew, children }
    }
  }
}

function itemFields(struct: StructType, item: Json, isNew: boolean): FieldSet {
  if (!isObject(item) || struct.atomic) return SELF
  return {
    self: true,
    children: structFields(struct, item, (field, value) => valueFields(field, value, isNew))
      .children,
  }
}

/**
 * What Go writes for an object of this type in which nothing is set: the structs that are always
 * there.
 */
export function emptyObject(type: StructType): JsonObject {
  const out: Draft = {}
  for (const field of type.fields.values()) {
    const struct = structOf(field)
    if (field.shape === 'one' && struct !== undefined && !field.pointer)
      out[field.name] = emptyObject(struct)
    else if (field.shape === 'list' && !field.omitEmpty) out[field.name] = []
    else if (field.shape === 'one' && !field.pointer && !field.omitEmpty) {
      const zero = ZEROS[field.type]
      if (zero !== undefined) out[field.name] = zero
    }
  }
  return out
}

/** The paths that `before` sets and `after` does not. */
export function lostFields(type: StructType, before: JsonObject, after: JsonObject): FieldSet {
  // Nothing is lost where nothing changed, and that is most of an object.
  const apart = (one: JsonObject, other: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(one).filter(([key, value]) => value !== at(other, key)))
  const had = fieldsOf(type, apart(before, after))
  return isEmptySet(had) ? NO_FIELDS : difference(had, fieldsOf(type, apart(after, before)))
}

/** The paths whose value is new or another in `after`. */
export function changedFields(type: StructType, before: JsonObject, after: JsonObject): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const key of Object.keys(after)) {
    const value = after[key]
    if (value === undefined) continue
    const changed = changedValue(fieldIn(type, key), at(before, key), value)
    if (!isEmptySet(changed)) children.set(`f:${key}`, changed)
  }
  return { self: false, children }
}

function changedValue(field: Field | undefined, before: Json | undefined, after: Json): FieldSet {
  if (before === undefined) return valueFields(field, after, true)
  if (sameJson(before, after)) return NO_FIELDS
  const shape = shapeOf(field, after)
  switch (shape.type) {
    case 'leaf':
      return SELF
    case 'struct':
      return isObject(before) && isObject(after)
        ? changedFields(shape.struct, before, after)
        : valueFields(field, after, true)
    case 'map': {
      if (!isObject(before) || !isObject(after)) return valueFields(field, after, true)
      const keys = Object.keys(after).filter((key) => !sameJson(at(before, key), after[key]))
      return { self: false, children: new Map(keys.map((key) => [`f:${key}`, SELF])) }
    }
    case 'set': {
      const isKnown = membership(isList(before) ? before : [])
      const added = isList(after) ? after.filter((item) => !isKnown(item)) : []
      return {
        self: false,
        children: new Map(added.map((item) => [`v:${JSON.stringify(item)}`, SELF])),
      }
    }
    case 'items': {
      const known = new Map(
        (isList(before) ? before : []).map((item) => [itemKey(item, shape), item]),
      )
      const children = new Map<string, FieldSet>()
      for (const item of isList(after) ? after : []) {
        const key = itemKey(item, shape)
        const old = known.get(key)
        const changed =
          isObject(old) && isObject(item) && !shape.struct.atomic
            ? changedFields(shape.struct, old, item)
            : sameJson(old, item)
              ? NO_FIELDS
              : itemFields(shape.struct, item, true)
        if (!isEmptySet(changed)) children.set(key, changed)
      }
      return { self: false, children }
    }
  }
}

/**
 * Lays one configuration over a live object: fields win, lists with keys merge, other lists are
 * replaced.
 */
export function mergeTyped(type: StructType, live: JsonObject, config: JsonObject): JsonObject {
  const out: Draft = { ...live }
  for (const [key, value] of Object.entries(config)) {
    if (value !== undefined) setOwn(out, key, mergeValue(fieldIn(type, key), at(live, key), value))
  }
  return out
}

function mergeValue(field: Field | undefined, live: Json | undefined, config: Json): Json {
  const shape = shapeOf(field, config)
  switch (shape.type) {
    case 'leaf':
      return config
    case 'struct':
      return isObject(live) && isObject(config) ? mergeTyped(shape.struct, live, config) : config
    case 'map':
      return isObject(live) && isObject(config) ? { ...live, ...config } : config
    case 'set': {
      const known = isList(live) ? live : []
      const isKnown = membership(known)
      return [...known, ...(isList(config) ? config.filter((item) => !isKnown(item)) : [])]
    }
    case 'items': {
      const out = isList(live) ? [...live] : []
      // The first item of a key is the one that is meant.
      const places = new Map(
        out.map((item, index) => [itemKey(item, shape), index] as const).reverse(),
      )
      for (const item of isList(config) ? config : []) {
        const key = itemKey(item, shape)
        const index = places.get(key)
        const old = index === undefined ? undefined : out[index]
        if (index === undefined) places.set(key, out.push(item) - 1)
        else if (shape.struct.atomic) out[index] = item
        else if (isObject(old) && isObject(item)) out[index] = mergeTyped(shape.struct, old, item)
      }
      return out
    }
  }
}

/**
 * Removes what is in `last` and not in `kept`: what a manager applied before, and nobody owns now.
 */
export function withoutFields(
  type: StructType,
  value: JsonObject,
  last: FieldSet,
  kept: FieldSet,
): JsonObject {
  const out: Draft = { ...value }
  for (const [element, lost] of last.children) {
    const key = element.slice(2)
    const current = at(value, key)
    if (!element.startsWith('f:') || current === undefined) continue
    const keptHere = kept.children.get(element) ?? NO_FIELDS
    if (isEmptySet(keptHere)) delete out[key]
    else setOwn(out, key, withoutValue(fieldIn(type, key), current, lost, keptHere))
  }
  return out
}

function withoutValue(field: Field | undefined, value: Json, last: FieldSet, kept: FieldSet): Json {
  const shape = shapeOf(field, value)
  const isLost = (element: string): boolean => {
    const was = last.children.get(element)
    return was?.self === true && isEmptySet(kept.children.get(element) ?? NO_FIELDS)
  }
  if (shape.type === 'struct' && isObject(value))
    return withoutFields(shape.struct, value, last, kept)
  if (shape.type === 'map' && isObject(value)) {
    return Object.fromEntries(Object.entries(value).filter(([key]) => !isLost(`f:${key}`)))
  }
  if (shape.type === 'set' && isList(value))
    return value.filter((item) => !isLost(`v:${JSON.stringify(item)}`))
  if (shape.type !== 'items' || !isList(value)) return value
  return value.flatMap((item) => {
    const key = itemKey(item, shape)
    if (isLost(key)) return []
    const was = last.children.get(key)
    if (was === undefined || !isObject(item)) return [item]
    return [withoutFields(shape.struct, item, was, kept.children.get(key) ?? NO_FIELDS)]
  })
}
