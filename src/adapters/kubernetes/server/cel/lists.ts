import type { FunctionTable } from './functions.ts'
import {
  CelError,
  compareValues,
  int,
  kindOf,
  type Special,
  sameValues,
  uint,
  type Value,
} from './values.ts'

/** How long a list may be that a function makes. */
const ITEMS_MAX = 100_000

type List = readonly Value[]
type ValueMap = ReadonlyMap<Value, Value>

function extreme(list: List, isBetter: (order: number) => boolean, name: string): Value {
  const [first, ...rest] = list
  if (first === undefined) throw new CelError(`${name} called on empty list`)
  return rest.reduce<Value>((best, item) => (isBetter(compared(item, best)) ? item : best), first)
}

function compared(a: Value, b: Value): number {
  const order = compareValues(a, b)
  if (order === undefined) throw new CelError('no such overload')
  return order
}

function sum(list: List): Value {
  const [first = 0n] = list
  switch (kindOf(first)) {
    case 'double':
      return list.reduce<number>((total, item) => total + Number(item), 0)
    case 'uint':
      return uint(
        list.reduce<bigint>((total, item) => total + ((item as Special).amount ?? 0n), 0n),
      )
    case 'duration': {
      const amount = list.reduce<bigint>(
        (total, item) => total + ((item as Special).amount ?? 0n),
        0n,
      )
      return { special: 'duration', amount }
    }
    default:
      return int(list.reduce<bigint>((total, item) => total + (item as bigint), 0n))
  }
}

function isSorted(list: List): boolean {
  return list.every((item, index) => index === 0 || compared(list[index - 1] ?? null, item) <= 0)
}

/** How many comparisons a function may make that compares each item with each other. */
const COMPARISONS_MAX = 1_000_000

function checkPairs(a: List, b: List): void {
  if (a.length * b.length > COMPARISONS_MAX)
    throw new CelError('operation cancelled: actual cost limit exceeded')
}

function distinct(list: List): List {
  checkPairs(list, list)
  const out: Value[] = []
  for (const item of list) if (!has(out, item)) out.push(item)
  return out
}

function has(list: List, item: Value): boolean {
  return list.some((known) => sameValues(known, item))
}

function isWithin(part: List, whole: List): boolean {
  checkPairs(part, whole)
  return part.every((item) => has(whole, item))
}

function slice(list: List, start: bigint, end: bigint): List {
  if (start < 0n || end < 0n)
    throw new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`)
  if (start > end)
    throw new CelError(
      `cannot slice(${start}, ${end}), start index must be less than or equal to end index`,
    )
  if (end > BigInt(list.length))
    throw new CelError(`cannot slice(${start}, ${end}), list is length ${list.length}`)
  return list.slice(Number(start), Number(end))
}

function flattened(list: List, depth = 1n): List {
  if (depth < 0n) throw new CelError('level must be non-negative')
  return list.flatMap((item) =>
    Array.isArray(item) && depth > 0n ? flattened(item as List, depth - 1n) : [item],
  )
}

function range(count: bigint): List {
  if (count > BigInt(ITEMS_MAX)) throw new CelError(`lists.range(${count}) is too long`)
  return Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index))
}

const position = (index: number): bigint => BigInt(index)
const at = (list: List, item: Value): bigint =>
  position(list.findIndex((known) => sameValues(known, item)))
const lastAt = (list: List, item: Value): bigint =>
  position(list.findLastIndex((known) => sameValues(known, item)))
const least = (list: List): Value => extreme(list, (order) => order < 0, 'min')
const most = (list: List): Value => extreme(list, (order) => order > 0, 'max')

/** Functions of lists and maps. */
export const LIST_FUNCTIONS: FunctionTable = {
  'size(list<A>): int': (list: List) => position(list.length),
  'list<A>.size(): int': (list: List) => position(list.length),
  'size(map<A, B>): int': (map: ValueMap) => position(map.size),
  'map<A, B>.size(): int': (map: ValueMap) => position(map.size),
  'list<A>.isSorted(): bool': isSorted,
  'list<A>.sum(): A': sum,
  'list<A>.min(): A': least,
  'list<A>.max(): A': most,
  'list<A>.indexOf(A): int': at,
  'list<A>.lastIndexOf(A): int': lastAt,
  'list<A>.distinct(): list<A>': distinct,
  'list<A>.reverse(): list<A>': (list: List) => [...list].reverse(),
  'list<A>.sort(): list<A>': (list: List) => [...list].sort(compared),
  'list<A>.slice(int, int): list<A>': slice,
  'list<dyn>.flatten(): list<dyn>': (list: List) => flattened(list),
  'list<dyn>.flatten(int): list<dyn>': flattened,
  ':lists.range(int): list<int>': range,
  ':sets.contains(list<A>, list<A>): bool': (list: List, wanted: List) => isWithin(wanted, list),
  ':sets.equivalent(list<A>, list<A>): bool': (a: List, b: List) =>
    isWithin(a, b) && isWithin(b, a),
  ':sets.intersects(list<A>, list<A>): bool': (a: List, b: List) => {
    checkPairs(a, b)
    return a.some((item) => has(b, item))
  },
}
