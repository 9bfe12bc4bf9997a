import type { Json, JsonObject } from '../../objects/types.ts'
import { at, objectAt, sameJson, textAt } from '../json.ts'
import { jsonSyntaxError } from '../json-syntax.ts'
import { type Cause, forbiddenField, invalidValue, required, tooLong } from './checks.ts'
import { patternText } from './names.ts'
import { all, type Check, fixed, sameValue, type UpdateCheck } from './rules.ts'

// What config maps and secrets have to look like.

/** The largest content of a config map or secret, in bytes. */
const CONTENT_BYTES_MAX = 1024 * 1024
const KEY_CHARACTERS_MAX = 253
const KEY_TEXT = patternText(
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  '[-._a-zA-Z0-9]+',
  'key.name',
  'KEY_NAME',
  'key-name',
)

function keyProblems(key: string): readonly string[] {
  return [
    ...(key.length > KEY_CHARACTERS_MAX
      ? [`must be no more than ${KEY_CHARACTERS_MAX} bytes`]
      : []),
    ...(/^[-._a-zA-Z0-9]+$/.test(key) ? [] : [KEY_TEXT]),
    ...(key === '.' || key === '..' ? [`must not be '${key}'`] : []),
    ...(key.length > 2 && key.startsWith('..') ? ["must not start with '..'"] : []),
  ]
}

const keysCheck =
  (map: string): Check =>
  (_path, object) =>
    Object.keys(objectAt(object, map)).flatMap((key) =>
      keyProblems(key).map((text) => invalidValue(`${map}[${key}]`, key, text)),
    )

const sizeCheck =
  (...maps: readonly string[]): Check =>
  (_path, object) => {
    const values = maps.flatMap((map) => Object.values(objectAt(object, map)))
    const bytes = values.reduce(
      (sum: number, value) => sum + (typeof value === 'string' ? Buffer.byteLength(value) : 0),
      0,
    )
    return bytes > CONTENT_BYTES_MAX ? [tooLong(maps[0] ?? '', CONTENT_BYTES_MAX)] : []
  }

const keysTwice: Check = (_path, object) =>
  Object.keys(objectAt(object, 'data'))
    .filter((key) => at(object, 'binaryData', key) !== undefined)
    .map((key) => invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'))

/** The keys that each type of secret has; the first of a pair alone is enough. */
const NEEDED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
}
const ACCOUNT = 'kubernetes.io/service-account.name'
const REDACTED = '<secret contents redacted>'

/** The content of a key of a secret as text. */
function decoded(object: Json | undefined, key: string): string | undefined {
  const value = at(object, 'data', key)
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined
}

function dockerCauses(object: Json | undefined, key: string): readonly Cause[] {
  const text = decoded(object, key)
  if (text === undefined) return [required(`data[${key}]`)]
  const wrong = jsonSyntaxError(text)
  return wrong === undefined ? [] : [invalidValue(`data[${key}]`, REDACTED, wrong)]
}

const typeCheck: Check = (_path, object) => {
  const type = textAt(object, 'type')
  switch (type) {
    case 'kubernetes.io/service-account-token':
      return textAt(object, 'metadata', 'annotations', ACCOUNT) === ''
        ? [required(`metadata.annotations[${ACCOUNT}]`)]
        : []
    case 'kubernetes.io/basic-auth': {
      const keys = ['username', 'password']
      const isGiven = keys.some((key) => at(object, 'data', key) !== undefined)
      return isGiven ? [] : keys.map((key) => required(`data[${key}]`))
    }
    case 'kubernetes.io/dockercfg':
    case 'kubernetes.io/dockerconfigjson':
      return (NEEDED_KEYS[type] ?? []).flatMap((key) => dockerCauses(object, key))
    default:
      return (Object.hasOwn(NEEDED_KEYS, type) ? (NEEDED_KEYS[type] ?? []) : [])
        .filter((key) => at(object, 'data', key) === undefined)
        .map((key) => required(`data[${key}]`))
  }
}

/** The checks of these kinds, by resource id. */
export const CONTENT_CHECKS: Readonly<Record<string, Check>> = {
  configmaps: all(
    keysCheck('data'),
    keysTwice,
    keysCheck('binaryData'),
    sizeCheck('data', 'binaryData'),
  ),
  secrets: all(keysCheck('data'), sizeCheck('data'), typeCheck),
}

function frozenContent(before: JsonObject, after: JsonObject): readonly Cause[] {
  if (before['immutable'] !== true) return []
  const text = 'field is immutable when `immutable` is set'
  return ['immutable', 'data', 'binaryData']
    .filter((key) => !sameValue(before[key], after[key]) && !sameJson(before[key], after[key]))
    .map((key) => forbiddenField(key, text))
}

/** What updates of these kinds may not change, by resource id. */
export const CONTENT_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  configmaps: [frozenContent],
  secrets: [fixed('type'), frozenContent],
}
