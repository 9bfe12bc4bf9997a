import { durationText, timestampText } from './times.ts'
import { CelError, isSpecial, isValueList, isValueMap, kindOf, type Value } from './values.ts'

const CLAUSE = /%(?:\.(\d{1,3}))?(.)/gsu

/**
 * A text in which clauses such as `%s`, `%d`, `%.2f`, `%x` stand for values.
 *
 * @throws CelError when a clause is none, or does not fit its value.
 */
export function formatted(text: string, values: readonly Value[]): string {
  let next = 0
  return text.replace(CLAUSE, (clause, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%'
    const value = values[next]
    if (value === undefined) throw new CelError(`index ${next} out of range`)
    next += 1
    const digits = precision === undefined ? 6 : Number(precision)
    return clauseText(verb, value, digits, clause)
  })
}

function clauseText(verb: string, value: Value, digits: number, clause: string): string {
  switch (verb) {
    case 's':
      return shown(value)
    case 'd':
      if (kindOf(value) !== 'int' && kindOf(value) !== 'uint' && kindOf(value) !== 'double')
        throw mismatch('decimal clause can only be used on numbers', value)
      return shown(value)
    case 'f':
      return Number(numeric(value)).toFixed(digits)
    case 'e':
      return Number(numeric(value))
        .toExponential(digits)
        .replace(/e([+-])(\d)$/, 'e$10$2')
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : whole(value).toString(2)
    case 'o':
      return whole(value).toString(8)
    case 'x':
    case 'X': {
      const text = hexadecimal(value)
      return verb === 'X' ? text.toUpperCase() : text
    }
    default:
      throw new CelError(
        `could not parse formatting clause: unrecognized formatting clause "${clause.at(-1) ?? ''}"`,
      )
  }
}

function hexadecimal(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return whole(value).toString(16)
}

function whole(value: Value): bigint {
  if (typeof value === 'bigint') return value
  if (isSpecial(value) && value.special === 'uint') return value.amount ?? 0n
  throw mismatch('only integers can be formatted so', value)
}

function numeric(value: Value): number | bigint {
  return typeof value === 'number' ? value : whole(value)
}

function mismatch(why: string, value: Value): CelError {
  return new CelError(`error during formatting: ${why}, was given ${kindOf(value)}`)
}

/** A value as `%s` shows it. */
function shown(value: Value): string {
  if (value === null) return 'null'
  if (isValueList(value)) return `[${value.map(shown).join(', ')}]`
  if (isValueMap(value)) {
    const entries = [...value].map(([key, item]) => `${shown(key)}: ${shown(item)}`)
    return `{${entries.sort().join(', ')}}`
  }
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (!isSpecial(value)) return String(value)
  switch (value.special) {
    case 'timestamp':
      return timestampText(value)
    case 'duration':
      return durationText(value)
    case 'uint':
      return String(value.amount)
    case 'type':
      return value.name ?? ''
    default:
      throw mismatch('string clause can only be used on strings, bools and numbers', value)
  }
}
