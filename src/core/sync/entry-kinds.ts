import type { FieldReader } from './field-reader.ts'
import type { EntryKind } from './io.ts'

/** The numbers of the kinds on the wire. Only ever added to. */
const KINDS: readonly EntryKind[] = ['event', 'snapshot', 'tombstone', 'join', 'leave', 'base']

/** The number of a kind on the wire. */
export function kindNumber(kind: EntryKind): number {
  return KINDS.indexOf(kind)
}

/** The kind that a number stands for; anything else is a violation in that field. */
export function readKind(fields: FieldReader, field: string, number: unknown): EntryKind {
  const kind = typeof number === 'number' ? KINDS[number] : undefined
  return kind ?? fields.fail(field, 'holds an entry of unknown kind')
}
