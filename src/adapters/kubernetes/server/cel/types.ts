/** The type of a value of CEL, as far as it is known before the value is. */
export type CelType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'list'; readonly item: CelType }
  | { readonly kind: 'map'; readonly key: CelType; readonly value: CelType }
  /** Fields by the names that expressions use. */
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, CelType> }
  | { readonly kind: 'optional'; readonly of: CelType }
  /** Stands for any type in a signature, the same one wherever the name is the same. */
  | { readonly kind: 'parameter'; readonly name: string }

/** The types without parts: those of CEL, and those that Kubernetes adds. */
export type ScalarKind =
  | 'authorizer'
  | 'bool'
  | 'bytes'
  | 'cidr'
  | 'decision'
  | 'double'
  | 'duration'
  | 'dyn'
  | 'format'
  | 'groupcheck'
  | 'int'
  | 'ip'
  | 'null'
  | 'pathcheck'
  | 'quantity'
  | 'resourcecheck'
  | 'semver'
  | 'string'
  | 'timestamp'
  | 'type'
  | 'uint'
  | 'url'

/** Known only when the value is. */
export const DYN: CelType = { kind: 'dyn' }
/** True or false. */
export const BOOL: CelType = { kind: 'bool' }
/** Text. */
export const STRING: CelType = { kind: 'string' }
/** A whole number of 64 bits. */
export const INT: CelType = { kind: 'int' }

/** How messages write the types of Kubernetes. */
const LONG_NAMES: Readonly<Record<string, string>> = {
  authorizer: 'kubernetes.authorization.Authorizer',
  cidr: 'net.CIDR',
  decision: 'kubernetes.authorization.Decision',
  duration: 'google.protobuf.Duration',
  format: 'kubernetes.NamedFormat',
  groupcheck: 'kubernetes.authorization.GroupCheck',
  ip: 'net.IP',
  null: 'null',
  pathcheck: 'kubernetes.authorization.PathCheck',
  quantity: 'kubernetes.Quantity',
  resourcecheck: 'kubernetes.authorization.ResourceCheck',
  semver: 'kubernetes.Semver',
  timestamp: 'google.protobuf.Timestamp',
  url: 'kubernetes.URL',
}

/** A type as messages of cel-go write it: `list(string)`. */
export function typeText(type: CelType): string {
  switch (type.kind) {
    case 'list':
      return `list(${typeText(type.item)})`
    case 'map':
      return `map(${typeText(type.key)}, ${typeText(type.value)})`
    case 'optional':
      return `optional_type(${typeText(type.of)})`
    case 'parameter':
      return type.name
    default:
      return LONG_NAMES[type.kind] ?? type.kind
  }
}

/** What parameters of a signature stand for in one call. */
export type Bindings = Map<string, CelType>

/** Whether a value of this type may stand where a signature wants `wanted`. */
export function fits(wanted: CelType, given: CelType, bindings: Bindings): boolean {
  if (wanted.kind === 'dyn' || given.kind === 'dyn') {
    if (wanted.kind === 'parameter' && !bindings.has(wanted.name)) bindings.set(wanted.name, DYN)
    return true
  }
  if (wanted.kind === 'parameter') {
    const bound = bindings.get(wanted.name)
    if (bound === undefined) {
      bindings.set(wanted.name, given)
      return true
    }
    const common = unified(bound, given)
    if (common !== undefined) bindings.set(wanted.name, common)
    return common !== undefined
  }
  if (wanted.kind === 'list' && given.kind === 'list')
    return fits(wanted.item, given.item, bindings)
  if (wanted.kind === 'optional' && given.kind === 'optional')
    return fits(wanted.of, given.of, bindings)
  if (wanted.kind === 'map' && given.kind === 'map')
    return fits(wanted.key, given.key, bindings) && fits(wanted.value, given.value, bindings)
  if (wanted.kind === 'object') return wanted === given
  return wanted.kind === given.kind
}

/** The type of what is of one of two types; undefined when they have nothing in common. */
export function unified(a: CelType, b: CelType): CelType | undefined {
  if (a === b) return a
  if (a.kind === 'dyn' || b.kind === 'dyn') return DYN
  // Whether a field may be null is not part of its type here.
  if (a.kind === 'null') return b
  if (b.kind === 'null') return a
  if (a.kind === 'list' && b.kind === 'list') {
    const item = unified(a.item, b.item)
    return item === undefined ? undefined : { kind: 'list', item }
  }
  if (a.kind === 'optional' && b.kind === 'optional') {
    const of = unified(a.of, b.of)
    return of === undefined ? undefined : { kind: 'optional', of }
  }
  if (a.kind === 'map' && b.kind === 'map') {
    const key = unified(a.key, b.key)
    const value = unified(a.value, b.value)
    return key === undefined || value === undefined ? undefined : { kind: 'map', key, value }
  }
  if (a.kind === 'object' || b.kind === 'object' || a.kind === 'parameter') return undefined
  return a.kind === b.kind ? a : undefined
}

/** A type of a signature with what its parameters stand for. */
export function resolved(type: CelType, bindings: Bindings): CelType {
  switch (type.kind) {
    case 'parameter':
      return bindings.get(type.name) ?? DYN
    case 'list':
      return { kind: 'list', item: resolved(type.item, bindings) }
    case 'optional':
      return { kind: 'optional', of: resolved(type.of, bindings) }
    case 'map':
      return {
        kind: 'map',
        key: resolved(type.key, bindings),
        value: resolved(type.value, bindings),
      }
    default:
      return type
  }
}

/** Reads a type as signatures write it: `list<T>`, `map<K, V>`, `optional<T>`; capitals are parameters. */
export function parseType(text: string): CelType {
  const trimmed = text.trim()
  const open = trimmed.indexOf('<')
  if (open < 0) {
    return /^[A-Z]$/.test(trimmed)
      ? { kind: 'parameter', name: trimmed }
      : { kind: trimmed as ScalarKind }
  }
  const inner = splitTypes(trimmed.slice(open + 1, -1))
  const [first = DYN, second = DYN] = inner.map(parseType)
  const name = trimmed.slice(0, open)
  if (name === 'list') return { kind: 'list', item: first }
  return name === 'optional'
    ? { kind: 'optional', of: first }
    : { kind: 'map', key: first, value: second }
}

/** The parts of a list of types, split at the commas that stand outside of brackets. */
export function splitTypes(text: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '<') depth += 1
    else if (character === '>') depth -= 1
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  if (text.slice(start).trim() !== '') parts.push(text.slice(start))
  return parts
}
