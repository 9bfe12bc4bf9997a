import type { CelType, ScalarKind } from './types.ts'

/** A value while an expression is evaluated. Numbers are doubles; whole numbers are bigints. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | Special

/** A value of a type that neither JSON nor JavaScript has. */
export interface Special {
  readonly special: 'uint' | 'timestamp' | 'duration' | 'type' | 'optional' | 'opaque'
  /** The kind of an opaque value, or the name of a type. */
  readonly name?: string
  /** The number of a uint; nanoseconds of a duration, or since 1970 of a timestamp. */
  readonly amount?: bigint
  /** What is in an optional or an opaque value. */
  readonly inner?: unknown
}

/** A failure of an expression, in the words of cel-go. */
export class CelError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CelError'
  }
}

/** Nothing, as an optional value. */
export const NONE: Special = { special: 'optional' }

/** An optional value that is there. */
export function some(inner: Value): Special {
  return { special: 'optional', inner }
}

/** Whether an optional is there. */
export function isThere(optional: Special): boolean {
  return 'inner' in optional
}

/** A whole number without a sign. */
export function uint(amount: bigint): Special {
  if (amount < 0n || amount >= 1n << 64n) throw new CelError('unsigned integer overflow')
  return { special: 'uint', amount }
}

/** A whole number with a sign: 64 bits. */
export function int(amount: bigint): bigint {
  if (amount >= 1n << 63n || amount < -(1n << 63n)) throw new CelError('integer overflow')
  return amount
}

/** A value of a type that only functions of Kubernetes make and read. */
export function opaque(name: ScalarKind, inner: unknown): Special {
  return { special: 'opaque', name, inner }
}

/** Whether a value is of a type that JavaScript has not. */
export function isSpecial(value: Value): value is Special {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array)
  )
}

/** Whether a value is a list. */
export function isValueList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** Whether a value is a map, or an object. */
export function isValueMap(value: Value): value is ReadonlyMap<Value, Value> {
  return value instanceof Map
}

/** The type of a value, without that of its parts. */
export function kindOf(value: Value): ScalarKind | 'list' | 'map' | 'optional' {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'string':
      return 'string'
    default:
      break
  }
  if (value instanceof Uint8Array) return 'bytes'
  if (isValueList(value)) return 'list'
  if (isValueMap(value)) return 'map'
  const { special, name } = value as Special
  return special === 'opaque' ? (name as ScalarKind) : special
}

const OPEN_LIST: CelType = { kind: 'list', item: { kind: 'dyn' } }
const OPEN_MAP: CelType = { kind: 'map', key: { kind: 'dyn' }, value: { kind: 'dyn' } }
const OPEN_OPTIONAL: CelType = { kind: 'optional', of: { kind: 'dyn' } }

/** The type of a value, as overloads look at it. */
export function typeOf(value: Value): CelType {
  const kind = kindOf(value)
  if (kind === 'list') return OPEN_LIST
  if (kind === 'map') return OPEN_MAP
  return kind === 'optional' ? OPEN_OPTIONAL : { kind }
}

/** How the items of a list are told apart where their order does not count. */
export type ListIdentity =
  | { readonly type: 'set' }
  | { readonly type: 'map'; readonly keys: readonly string[] }

const identities = new WeakMap<object, ListIdentity>()

/** Says that the order of a list does not count (x-kubernetes-list-type). */
export function unordered(list: readonly Value[], identity: ListIdentity): readonly Value[] {
  identities.set(list, identity)
  return list
}

/** What was said of the order of a list. */
export function identityOf(list: readonly Value[]): ListIdentity | undefined {
  return identities.get(list)
}

const NUMERIC: ReadonlySet<string> = new Set(['int', 'uint', 'double'])

/** The number of a numeric value, for comparisons across types. */
function numberOf(value: Value): bigint | number {
  return isSpecial(value) ? (value.amount ?? 0n) : (value as bigint | number)
}

/** Whether two values are the same; numbers are compared whatever their type. */
export function sameValues(a: Value, b: Value): boolean {
  const kind = kindOf(a)
  const other = kindOf(b)
  if (NUMERIC.has(kind) && NUMERIC.has(other)) return eqNumbers(numberOf(a), numberOf(b))
  if (kind !== other) return false
  if (isValueList(a) && isValueList(b)) return sameLists(a, b)
  if (isValueMap(a) && isValueMap(b)) {
    if (a.size !== b.size) return false
    for (const [key, value] of a) {
      const found = lookUp(b, key)
      if (found === undefined || !sameValues(value, found)) return false
    }
    return true
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array)
    return a.length === b.length && a.every((byte, index) => byte === b[index])
  if (isSpecial(a) && isSpecial(b)) return sameSpecials(a, b)
  return a === b
}

function eqNumbers(a: bigint | number, b: bigint | number): boolean {
  // Between a bigint and a number, this compares their values.
  // biome-ignore lint/suspicious/noDoubleEquals: the two may be of different types.
  return a == b
}

/** How many comparisons two lists without an order may cost. */
const COMPARISONS_MAX = 1_000_000

function sameLists(a: readonly Value[], b: readonly Value[]): boolean {
  if (a.length !== b.length) return false
  if ((identityOf(a) ?? identityOf(b)) === undefined)
    return a.every((item, index) => sameValues(item, b[index] ?? null))
  if (a.length * b.length > COMPARISONS_MAX)
    throw new CelError('operation cancelled: actual cost limit exceeded')
  const left = [...b]
  return a.every((item) => {
    const index = left.findIndex((candidate) => sameValues(item, candidate))
    if (index >= 0) left.splice(index, 1)
    return index >= 0
  })
}

function sameSpecials(a: Special, b: Special): boolean {
  if (a.special === 'optional') {
    if (!isThere(a) || !isThere(b)) return isThere(a) === isThere(b)
    return sameValues(a.inner as Value, b.inner as Value)
  }
  if (a.special === 'opaque') return a.name === b.name && sameOpaque(a.inner, b.inner)
  return a.amount === b.amount && a.name === b.name
}

function sameOpaque(a: unknown, b: unknown): boolean {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))
  return text(a) === text(b)
}

/** What a map has under a key; whole numbers and doubles of the same value are the same key. */
export function lookUp(map: ReadonlyMap<Value, Value>, key: Value): Value | undefined {
  const direct = map.get(key)
  if (direct !== undefined) return direct
  if (!NUMERIC.has(kindOf(key))) return undefined
  for (const [known, value] of map) if (sameValues(known, key)) return value
  return undefined
}

/** Less than 0, 0, or more than 0; undefined where there is no order. */
export function compareValues(a: Value, b: Value): number | undefined {
  const kind = kindOf(a)
  const other = kindOf(b)
  if (NUMERIC.has(kind) && NUMERIC.has(other)) {
    const [left, right] = [numberOf(a), numberOf(b)]
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (kind !== other) return undefined
  if (typeof a === 'string' && typeof b === 'string') return Buffer.from(a).compare(Buffer.from(b))
  if (typeof a === 'boolean') return Number(a) - Number(b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.from(a).compare(b)
  if (isSpecial(a) && isSpecial(b) && a.amount !== undefined && b.amount !== undefined)
    return a.amount < b.amount ? -1 : a.amount > b.amount ? 1 : 0
  return undefined
}
