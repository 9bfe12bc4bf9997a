import { sortTexts } from '../../../../core/sort-texts.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { type Draft, isList, isObject, sameJson } from '../json.ts'

/**
 * A set of field paths, as metadata.managedFields holds them (FieldsV1).
 *
 * Path elements are `f:NAME` for a field, `k:{...}` for an item of a list by its keys, `v:VALUE`
 * for an item of a set. `self` says that the path that ends here is itself a member.
 */
export interface FieldSet {
  readonly self: boolean
  readonly children: ReadonlyMap<string, FieldSet>
}

/** The set without members. */
export const NO_FIELDS: FieldSet = { self: false, children: new Map() }

/** The set of one path: the one that ends here. */
export const SELF: FieldSet = { self: true, children: new Map() }

/** Sets nest as deep as objects; deeper ones from a client are cut. */
const DEPTH_MAX = 64

/** Whether a set has no members. */
export function isEmptySet(set: FieldSet): boolean {
  if (set.self) return false
  for (const child of set.children.values()) if (!isEmptySet(child)) return false
  return true
}

/** The paths that are in one of two sets. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a.children.size === 0 && !a.self) return b
  if (b.children.size === 0 && (a.self || !b.self)) return a
  const children = new Map(a.children)
  for (const [key, child] of b.children) {
    const known = children.get(key)
    children.set(key, known === undefined ? child : union(known, child))
  }
  return { self: a.self || b.self, children }
}

/** The paths of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.children.size === 0 && !(a.self && b.self)) return a
  return combine(a, b, (inA, inB) => inA && !inB, true)
}

/** The paths that are in both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, (inA, inB) => inA && inB, false)
}

function combine(
  a: FieldSet,
  b: FieldSet,
  member: (inA: boolean, inB: boolean) => boolean,
  keepsLone: boolean,
): FieldSet {
  const children = new Map<string, FieldSet>()
  for (const [key, child] of a.children) {
    const other = b.children.get(key)
    if (other === undefined) {
      if (keepsLone) children.set(key, child)
    } else {
      const both = combine(child, other, member, keepsLone)
      if (!isEmptySet(both)) children.set(key, both)
    }
  }
  return { self: member(a.self, b.self), children }
}

/** The paths whose fields are in an object: a map goes with the last that was in it. */
export function existingIn(set: FieldSet, value: Json | undefined): FieldSet {
  let children: Map<string, FieldSet> | undefined
  for (const [key, child] of set.children) {
    const below = elementOf(value, key)
    const left = below === undefined ? undefined : existingIn(child, below)
    if (left === child) continue
    children ??= new Map(set.children)
    if (left === undefined) children.delete(key)
    else children.set(key, left)
  }
  return children === undefined ? set : { self: set.self, children }
}

/** What a path element leads to: a field, or the item of a list that it names. */
function elementOf(value: Json | undefined, key: string): Json | undefined {
  if (key.startsWith('f:')) {
    const name = key.slice(2)
    return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  }
  if (!isList(value)) return undefined
  const wanted = namedBy(key)
  if (key.startsWith('v:')) return value.find((item) => sameJson(item, wanted ?? null))
  if (!isObject(wanted)) return undefined
  return value.find((item) => {
    if (!isObject(item)) return false
    for (const field in wanted) if (!sameJson(item[field] ?? null, wanted[field])) return false
    return true
  })
}

/** How many path elements are kept as they were read, and how long they are: objects of one kind name their items alike. */
const ELEMENTS_MAX = 1_024
const ELEMENT_CHARS_MAX = 128
const elements = new Map<string, Json | undefined>()

/** The value, or the keys of an item, that a path element names. */
function namedBy(key: string): Json | undefined {
  const known = elements.get(key)
  if (known !== undefined) return known
  const value = parse(key.slice(2))
  if (key.length > ELEMENT_CHARS_MAX) return value
  if (elements.size >= ELEMENTS_MAX) elements.clear()
  elements.set(key, value)
  return value
}

/** A set without one of its paths, but with those below it. */
export function withoutMember(set: FieldSet, key: string): FieldSet {
  const child = set.children.get(key)
  if (child?.self !== true) return set
  return { ...set, children: new Map(set.children).set(key, { ...child, self: false }) }
}

/** Whether two sets have the same members. */
export function sameSet(a: FieldSet, b: FieldSet): boolean {
  return isEmptySet(difference(a, b)) && isEmptySet(difference(b, a))
}

/** Every member as text, such as `.spec.containers[name="c"].image`. */
export function pathsOf(set: FieldSet, prefix = ''): readonly string[] {
  const inside = [...set.children].map(
    ([key, child]) => [prefix + elementText(key), child] as const,
  )
  // What is here comes before what is below.
  return [
    ...inside.filter(([, child]) => child.self).map(([path]) => path),
    ...inside.flatMap(([path, child]) => pathsOf(child, path)),
  ]
}

function elementText(key: string): string {
  const rest = key.slice(2)
  if (key.startsWith('f:')) return `.${rest}`
  if (key.startsWith('v:')) return `[=${rest}]`
  if (!key.startsWith('k:')) return `[${rest}]`
  const keys = parse(rest)
  if (!isObject(keys)) return `[${rest}]`
  return `[${Object.entries(keys)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}]`
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** What stands for a path that ends: most of what there is in the JSON form. */
const NOTHING: JsonObject = Object.freeze({})

/** The JSON form (FieldsV1). */
export function setToJson(set: FieldSet): JsonObject {
  if (set.children.size === 0) return NOTHING
  const out: Draft = {}
  if (set.self) out['.'] = NOTHING
  for (const key of sortTexts([...set.children.keys()])) {
    const child = set.children.get(key)
    if (child !== undefined && !isEmptySet(child)) out[key] = setToJson(child)
  }
  return out
}

/** Reads the JSON form; what is not in that form is left out. */
export function setFromJson(value: Json | undefined, depth = 0): FieldSet {
  if (!isObject(value) || depth > DEPTH_MAX) return NO_FIELDS
  const children = new Map<string, FieldSet>()
  for (const [key, child] of Object.entries(value)) {
    if (/^[fkvi]:/.test(key)) children.set(key, setFromJson(child, depth + 1))
  }
  const self = Object.hasOwn(value, '.') || (children.size === 0 && depth > 0)
  return { self, children }
}
