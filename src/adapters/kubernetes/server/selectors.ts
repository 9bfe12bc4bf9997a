import type { KubeObject } from '../objects/types.ts'
import { at, isObject } from './json.ts'
import { badRequest } from './status.ts'

/** Decides whether an object is selected. */
export type Selector = (object: KubeObject) => boolean

/** The longest selector and the most requirements that are taken. */
const SELECTOR_CHARACTERS_MAX = 8 * 1024
const REQUIREMENTS_MAX = 256

interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'greater' | 'less'
  readonly values: readonly string[]
}

/**
 * Reads a label selector: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, `a>1`,
 * `a<1`, joined by commas.
 *
 * @throws StatusError 400 when it is not one.
 */
export function labelSelector(text: string | null): Selector {
  if (text === null || text.trim() === '') return () => true
  const requirements = parseLabels(text)
  return (object) => {
    const labels = at(object, 'metadata', 'labels')
    return requirements.every((requirement) => {
      const value = isObject(labels) ? at(labels, requirement.key) : undefined
      return meets(requirement, typeof value === 'string' ? value : undefined)
    })
  }
}

function meets({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'greater':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > Number(values[0])
    case 'less':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < Number(values[0])
  }
}

const TOKEN = /\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)/y
const KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
/** What is no identifier. */
const SPECIAL = /^(?:==|!=|[=!<>(),])$/
const NAME_RULE =
  "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

function parseLabels(text: string): readonly Requirement[] {
  const tokens = tokenize(text)
  const requirements: Requirement[] = []
  let index = 0

  function requirement(): Requirement {
    if (tokens[index] === '!') {
      index += 2
      return { key: checkKey(tokens[index - 1] ?? ''), operator: 'absent', values: [] }
    }
    const key = checkKey(tokens[index] ?? '')
    index += 1
    const operator = tokens[index]
    if (operator === undefined || operator === ',') return { key, operator: 'exists', values: [] }
    index += 1
    if (operator === 'in' || operator === 'notin') return { key, operator, values: valueList(key) }
    const next = tokens[index]
    const isEmpty = next === undefined || next === ','
    const value = isEmpty ? '' : next
    if (!isEmpty) index += 1
    if (operator === '<' || operator === '>') {
      if (!/^-?\d+$/.test(value))
        throw unparsable(
          `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        )
      return { key, operator: operator === '>' ? 'greater' : 'less', values: [value] }
    }
    if (operator === '=' || operator === '==')
      return { key, operator: 'in', values: [checkValue(value, key)] }
    if (operator === '!=') return { key, operator: 'notin', values: [checkValue(value, key)] }
    throw unparsable(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`)
  }

  function valueList(key: string): readonly string[] {
    if (tokens[index] !== '(') throw unparsable(`found '${tokens[index] ?? ''}' expected: '('`)
    index += 1
    const values: string[] = []
    let expectsValue = true
    for (; tokens[index] !== ')'; index++) {
      const token = tokens[index]
      if (token === undefined) throw unparsable("found '', expected: ',' or ')'")
      if (token === ',') {
        if (expectsValue) values.push('')
        expectsValue = true
      } else {
        values.push(checkValue(token, key))
        expectsValue = false
      }
    }
    if (expectsValue) values.push('')
    index += 1
    return values
  }

  const first = tokens[0] ?? ''
  if (first !== '!' && SPECIAL.test(first))
    throw badRequest(`found '${first}', expected: !, identifier, or 'end of string'`)
  while (index < tokens.length) {
    requirements.push(requirement())
    if (requirements.length > REQUIREMENTS_MAX) throw unparsable('too many requirements')
    if (index < tokens.length && tokens[index] !== ',') {
      throw badRequest(`found '${tokens[index] ?? ''}', expected: ',' or 'end of string'`)
    }
    index += 1
    const next = tokens[index]
    if (index === tokens.length || (next !== undefined && next !== '!' && SPECIAL.test(next)))
      throw badRequest(`found '${next ?? ''}', expected: identifier after ','`)
  }
  return requirements
}

function tokenize(text: string): readonly string[] {
  if (text.length > SELECTOR_CHARACTERS_MAX) throw badRequest('the selector is too long')
  const trimmed = text.trim()
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < trimmed.length) {
    const token = TOKEN.exec(trimmed)?.[1]
    if (token === undefined) throw unparsable('unexpected character')
    tokens.push(token)
  }
  return tokens
}

