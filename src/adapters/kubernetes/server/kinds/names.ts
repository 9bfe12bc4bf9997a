import type { Json } from '../../objects/types.ts'
import { isObject } from '../json.ts'
import { type Cause, invalidValue, required } from './checks.ts'

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const SUBDOMAIN = String.raw`${LABEL}(\.${LABEL})*`
const DNS_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const VALUE = `(${KEY})?`

const whole = (source: string): RegExp => new RegExp(`^(${source})$`)
const LABEL_PATTERN = whole(LABEL)
const SUBDOMAIN_PATTERN = whole(SUBDOMAIN)
const KEY_PATTERN = whole(KEY)
const VALUE_PATTERN = whole(VALUE)

const NAME_BYTES_MAX = 253
const LABEL_BYTES_MAX = 63

/** What a pattern demands, with examples and the pattern itself, as the API words it. */
export function patternText(what: string, source: string, ...examples: readonly string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(' or ')
  return `${what} (e.g. ${shown}regex used for validation is '${source}')`
}

const LABEL_TEXT = patternText(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  LABEL,
  'my-name',
  '123-abc',
)
const SUBDOMAIN_TEXT = patternText(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  SUBDOMAIN,
  'example.com',
)
const DNS_1035_TEXT = patternText(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  DNS_1035,
  'my-name',
  'abc-123',
)
const KEY_TEXT = patternText(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  KEY,
  'MyName',
  'my.name',
  '123-abc',
)
const VALUE_TEXT = patternText(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  VALUE,
  'MyValue',
  'my_value',
  '12345',
)

/** How the names of a kind are formed. */
export type NameRule = 'subdomain' | 'label' | 'dns1035' | 'path'

/** What is wrong with a text as a name, in words; empty when nothing is. */
export function nameProblems(name: string, rule: NameRule): readonly string[] {
  switch (rule) {
    case 'label':
      return [
        ...tooLongText(name, LABEL_BYTES_MAX),
        ...(LABEL_PATTERN.test(name)
          ? []
          : [SUBDOMAIN_PATTERN.test(name) ? 'must not contain dots' : LABEL_TEXT]),
      ]
    case 'dns1035':
      return [
        ...tooLongText(name, LABEL_BYTES_MAX),
        ...(whole(DNS_1035).test(name) ? [] : [DNS_1035_TEXT]),
      ]
    case 'path':
      return pathSegmentProblems(name)
    case 'subdomain':
      return [
        ...tooLongText(name, NAME_BYTES_MAX),
        ...(SUBDOMAIN_PATTERN.test(name) ? [] : [SUBDOMAIN_TEXT]),
      ]
  }
}

/** kube-apiserver takes these names with control characters and of any length too: no id of a document does. */
function pathSegmentProblems(name: string): readonly string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  const marks = ['/', '%'].filter((mark) => name.includes(mark))
  return [
    ...marks.map((mark) => `may not contain '${mark}'`),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    ...(/[\u0000-\u001f]/.test(name) ? ['may not contain control characters'] : []),
    ...tooLongText(name, NAME_BYTES_MAX),
  ]
}

function tooLongText(text: string, bytesMax: number): readonly string[] {
  return Buffer.byteLength(text) > bytesMax ? [`must be no more than ${bytesMax} bytes`] : []
}

/** What is wrong with a name that has to be there. */
export function checkName(field: string, name: Json | undefined, rule: NameRule): readonly Cause[] {
  if (typeof name !== 'string' || name === '') return [required(field)]
  return nameProblems(name, rule).map((detail) => invalidValue(field, name, detail))
}

/** What is wrong with a text as a qualified name, such as a label key, in words. */
export function qualifiedNameProblems(name: string): readonly string[] {
  const parts = name.split('/')
  if (parts.length > 2) {
    return [
      `a valid label key ${KEY_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  const rest = parts.at(-1) ?? ''
  const prefix = parts.length === 2 ? parts[0] : undefined
  const ofPrefix =
    prefix === undefined
      ? []
      : prefix === ''
        ? ['must be non-empty']
        : nameProblems(prefix, 'subdomain')
  return [
    ...ofPrefix.map((text) => `prefix part ${text}`),
    ...(rest === '' ? ['name part must be non-empty'] : []),
    ...tooLongText(rest, LABEL_BYTES_MAX).map((text) => `name part ${text}`),
    ...(KEY_PATTERN.test(rest) ? [] : [`name part ${KEY_TEXT}`]),
  ]
}

/** What is wrong with a qualified name, such as a label key. */
export function checkQualifiedName(field: string, name: string): readonly Cause[] {
  return qualifiedNameProblems(name).map((detail) => invalidValue(field, name, detail))
}

/** What is wrong with the value of a label. */
export function checkLabelValue(field: string, value: Json | undefined): readonly Cause[] {
  const text = typeof value === 'string' ? value : String(value)
  return [
    ...tooLongText(text, LABEL_BYTES_MAX),
    ...(VALUE_PATTERN.test(text) ? [] : [VALUE_TEXT]),
  ].map((detail) => invalidValue(field, value, detail))
}

/** What is wrong with a map of labels. */
export function checkLabels(field: string, labels: Json | undefined): readonly Cause[] {
  if (!isObject(labels)) return []
  return Object.entries(labels).flatMap(([key, value]) => [
    ...checkQualifiedName(field, key),
    ...checkLabelValue(field, value),
  ])
}
