import { DocumentError } from '../errors.ts'

/** A value that a document can hold: JSON. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonMap

/** A JSON object. Keys beginning with `#` and `__proto__` are reserved. */
export interface JsonMap {
  readonly [key: string]: JsonValue | undefined
}

/** How deep a value may nest: deeper is refused, as it would exhaust the stack of some reader. */
export const DEPTH_MAX = 64

/** Half of a character: storing it would change it. */
const LONE_SURROGATE = /\p{Surrogate}/u

export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value of a key of a map itself, never of what every object has, such as `constructor`. */
export function own(map: JsonMap, key: string): JsonValue | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}

/** Keys that no value may have: ours, and the one that JavaScript objects treat apart. */
export function isReserved(key: string): boolean {
  return key.startsWith('#') || key === '__proto__'
}

/** Structural equality; a key whose value is undefined counts as absent. */
export function equalValues(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => equalValues(item, b[index]))
    )
  }
  if (!isMap(a) || !isMap(b)) return false
  // No list of keys is made: most of what is compared is the same, and large. No map inherits any.
  for (const key in a) if (!equalValues(a[key], own(b, key))) return false
  for (const key in b) if (b[key] !== undefined && own(a, key) === undefined) return false
  return true
}

/** Freezes a value through and through and returns it. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    if (Array.isArray(value)) for (const item of value) freeze(item)
    else for (const key in value) freeze(value[key])
  }
  return value
}

/** A copy of a value, free to be changed. */
export function copyValue(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => copyValue(item) ?? null)
  const map: Record<string, JsonValue | undefined> = {}
  for (const [key, item] of Object.entries(value)) map[key] = copyValue(item)
  return map
}

/** How large a value is. */
export interface ValueSize {
  /** How many maps, lists and scalars it is made of, itself included. */
  readonly values: number
  /** Its length as JSON text is at most this, in characters. */
  readonly charsMax: number
}

/** A character may take six in JSON text, and a value has quotes or brackets, a comma and a colon. */
const CHAR_CHARS_MAX = 6
const VALUE_CHARS_MAX = 6
/** As many as a number can take: sign, 17 digits, point and exponent. */
const NUMBER_CHARS_MAX = 25

/**
 * Checks that a document can hold `value`, and measures it.
 *
 * @throws DocumentError `VALUE_UNSUPPORTED` with the path: undefined inside a list, functions, bigints,
 * NaN and infinities, whole numbers past 2^53-1, text with lone surrogates, the key `__proto__` and keys
 * that begin with `#`, nesting past 64.
 */
export function checkValue(value: unknown): ValueSize {
  const walk: Walk = { path: [], values: 0, charsMax: 0 }
  check(value, walk)
  return walk
}

interface Walk {
  /** Where the walk is now. */
  readonly path: string[]
  values: number
  charsMax: number
}

function check(value: unknown, walk: Walk): void {
  const { path } = walk
  if (path.length > DEPTH_MAX) throw unsupported(path, `nested deeper than ${DEPTH_MAX} levels`)
  walk.values += 1
  walk.charsMax += VALUE_CHARS_MAX
  switch (typeof value) {
    case 'string':
      if (LONE_SURROGATE.test(value)) throw unsupported(path, 'not well-formed text')
      walk.charsMax += value.length * CHAR_CHARS_MAX
      return
    case 'boolean':
      return
    case 'number':
      checkNumber(value, path)
      walk.charsMax += NUMBER_CHARS_MAX
      return
    case 'object':
      if (value !== null) checkContainer(value, walk)
      return
    default:
      throw unsupported(path, `of type ${typeof value}; allowed are JSON values`)
  }
}

function checkNumber(value: number, path: readonly string[]): void {
  if (!Number.isFinite(value)) throw unsupported(path, 'not a finite number')
  if (Number.isInteger(value) && Math.abs(value) >= Number.MAX_SAFE_INTEGER) {
    throw unsupported(path, 'a whole number past 2^53-2; write it as a string')
  }
}

function checkContainer(value: object, walk: Walk): void {
  const { path } = walk
  if (Array.isArray(value)) {
    // By index: a hole is not skipped.
    for (let i = 0; i < value.length; i += 1) {
      path.push(String(i))
      check(value[i], walk)
      path.pop()
    }
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw unsupported(path, 'an instance of a class; allowed are plain objects')
  }
  const map = value as Readonly<Record<string, unknown>>
  for (const key in map) {
    const item = map[key]
    if (key.startsWith('#')) throw unsupported([...path, key], 'a reserved key: it begins with "#"')
    if (isReserved(key)) throw unsupported([...path, key], 'a reserved key')
    if (LONE_SURROGATE.test(key))
      throw unsupported(path, 'a map with a key that is not well-formed')
    if (item === undefined) continue
    walk.charsMax += key.length * CHAR_CHARS_MAX
    path.push(key)
    check(item, walk)
    path.pop()
  }
}

function unsupported(path: readonly string[], problem: string): DocumentError {
  const field = path.length === 0 ? '(root)' : path.join('.')
  return new DocumentError('VALUE_UNSUPPORTED', `the value at ${field} is ${problem}`, {
    path: field,
  })
}