function checkKey(key: string): string {
  if (SPECIAL.test(key)) throw unparsable(`found '${key}', expected: identifier`)
  if (KEY.test(key)) return key
  const isTwice = key.split('/').length > 2
  const rule = isTwice
    ? `a valid label key must consist of ${NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`
    : `name part must consist of ${NAME_RULE}`
  throw unparsable(`<nil>: Invalid value: "${key}": ${rule}`)
}

function checkValue(value: string, key: string): string {
  if (SPECIAL.test(value)) throw unparsable(`found '${value}', expected: identifier`)
  if (!VALUE.test(value))
    throw unparsable(`values[0][${key}]: Invalid value: "${value}": ${VALUE_RULE}`)
  return value
}

function unparsable(why: string): Error {
  return badRequest(`unable to parse requirement: ${why}`)
}

/** How each field that a kind can be selected by is read from an object. */
export type SelectableFields = Readonly<Record<string, (object: KubeObject) => string>>

/** The fields that every kind can be selected by. */
export const METADATA_FIELDS: SelectableFields = {
  'metadata.name': (object) => object.metadata.name,
  'metadata.namespace': (object) => object.metadata.namespace ?? '',
}

function unescaped(text: string): string {
  const wrong = /^(?:[^\\,=]|\\[\\,=])*/.exec(text)?.[0].length ?? 0
  if (wrong < text.length) {
    const rest = text.slice(wrong, wrong + 2)
    throw badRequest(
      rest.startsWith('\\')
        ? `invalid field selector: invalid escape sequence: ${rest}`
        : `invalid field selector: unescaped character in value: ${rest.codePointAt(0) ?? 0}`,
    )
  }
  return text.replace(/\\([\\,=])/g, '$1')
}

/**
 * Reads a field selector: `a=b`, `a==b`, `a!=b`, joined by commas. `\` takes the next character as
 * it is.
 *
 * @param isCustom whether a definition says which fields there are.
 * @throws StatusError 400 when it is not one, or names a field that the kind cannot be selected by.
 */
export function fieldSelector(
  text: string | null,
  known: SelectableFields,
  isCustom = false,
): Selector {
  if (text === null || text.trim() === '') return () => true
  if (text.length > SELECTOR_CHARACTERS_MAX) throw badRequest('the selector is too long')
  const terms = text.split(/(?<!\\),/).filter((term) => term !== '')
  if (terms.length > REQUIREMENTS_MAX) throw badRequest('the selector has too many requirements')
  const checks = terms.map((term): Selector => {
    const match = /^([^=!]+)(==|!=|=)(.*)$/s.exec(term)
    if (match === null)
      throw badRequest(
        `invalid selector: '${text.slice(0, 256)}'; can't understand '${term.slice(0, 256)}'`,
      )
    const [, key = '', operator, raw = ''] = match
    const value = unescaped(raw)
    const read = Object.hasOwn(known, key) ? known[key] : undefined
    if (read === undefined) {
      const names = Object.keys(known)
      const isPlain = !isCustom && names.every((name) => name in METADATA_FIELDS)
      const list = names.sort().map((name) => `"${name}"`)
      throw badRequest(
        isPlain
          ? `"${key}" is not a known field selector: only ${list.join(', ')}`
          : `field label not supported: ${key}`,
      )
    }
    return operator === '!='
      ? (object) => read(object) !== value
      : (object) => read(object) === value
  })
  return (object) => checks.every((check) => check(object))
}
