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
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

function parseLabels(text: string): readonly Requirement[] {
  const tokens = tokenize(text)
  const requirements: Requirement[] = []
  let index = 0

  function requirement(): Requirement {
    if (tokens[index] === '!') {
      index += 2
      return { key: checkKey(tokens[index - 1] ?? '', text), operator: 'absent', values: [] }
    }
    const key = checkKey(tokens[index] ?? '', text)
    index += 1
    const operator = tokens[index]
    if (operator === undefined || operator === ',') return { key, operator: 'exists', values: [] }
    index += 1
    if (operator === 'in' || operator === 'notin') return { key, operator, values: valueList() }
    const next = tokens[index]
    const isEmpty = next === undefined || next === ','
    const value = isEmpty ? '' : next
    if (!isEmpty) index += 1
    if (operator === '<' || operator === '>') {
      if (!/^-?\d+$/.test(value))
        throw unparsable(text, `${value}: for 'Gt', 'Lt' operators, the value must be an integer`)
      return { key, operator: operator === '>' ? 'greater' : 'less', values: [value] }
    }
    if (operator === '=' || operator === '==')
      return { key, operator: 'in', values: [checkValue(value, text)] }
    if (operator === '!=') return { key, operator: 'notin', values: [checkValue(value, text)] }
    throw unparsable(text, `found '${operator}', expected: in, notin, =, ==, !=, gt, lt`)
  }

  function valueList(): readonly string[] {
    if (tokens[index] !== '(')
      throw unparsable(text, `found '${tokens[index] ?? ''}', expected: '('`)
    index += 1
    const values: string[] = []
    let expectsValue = true
    for (; tokens[index] !== ')'; index++) {
      const token = tokens[index]
      if (token === undefined) throw unparsable(text, "expected: ',', or ')'")
      if (token === ',') {
        if (expectsValue) values.push('')
        expectsValue = true
      } else {
        values.push(checkValue(token, text))
        expectsValue = false
      }
    }
    if (expectsValue) values.push('')
    index += 1
    return values
  }

  while (index < tokens.length) {
    requirements.push(requirement())
    if (requirements.length > REQUIREMENTS_MAX) throw unparsable(text, 'too many requirements')
    if (index < tokens.length && tokens[index] !== ',') {
      throw unparsable(text, `found '${tokens[index] ?? ''}', expected: ',' or 'end of string'`)
    }
    index += 1
    if (index === tokens.length) throw unparsable(text, "found '', expected: identifier after ','")
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
    if (token === undefined) throw unparsable(text, 'unexpected character')
    tokens.push(token)
  }
  return tokens
}

function checkKey(key: string, text: string): string {
  if (!KEY.test(key))
    throw unparsable(
      text,
      `<nil>: Invalid value: "${key}": name part must consist of alphanumeric characters, '-', '_' or '.'`,
    )
  return key
}

function checkValue(value: string, text: string): string {
  if (!VALUE.test(value))
    throw unparsable(
      text,
      `values[0]: Invalid value: "${value}": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`,
    )
  return value
}

function unparsable(text: string, why: string): Error {
  return badRequest(`unable to parse requirement: ${why} (selector "${text.slice(0, 256)}")`)
}

/** How each field that a kind can be selected by is read from an object. */
export type SelectableFields = Readonly<Record<string, (object: KubeObject) => string>>

/** The fields that every kind can be selected by. */
export const METADATA_FIELDS: SelectableFields = {
  'metadata.name': (object) => object.metadata.name,
  'metadata.namespace': (object) => object.metadata.namespace ?? '',
}

/**
 * Reads a field selector: `a=b`, `a==b`, `a!=b`, joined by commas. `\` takes the next character as
 * it is.
 *
 * @throws StatusError 400 when it is not one, or names a field that the kind cannot be selected by.
 */
export function fieldSelector(text: string | null, known: SelectableFields): Selector {
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
    const value = raw.replace(/\\([\\,=])/g, '$1')
    const read = Object.hasOwn(known, key) ? known[key] : undefined
    if (read === undefined) {
      throw badRequest(
        `field label not supported: ${key} (known: ${Object.keys(known).sort().join(', ')})`,
      )
    }
    return operator === '!='
      ? (object) => read(object) !== value
      : (object) => read(object) === value
  })
  return (object) => checks.every((check) => check(object))
}
