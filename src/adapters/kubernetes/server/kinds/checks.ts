import { quantityNano } from '../../objects/quantity.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { isObject } from '../json.ts'

/** One thing that is wrong with one field (metav1.StatusCause). */
export interface Cause {
  readonly reason: string
  readonly field: string
  readonly message: string
}

/** Causes are cut here; more help nobody. */
export const CAUSES_MAX = 64

/** The value is missing. */
export function required(field: string, detail = ''): Cause {
  return {
    reason: 'FieldValueRequired',
    field,
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  }
}

/** The value is not allowed. */
export function invalidValue(field: string, value: Json | undefined, detail: string): Cause {
  return {
    reason: 'FieldValueInvalid',
    field,
    message: `Invalid value: ${shown(value)}: ${detail}`,
  }
}

/** The value occurs twice. */
export function duplicate(field: string, value: Json | undefined): Cause {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${shown(value)}` }
}

/** The value is none of those that there are. */
export function notSupported(
  field: string,
  value: Json | undefined,
  allowed: readonly string[],
): Cause {
  const list = allowed.map((item) => JSON.stringify(item)).join(', ')
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
  }
}

/** Nothing may be here. */
export function forbiddenField(field: string, detail: string): Cause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` }
}

/** The value is too long. */
export function tooLong(field: string, max: number): Cause {
  return {
    reason: 'FieldValueTooLong',
    field,
    message: `Too long: may not be more than ${max} bytes`,
  }
}

/** There are too many of them. */
export function tooMany(field: string, count: number, max: number): Cause {
  return {
    reason: 'FieldValueTooMany',
    field,
    message: `Too many: ${count}: must have at most ${max} items`,
  }
}

/** The value refers to something that is not in the object. */
export function notFoundValue(field: string, value: Json | undefined): Cause {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${shown(value)}` }
}

const SHOWN_CHARACTERS_MAX = 512

/** The escapes of Go where those of JSON are others. */
const ESCAPES: Readonly<Record<string, string>> = { '\\u0007': '\\a', '\\u000b': '\\v' }

function shown(value: Json | undefined): string {
  const text = JSON.stringify(value ?? null).replace(
    /\\u00[01][0-9a-f]/g,
    (found) => ESCAPES[found] ?? `\\x${found.slice(4)}`,
  )
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}...` : text
}

/** What is wrong with a number that has bounds. */
export function checkRange(
  field: string,
  value: Json | undefined,
  min: number,
  max: number,
): readonly Cause[] {
  if (value === undefined || (typeof value === 'number' && value >= min && value <= max)) return []
  if (max === Number.MAX_SAFE_INTEGER)
    return [invalidValue(field, value, `must be greater than or equal to ${min}`)]
  return [invalidValue(field, value, `must be between ${min} and ${max}, inclusive`)]
}

/** What is wrong with a value that must be one of a few. */
export function checkOneOf(
  field: string,
  value: Json | undefined,
  allowed: readonly string[],
): readonly Cause[] {
  return value === undefined || allowed.includes(String(value))
    ? []
    : [notSupported(field, value, allowed)]
}

/** What is wrong with requests and limits. */
export function checkResources(field: string, resources: Json | undefined): readonly Cause[] {
  const causes: Cause[] = []
  const read = (group: string): JsonObject => {
    const found = isObject(resources) ? resources[group] : undefined
    return isObject(found) ? found : {}
  }
  const limits = read('limits')
  for (const group of ['limits', 'requests']) {
    for (const [name, value] of Object.entries(read(group))) {
      const amount = quantityNano(String(value))
      const place = `${field}.${group}[${name}]`
      if (amount !== undefined && amount < 0n)
        causes.push(invalidValue(place, value, 'must be greater than or equal to 0'))
      const limit = limits[name]
      const isOver =
        group === 'requests' &&
        limit !== undefined &&
        (amount ?? 0n) > (quantityNano(String(limit)) ?? 0n)
      if (isOver)
        causes.push(
          invalidValue(
            `${field}.requests`,
            value,
            `must be less than or equal to ${name} limit of ${String(limit)}`,
          ),
        )
    }
  }
  return causes
}

/** Entries of a list whose key occurred before. */
export function checkUnique(
  field: string,
  keys: readonly (Json | undefined)[],
  key: string,
): readonly Cause[] {
  const seen = new Set<string>()
  return keys.flatMap((value, index) => {
    const text = JSON.stringify(value ?? null)
    if (value === undefined || !seen.has(text)) {
      seen.add(text)
      return []
    }
    return [duplicate(key === '' ? `${field}[${index}]` : `${field}[${index}].${key}`, value)]
  })
}
