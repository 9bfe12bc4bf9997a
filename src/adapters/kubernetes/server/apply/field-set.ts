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
  /** Its JSON form, where it was read from that and would be written the same. */
  readonly json?: JsonObject
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

/** The paths that are in one of two sets. A first one that has them all is given back as it is. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a.children.size === 0 && !a.self) return b
  let children: Map<string, FieldSet> | undefined
  for (const [key, child] of b.children) {
    const known = a.children.get(key)
    const both = known === undefined ? child : union(known, child)
    if (both === known) continue
    children ??= new Map(a.children)
    children.set(key, both)
  }
  const self = a.self || b.self
  return children === undefined && self === a.self ? a : setOf(self, children ?? a.children)
}

/** The paths of `a` that are not in `b`. What loses none of them is given back as it is. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.children.size === 0 && !(a.self && b.self)) return a
  let children: Map<string, FieldSet> | undefined
  for (const [key, child] of a.children) {
    const other = b.children.get(key)
    const left = other === undefined ? child : difference(child, other)
    if (left === child) continue
    children ??= new Map(a.children)
    if (isEmptySet(left)) children.delete(key)
    else children.set(key, left)
  }
  const self = a.self && !b.self
  return children === undefined && self === a.self ? a : setOf(self, children ?? a.children)
}

/** The paths that are in both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a
  let children: Map<string, FieldSet> | undefined
  for (const [key, child] of a.children) {
    const other = b.children.get(key)
    const both = other === undefined ? NO_FIELDS : intersection(child, other)
    if (isEmptySet(both)) continue
    children ??= new Map()
    children.set(key, both)
  }
  return setOf(a.self && b.self, children)
}

/** A set of these children; the most frequent ones, those without any, exist once. */
function setOf(self: boolean, children: ReadonlyMap<string, FieldSet> | undefined): FieldSet {
  if (children !== undefined && children.size > 0) return { self, children }
  return self ? SELF : NO_FIELDS
}

/** The paths whose fields are in an object: a map goes with the last that was in it. */
export function existingIn(set: FieldSet, value: Json | undefined): FieldSet {
  let children: Map<string, FieldSet> | undefined
  const isIn = isList(value) && value.length > COMPARED_MAX ? membership(value) : undefined
  for (const [key, child] of set.children) {
    const below =
      isIn !== undefined && key.startsWith('v:') ? memberOf(key, isIn) : elementOf(value, key)
    const left = below === undefined ? undefined : existingIn(child, below)
    if (left === child) continue
    children ??= new Map(set.children)
    if (left === undefined) children.delete(key)
    else children.set(key, left)
  }
  return children === undefined ? set : { self: set.self, children }
}

/** A list of more items is not looked through again for each path element that names a member of it. */
const COMPARED_MAX = 16

function memberOf(key: string, isIn: (item: Json) => boolean): Json | undefined {
  const wanted = namedBy(key) ?? null
  return isIn(wanted) ? wanted : undefined
}

/** Tells what is in a list. Nearly always that is of texts, which are not compared one by one. */
export function membership(list: readonly Json[]): (item: Json) => boolean {
  const scalars = new Set(list)
  return (item) =>
    typeof item === 'object' && item !== null
      ? list.some((known) => sameJson(known, item))
      : scalars.has(item)
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
  return setOf(set.self, new Map(set.children).set(key, setOf(false, child.children)))
}

/** Whether two sets have the same members. */
export function sameSet(a: FieldSet, b: FieldSet): boolean {
  return a === b || (hasAll(a, b) && hasAll(b, a))
}

/** Whether all members of `b` are in `a`. */
function hasAll(a: FieldSet, b: FieldSet): boolean {
  if (b.self && !a.self) return false
  for (const [key, child] of b.children) {
    const other = a.children.get(key)
    if (other === undefined ? !isEmptySet(child) : !hasAll(other, child)) return false
  }
  return true
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
  if (set.json !== undefined) return set.json
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
  let children: Map<string, FieldSet> | undefined
  let before = ''
  let isOurs = true
  for (const key of Object.keys(value)) {
    const item = value[key]
    isOurs &&= key > before
    before = key
    if (!isElement(key)) {
      isOurs &&= key === '.' && isNothing(item)
      continue
    }
    const child = setFromJson(item, depth + 1)
    isOurs &&= child.json !== undefined || (child === SELF && isNothing(item))
    children ??= new Map()
    children.set(key, child)
  }
  const self = Object.hasOwn(value, '.') || (children === undefined && depth > 0)
  return isOurs && children !== undefined ? { self, children, json: value } : setOf(self, children)
}

/** Whether this is what stands for a path that ends. */
function isNothing(value: Json | undefined): boolean {
  if (!isObject(value)) return false
  for (const _ in value) return false
  return true
}

/** Whether a key begins as a path element does: with one of these letters and a colon. */
function isElement(key: string): boolean {
  return key[1] === ':' && 'fkvi'.includes(key[0] ?? ' ')
}
