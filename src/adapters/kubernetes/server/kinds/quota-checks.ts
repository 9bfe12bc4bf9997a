import { quantityNano } from '../../objects/quantity.ts'
import { COUNTED_KINDS, POD_AMOUNT_NAMES } from '../../objects/quota-usage.ts'
import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import { type Cause, duplicate, forbiddenField, invalidValue } from './checks.ts'
import { checkQualifiedName } from './names.ts'
import { type Check, field, fixed, type UpdateCheck } from './rules.ts'

// What limit ranges and resource quotas have to look like.

const ONE = 1_000_000_000n
const amountOf = (value: Json | undefined): bigint => quantityNano(String(value)) ?? 0n

const COUNTED: ReadonlySet<string> = new Set([
  ...COUNTED_KINDS,
  'services.loadbalancers',
  'services.nodeports',
])
const STANDARD: ReadonlySet<string> = new Set([...COUNTED, ...POD_AMOUNT_NAMES, 'requests.storage'])
const isHuge = (name: string): boolean => /^(requests\.)?hugepages-/.test(name)

/** The quotas that each scope may have; undefined means all. */
const SCOPES: Readonly<Record<string, ReadonlySet<string>>> = {
  BestEffort: new Set(['pods']),
  NotBestEffort: new Set(['pods', ...[...STANDARD].filter((name) => /cpu|memory/.test(name))]),
  Terminating: new Set(['pods', ...[...STANDARD].filter((name) => /cpu|memory/.test(name))]),
  NotTerminating: new Set(['pods', ...[...STANDARD].filter((name) => /cpu|memory/.test(name))]),
  PriorityClass: new Set([...STANDARD]),
  CrossNamespacePodAffinity: new Set([...STANDARD]),
  VolumeAttributesClass: new Set(['persistentvolumeclaims', 'requests.storage']),
}

function quotaName(path: string, name: string): readonly Cause[] {
  const isPlain = !name.includes('/')
  if (!isPlain || STANDARD.has(name) || isHuge(name)) return checkQualifiedName(path, name)
  const texts = [
    'must be a standard resource type or fully qualified',
    'must be a standard resource for quota',
  ]
  return texts.map((text) => invalidValue(path, name, text))
}

function quotaAmount(path: string, name: string, value: Json | undefined): readonly Cause[] {
  const amount = amountOf(value)
  const isCounted = COUNTED.has(name) || (name.includes('/') && !name.startsWith('kubernetes.io/'))
  return [
    ...(amount < 0n ? [invalidValue(path, value, 'must be greater than or equal to 0')] : []),
    ...(isCounted && amount % ONE !== 0n ? [invalidValue(path, value, 'must be an integer')] : []),
  ]
}

const quotaScopes: Check = (path, spec) => {
  const scopes = listAt(spec, 'scopes').map(String)
  const names = Object.keys(objectAt(spec, 'hard')).filter((name) => STANDARD.has(name))
  const refused = (text: string): Cause => invalidValue(`${path}.scopes`, scopes, text)
  const isBoth = (a: string, b: string): boolean => scopes.includes(a) && scopes.includes(b)
  return [
    ...scopes.flatMap((scope) => [
      ...(SCOPES[scope] === undefined ? [refused('unsupported scope')] : []),
      ...names
        .filter((name) => SCOPES[scope]?.has(name) === false)
        .map(() => refused('unsupported scope applied to resource')),
    ]),
    ...(isBoth('BestEffort', 'NotBestEffort') || isBoth('Terminating', 'NotTerminating')
      ? [refused('conflicting scopes')]
      : []),
  ]
}

const quota: Check = field(
  'spec',
  (path, spec) =>
    Object.entries(objectAt(spec, 'hard')).flatMap(([name, value]) => [
      ...quotaName(`${path}.hard[${name}]`, name),
      ...quotaAmount(`${path}.hard[${name}]`, name, value),
    ]),
  quotaScopes,
)

const BOUNDS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const
type Bound = (typeof BOUNDS)[number]

/** Which of two bounds may not be greater, whose value is shown, and how it is said. */
const ORDER: readonly (readonly [
  low: Bound,
  high: Bound,
  at: Bound,
  shown: Bound,
  text: string,
])[] = [
  ['min', 'max', 'min', 'min', 'min value % is greater than max value %'],
  [
    'min',
    'defaultRequest',
    'defaultRequest',
    'defaultRequest',
    'min value % is greater than default request value %',
  ],
  [
    'defaultRequest',
    'max',
    'defaultRequest',
    'defaultRequest',
    'default request value % is greater than max value %',
  ],
  [
    'defaultRequest',
    'default',
    'defaultRequest',
    'defaultRequest',
    'default request value % is greater than default limit value %',
  ],
  ['min', 'default', 'default', 'min', 'min value % is greater than default value %'],
  ['default', 'max', 'default', 'max', 'default value % is greater than max value %'],
]

function orderCauses(path: string, limit: JsonObject): readonly Cause[] {
  const names = new Set(BOUNDS.flatMap((bound) => Object.keys(objectAt(limit, bound))))
  return [...names].flatMap((name) =>
    ORDER.flatMap(([low, high, place, shown, text]) => {
      const [a, b] = [at(limit, low, name), at(limit, high, name)]
      if (a === undefined || b === undefined || amountOf(a) <= amountOf(b)) return []
      const message = text.replace('%', String(a)).replace('%', String(b))
      return [invalidValue(`${path}.${place}[${name}]`, at(limit, shown, name), message)]
    }),
  )
}

const limits: Check = (path, spec) => {
  const items = listAt(spec, 'limits')
  const types = items.map((item) => textAt(item, 'type'))
  return items.flatMap((item, index) => {
    const limit = isObject(item) ? item : {}
    const place = `${path}.limits[${index}]`
    const type = types[index] ?? ''
    const text = "may not be specified when `type` is 'Pod'"
    return [
      ...checkQualifiedName(`${place}.type`, type),
      ...(types.indexOf(type) < index ? [duplicate(`${place}.type`, type)] : []),
      ...['default', 'defaultRequest'].flatMap((key) =>
        type === 'Pod' && Object.keys(objectAt(limit, key)).length > 0
          ? [forbiddenField(`${place}.${key}`, text)]
          : [],
      ),
      ...(type === 'Pod'
        ? orderCauses(place, { min: limit['min'], max: limit['max'] })
        : orderCauses(place, limit)),
    ]
  })
}

/** The checks of these kinds, by resource id. */
export const QUOTA_CHECKS: Readonly<Record<string, Check>> = {
  resourcequotas: quota,
  limitranges: field('spec', limits),
}

/** What updates of these kinds may not change, by resource id. */
export const QUOTA_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  resourcequotas: [fixed('spec.scopes')],
}
