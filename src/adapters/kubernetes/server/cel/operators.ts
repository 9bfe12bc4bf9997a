import type { FunctionTable } from './functions.ts'
import { durationText, parseDuration, parseTimestamp, timestampText } from './times.ts'
import {
  CelError,
  compareValues,
  identityOf,
  int,
  isThere,
  kindOf,
  lookUp,
  NONE,
  type Special,
  sameValues,
  some,
  uint,
  unordered,
  type Value,
} from './values.ts'

function ordered(check: (order: number) => boolean): (a: Value, b: Value) => boolean {
  return (a, b) => {
    const order = compareValues(a, b)
    if (order === undefined) throw new CelError('no such overload')
    return check(order)
  }
}

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  '_<_': (order) => order < 0,
  '_<=_': (order) => order <= 0,
  '_>_': (order) => order > 0,
  '_>=_': (order) => order >= 0,
}

const NUMBERS = ['int', 'uint', 'double'] as const
const ORDERED = ['bool', 'string', 'bytes', 'timestamp', 'duration'] as const

/** Each comparison of numbers of any two types, and of two other values of one type. */
function comparisonTable(): FunctionTable {
  const pairs = [
    ...NUMBERS.flatMap((a) => NUMBERS.map((b) => [a, b] as const)),
    ...ORDERED.map((type) => [type, type] as const),
  ]
  return Object.fromEntries(
    Object.entries(COMPARISONS).flatMap(([name, check]) =>
      pairs.map(([a, b]) => [`${name}(${a}, ${b}): bool`, ordered(check)] as const),
    ),
  )
}

const amountOf = (value: Special): bigint => value.amount ?? 0n

function timed(special: 'timestamp' | 'duration', amount: bigint): Special {
  return { special, amount }
}

function divided(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new CelError('division by zero')
  return a / b
}

function rest(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new CelError('modulus by zero')
  return a % b
}

/** Two lists behind one another; of lists in which order does not count, a union. */
function joined(a: readonly Value[], b: readonly Value[]): readonly Value[] {
  const identity = identityOf(a)
  if (identity === undefined) return [...a, ...b]
  const same = (left: Value, right: Value): boolean =>
    identity.type === 'set'
      ? sameValues(left, right)
      : identity.keys.every((key) => sameValues(fieldOf(left, key), fieldOf(right, key)))
  const kept = a.map((item) =>
    identity.type === 'set' ? item : (b.find((other) => same(item, other)) ?? item),
  )
  const added = b.filter((item) => !a.some((known) => same(known, item)))
  return unordered([...kept, ...added], identity)
}

function fieldOf(value: Value, key: string): Value {
  return value instanceof Map ? (lookUp(value, key) ?? null) : null
}

function isIn(item: Value, list: readonly Value[]): boolean {
  return list.some((known) => sameValues(known, item))
}

/** The operators. */
export const OPERATOR_FUNCTIONS: FunctionTable = {
  ...comparisonTable(),
  '!_(bool): bool': (a: boolean) => !a,
  '-_(int): int': (a: bigint) => int(-a),
  '-_(double): double': (a: number) => -a,
  '_==_(A, A): bool': (a: Value, b: Value) => sameValues(a, b),
  '_!=_(A, A): bool': (a: Value, b: Value) => !sameValues(a, b),
  '_+_(int, int): int': (a: bigint, b: bigint) => int(a + b),
  '_+_(uint, uint): uint': (a: Special, b: Special) => uint(amountOf(a) + amountOf(b)),
  '_+_(double, double): double': (a: number, b: number) => a + b,
  '_+_(string, string): string': (a: string, b: string) => a + b,
  '_+_(bytes, bytes): bytes': (a: Uint8Array, b: Uint8Array) =>
    new Uint8Array(Buffer.concat([a, b])),
  '_+_(list<A>, list<A>): list<A>': joined,
  '_+_(timestamp, duration): timestamp': (a: Special, b: Special) =>
    timed('timestamp', amountOf(a) + amountOf(b)),
  '_+_(duration, timestamp): timestamp': (a: Special, b: Special) =>
    timed('timestamp', amountOf(a) + amountOf(b)),
  '_+_(duration, duration): duration': (a: Special, b: Special) =>
    timed('duration', amountOf(a) + amountOf(b)),
  '_-_(int, int): int': (a: bigint, b: bigint) => int(a - b),
  '_-_(uint, uint): uint': (a: Special, b: Special) => uint(amountOf(a) - amountOf(b)),
  '_-_(double, double): double': (a: number, b: number) => a - b,
  '_-_(timestamp, timestamp): duration': (a: Special, b: Special) =>
    timed('duration', amountOf(a) - amountOf(b)),
  '_-_(timestamp, duration): timestamp': (a: Special, b: Special) =>
    timed('timestamp', amountOf(a) - amountOf(b)),
  '_-_(duration, duration): duration': (a: Special, b: Special) =>
    timed('duration', amountOf(a) - amountOf(b)),
  '_*_(int, int): int': (a: bigint, b: bigint) => int(a * b),
  '_*_(uint, uint): uint': (a: Special, b: Special) => uint(amountOf(a) * amountOf(b)),
  '_*_(double, double): double': (a: number, b: number) => a * b,
  '_/_(int, int): int': (a: bigint, b: bigint) => int(divided(a, b)),
  '_/_(uint, uint): uint': (a: Special, b: Special) => uint(divided(amountOf(a), amountOf(b))),
  '_/_(double, double): double': (a: number, b: number) => a / b,
  '_%_(int, int): int': (a: bigint, b: bigint) => rest(a, b),
  '_%_(uint, uint): uint': (a: Special, b: Special) => uint(rest(amountOf(a), amountOf(b))),
  '@in(A, list<A>): bool': isIn,
  '@in(A, map<A, B>): bool': (key: Value, map: ReadonlyMap<Value, Value>) =>
    lookUp(map, key) !== undefined,
}

