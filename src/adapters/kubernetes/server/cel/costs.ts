import { isSpecial, isValueList, isValueMap, type Value } from './values.ts'

// What calls cost beside the step that each of them is. Functions may look through all that they are
// given, and some of them at each part for each other: a budget that counted calls alone would let an
// expression of a hundred calls run for minutes.

/** How many characters or items one step looks through. */
const WEIGHT_DIVISOR = 10

/** What Kubernetes takes for a question to an authorizer. */
const CHECK_STEPS = 350_000

/** How many characters of a pattern cost as much as one more pass over the text. */
const PATTERN_DIVISOR = 4

type Cost = (values: readonly Value[]) => number

/** Nothing is counted beyond it: no budget is larger. */
const PARTS_MAX = 10_000_000

/** How many values there are in a value, it included. */
function partsOf(value: Value): number {
  let count = 0
  const waiting: Value[] = [value]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    count += 1 + lengthOf(next) / WEIGHT_DIVISOR
    if (count > PARTS_MAX) break
    if (isValueList(next)) for (const item of next) waiting.push(item)
    else if (isValueMap(next)) for (const item of next.values()) waiting.push(item)
    else if (isSpecial(next) && next.special === 'optional')
      waiting.push((next.inner ?? null) as Value)
  }
  return count
}

function lengthOf(value: Value | undefined): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}

function itemsOf(value: Value | undefined): number {
  return value !== undefined && isValueList(value) ? value.length : 0
}

const hasParts = (value: Value | undefined): boolean =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array)

/** Two values are compared part by part. */
const comparison: Cost = ([left, right]) =>
  hasParts(left) && hasParts(right) ? partsOf(left ?? null) : plain([left ?? null, right ?? null])

/** One value is compared with each of a list. */
const search: Cost = ([list, item]) =>
  list !== undefined && isValueList(list) && hasParts(item) ? partsOf(list) : plain([list ?? null])

/** Each value of a list is compared with each of another. */
const pairs: Cost = ([left, right = left]) => {
  const parts = [left, right].map((list) => partsOf(list ?? null) / Math.max(1, itemsOf(list)))
  return itemsOf(left) * itemsOf(right) * Math.min(...parts)
}

/** All parts of the values become part of a text, one that is there twice too. */
const writing: Cost = (values) => values.reduce<number>((sum, value) => sum + partsOf(value), 0)

/** A text is looked through once for each part of a pattern. */
const pattern: Cost = ([text, source]) =>
  Math.ceil(lengthOf(text) / WEIGHT_DIVISOR) * Math.ceil(lengthOf(source) / PATTERN_DIVISOR)

const COSTS: Readonly<Record<string, Cost>> = {
  '_==_': comparison,
  '_!=_': comparison,
  '@in': ([item, list]) => search([list ?? null, item ?? null]),
  indexOf: search,
  lastIndexOf: search,
  distinct: pairs,
  'sets.contains': pairs,
  'sets.equivalent': pairs,
  'sets.intersects': pairs,
  matches: pattern,
  find: pattern,
  findAll: pattern,
  check: () => CHECK_STEPS,
  format: writing,
  join: writing,
}

/** What a call of a function costs, in steps. */
export function costOf(name: string, values: readonly Value[]): number {
  const cost = Object.hasOwn(COSTS, name) ? COSTS[name] : undefined
  return Math.floor((cost ?? plain)(values))
}

/** Most functions look at each character or item that they are given. */
function plain(values: readonly Value[]): number {
  let weight = 0
  for (const value of values) {
    if (isValueMap(value)) weight += value.size
    else weight += Math.floor((lengthOf(value) + itemsOf(value)) / WEIGHT_DIVISOR)
  }
  return weight
}
