import { isText } from '../custom/text-formats.ts'
import { nameProblems, qualifiedNameProblems } from '../kinds/names.ts'
import type { FunctionTable } from './functions.ts'
import { NONE, opaque, type Special, some, type Value } from './values.ts'

/** Says what is wrong with a text; nothing when it is of the format. */
type Check = (text: string) => readonly string[]

const invalid =
  (format: string): Check =>
  (text) =>
    isText(format, text) ? [] : ['invalid']

const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

const FORMATS: Readonly<Record<string, Check>> = {
  dns1123Label: (text) => nameProblems(text, 'label'),
  dns1123Subdomain: (text) => nameProblems(text, 'subdomain'),
  dns1035Label: (text) => nameProblems(text, 'dns1035'),
  dns1123LabelPrefix: (text) => nameProblems(text.replace(/-$/, 'a'), 'label'),
  dns1123SubdomainPrefix: (text) => nameProblems(text.replace(/-$/, 'a'), 'subdomain'),
  dns1035LabelPrefix: (text) => nameProblems(text.replace(/-$/, 'a'), 'dns1035'),
  qualifiedName: qualifiedNameProblems,
  labelValue: (text) => (text.length <= 63 && LABEL_VALUE.test(text) ? [] : ['invalid']),
  uri: invalid('uri'),
  uuid: invalid('uuid'),
  byte: invalid('byte'),
  date: invalid('date'),
  datetime: invalid('datetime'),
}

function validate(format: Special, text: string): Value {
  const problems = FORMATS[String(format.inner)]?.(text) ?? []
  return problems.length === 0 ? NONE : some([...problems])
}

/** Functions of formats that have a name. */
export const NAMED_FORMAT_FUNCTIONS: FunctionTable = {
  ...Object.fromEntries(
    Object.keys(FORMATS).map((name) => [`:format.${name}(): format`, () => opaque('format', name)]),
  ),
  ':format.named(string): optional<format>': (name: string) =>
    Object.hasOwn(FORMATS, name) ? some(opaque('format', name)) : NONE,
  'format.validate(string): optional<list<string>>': validate,
}