function toInt(value: number): bigint {
  if (!Number.isFinite(value)) throw new CelError('integer overflow')
  return int(BigInt(Math.trunc(value)))
}

function parseInteger(text: string): bigint {
  if (!/^[-+]?\d+$/.test(text))
    throw new CelError(`strconv.ParseInt: parsing "${text}": invalid syntax`)
  return int(BigInt(text.replace(/^\+/, '')))
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value))
    throw new CelError(`strconv.ParseFloat: parsing "${text}": invalid syntax`)
  return value
}

function parseBool(text: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false
  throw new CelError(`strconv.ParseBool: parsing "${text}": invalid syntax`)
}

const same = (value: Value): Value => value

/** What `type()` gives for each kind of value. */
function typeValue(value: Value): Special {
  const kind = kindOf(value)
  return { special: 'type', name: kind === 'null' ? 'null_type' : kind }
}

/** Conversions between types, and optional values. */
export const CONVERSIONS: FunctionTable = {
  'dyn(A): dyn': same,
  'type(A): type': typeValue,
  'int(int): int': same,
  'int(uint): int': (value: Special) => int(amountOf(value)),
  'int(double): int': toInt,
  'int(string): int': parseInteger,
  'int(timestamp): int': (value: Special) => amountOf(value) / 1_000_000_000n,
  'uint(uint): uint': same,
  'uint(int): uint': (value: bigint) => uint(value),
  'uint(double): uint': (value: number) => uint(toInt(value)),
  'uint(string): uint': (value: string) => uint(parseInteger(value)),
  'double(double): double': same,
  'double(int): double': (value: bigint) => Number(value),
  'double(uint): double': (value: Special) => Number(amountOf(value)),
  'double(string): double': parseNumber,
  'bool(bool): bool': same,
  'bool(string): bool': parseBool,
  'string(string): string': same,
  'string(bool): string': String,
  'string(int): string': String,
  'string(uint): string': (value: Special) => String(amountOf(value)),
  'string(double): string': String,
  'string(bytes): string': (value: Uint8Array) => new TextDecoder().decode(value),
  'string(timestamp): string': timestampText,
  'string(duration): string': durationText,
  'bytes(bytes): bytes': same,
  'bytes(string): bytes': (value: string) => new TextEncoder().encode(value),
  'timestamp(timestamp): timestamp': same,
  'timestamp(int): timestamp': (value: bigint) => timed('timestamp', value * 1_000_000_000n),
  'timestamp(string): timestamp': parseTimestamp,
  'duration(duration): duration': same,
  'duration(string): duration': parseDuration,
  ':optional.of(A): optional<A>': (value: Value) => some(value),
  ':optional.none(): optional<dyn>': () => NONE,
  ':optional.ofNonZeroValue(A): optional<A>': (value: Value) =>
    isZero(value) ? NONE : some(value),
  'optional<A>.hasValue(): bool': isThere,
  'optional<A>.value(): A': (optional: Special) => {
    if (!isThere(optional)) throw new CelError('optional.none() dereference')
    return optional.inner as Value
  },
  'optional<A>.orValue(A): A': (optional: Special, other: Value) =>
    isThere(optional) ? (optional.inner as Value) : other,
  'optional<A>.or(optional<A>): optional<A>': (optional: Special, other: Special) =>
    isThere(optional) ? optional : other,
}

function isZero(value: Value): boolean {
  if (value instanceof Map) return value.size === 0
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length === 0
  if (Array.isArray(value)) return value.length === 0
  return value === null || value === false || value === 0 || value === 0n
}
