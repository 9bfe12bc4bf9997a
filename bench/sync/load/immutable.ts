import { ImmutableString } from '@automerge/automerge'

/** Strings as single values, as Tideway keeps them: the fair form for state that nobody types into. */
export function immutable(value: unknown): unknown {
  if (typeof value === 'string') return new ImmutableString(value)
  if (Array.isArray(value)) return value.map(immutable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, immutable(item)]))
}
