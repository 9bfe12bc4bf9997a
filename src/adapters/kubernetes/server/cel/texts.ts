import { formatted } from './format-text.ts'
import type { FunctionTable } from './functions.ts'
import { compiledPattern } from './patterns.ts'
import { CelError, type Value } from './values.ts'

/** The longest text that a function may make. */
const TEXT_CHARACTERS_MAX = 1_000_000

const points = (text: string): readonly string[] => [...text]

function charAt(text: string, index: bigint): string {
  const all = points(text)
  const at = Number(index)
  if (at < 0 || at > all.length) throw new CelError(`index out of range: ${index}`)
  return all[at] ?? ''
}

/** Where the character with this number begins. */
function unitOf(text: string, index: bigint): number {
  const all = points(text)
  if (index < 0n || index > BigInt(all.length)) throw new CelError(`index out of range: ${index}`)
  return all.slice(0, Number(index)).join('').length
}

/** The number of the character at a place; -1 for no place. */
function pointOf(text: string, unit: number): bigint {
  return unit < 0 ? -1n : sizeOf(text.slice(0, unit))
}

function indexOf(text: string, part: string, from = 0n): bigint {
  return pointOf(text, text.indexOf(part, unitOf(text, from)))
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  const start = from === undefined ? text.length : unitOf(text, from)
  return pointOf(text, text.lastIndexOf(part, start))
}

function substring(text: string, start: bigint, end?: bigint): string {
  const all = points(text)
  const to = end === undefined ? all.length : Number(end)
  if (start < 0n || Number(start) > all.length) throw new CelError(`index out of range: ${start}`)
  if (to < 0 || to > all.length) throw new CelError(`index out of range: ${to}`)
  if (Number(start) > to) throw new CelError(`invalid substring range. start: ${start}, end: ${to}`)
  return all.slice(Number(start), to).join('')
}

function replace(text: string, old: string, fresh: string, limit = -1n): string {
  const parts = old === '' ? ['', ...points(text), ''] : text.split(old)
  const count = limit < 0n ? parts.length - 1 : Math.min(Number(limit), parts.length - 1)
  const length = text.length + count * fresh.length
  if (length > TEXT_CHARACTERS_MAX) throw new CelError('the text is too long')
  const head = parts.slice(0, count + 1).join(fresh)
  const tail = parts.slice(count + 1)
  return tail.length === 0 ? head : [head, ...tail].join(old)
}

function split(text: string, separator: string, limit = -1n): readonly string[] {
  if (limit === 0n) return []
  const parts = separator === '' ? points(text) : text.split(separator)
  const max = Number(limit)
  if (max < 0 || parts.length <= max) return parts
  return [...parts.slice(0, max - 1), parts.slice(max - 1).join(separator)]
}

function ascii(pattern: RegExp, change: (text: string) => string): (text: string) => string {
  return (text) => text.replace(pattern, change)
}

function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '\u0007': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\\': '\\\\',
    '"': '\\"',
  }
  return `"${points(text)
    .map((character) => escapes[character] ?? character)
    .join('')}"`
}

function findAll(text: string, pattern: string, limit = -1n): readonly string[] {
  const matcher = compiledPattern(pattern).matcher(text)
  const found: string[] = []
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find())
    found.push(matcher.group() ?? '')
  return found
}

function find(text: string, pattern: string): string {
  return findAll(text, pattern, 1n)[0] ?? ''
}

function matches(text: string, pattern: string): boolean {
  return compiledPattern(pattern).matcher(text).find()
}

const lower = ascii(/[A-Z]+/g, (part) => part.toLowerCase())
const upper = ascii(/[a-z]+/g, (part) => part.toUpperCase())
const sizeOf = (text: string): bigint => BigInt(points(text).length)

/** Functions of texts and bytes. */
export const TEXT_FUNCTIONS: FunctionTable = {
  'size(string): int': sizeOf,
  'string.size(): int': sizeOf,
  'size(bytes): int': (value: Uint8Array) => BigInt(value.length),
  'bytes.size(): int': (value: Uint8Array) => BigInt(value.length),
  'string.contains(string): bool': (text: string, part: string) => text.includes(part),
  'string.startsWith(string): bool': (text: string, part: string) => text.startsWith(part),
  'string.endsWith(string): bool': (text: string, part: string) => text.endsWith(part),
  'string.matches(string): bool': matches,
  'matches(string, string): bool': matches,
  'string.find(string): string': find,
  'string.findAll(string): list<string>': findAll,
  'string.findAll(string, int): list<string>': findAll,
  'string.charAt(int): string': charAt,
  'string.indexOf(string): int': indexOf,
  'string.indexOf(string, int): int': indexOf,
  'string.lastIndexOf(string): int': lastIndexOf,
  'string.lastIndexOf(string, int): int': lastIndexOf,
  'string.substring(int): string': substring,
  'string.substring(int, int): string': substring,
  'string.replace(string, string): string': replace,
  'string.replace(string, string, int): string': replace,
  'string.split(string): list<string>': split,
  'string.split(string, int): list<string>': split,
  'string.lowerAscii(): string': lower,
  'string.upperAscii(): string': upper,
  'string.trim(): string': (text: string) => text.replace(/^\s+|\s+$/gu, ''),
  'string.format(list<dyn>): string': (text: string, values: readonly Value[]) =>
    formatted(text, values),
  ':strings.quote(string): string': quote,
  'list<string>.join(): string': (list: readonly string[]) => list.join(''),
  'list<string>.join(string): string': (list: readonly string[], separator: string) =>
    list.join(separator),
}
