import { quantityNano } from '../../objects/quantity.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { type Cause, forbiddenField, invalidValue, notSupported, required } from './checks.ts'
import { nameProblems } from './names.ts'
import { all, type Check, each, field, given, max, min, needed, oneOf } from './rules.ts'

// What an autoscaler has to look like.

/** How long an autoscaler may wait, and how long a period may be, in seconds. */
const WINDOW_SECONDS_MAX = 3600
const PERIOD_SECONDS_MAX = 1800

const segment: Check = (path, value) =>
  typeof value === 'string' && value !== ''
    ? nameProblems(value, 'path').map((text) => invalidValue(path, value, text))
    : [required(path)]

const bounds: Check = (path, spec) => {
  const least = numberAt(spec, 'minReplicas')
  const most = numberAt(spec, 'maxReplicas') ?? 0
  const place = `${path}.maxReplicas`
  return [
    ...min(1)(`${path}.minReplicas`, least),
    ...(most === 0 ? [required(place, 'must be set and greater than 0')] : min(1)(place, most)),
    ...(least !== undefined && most < least
      ? [invalidValue(place, most, 'must be greater than or equal to `minReplicas`')]
      : []),
  ]
}

const groupVersion: Check = (path, value) => {
  const text = typeof value === 'string' ? value : ''
  const parts = text.split('/')
  if (parts.length > 2) return [invalidValue(path, text, `unexpected GroupVersion string: ${text}`)]
  return parts.length === 2 && parts[0] !== ''
    ? []
    : [invalidValue(path, text, 'apiVersion must specify API group')]
}

const reference: Check = all(
  field('kind', segment),
  field('name', segment),
  field('apiVersion', groupVersion),
)

const TARGET_TYPES = ['Utilization', 'Value', 'AverageValue'] as const

const target: Check = (path, value) => {
  const type = textAt(value, 'type')
  const place = `${path}.type`
  return [
    ...(type === '' ? [required(place, 'must specify a metric target type')] : []),
    ...(TARGET_TYPES.some((known) => known === type)
      ? []
      : [invalidValue(place, type, 'must be either Utilization, Value, or AverageValue')]),
    ...['value', 'averageValue'].flatMap((key) => {
      const amount = at(value, key)
      return amount !== undefined && (quantityNano(String(amount)) ?? 0n) <= 0n
        ? [invalidValue(`${path}.${key}`, amount, 'must be positive')]
        : []
    }),
    ...min(1, 'must be greater than 0')(
      `${path}.averageUtilization`,
      at(value, 'averageUtilization'),
    ),
  ]
}

const resourceTarget: Check = (path, value) => {
  const utilization = at(value, 'target', 'averageUtilization')
  const amount = at(value, 'target', 'averageValue')
  const place = `${path}.target`
  const one = 'must set either a target raw value or a target utilization'
  const two = 'may not set both a target raw value and a target utilization'
  return [
    ...field('name', needed('must specify a resource name'))(path, value),
    ...target(place, at(value, 'target')),
    ...(utilization === undefined && amount === undefined
      ? [required(`${place}.averageUtilization`, one)]
      : []),
    ...(utilization !== undefined && amount !== undefined
      ? [forbiddenField(`${place}.averageValue`, two)]
      : []),
  ]
}

const metricName: Check = field('metric', field('name', needed('must specify a metric name')))

const valueTarget: Check = (path, value) => [
  ...metricName(path, value),
  ...target(`${path}.target`, at(value, 'target')),
  ...(at(value, 'target', 'value') === undefined &&
  at(value, 'target', 'averageValue') === undefined
    ? [required(`${path}.target.averageValue`, 'must set either a target value or averageValue')]
    : []),
]

const podsTarget: Check = (path, value) => [
  ...metricName(path, value),
  ...target(`${path}.target`, at(value, 'target')),
  ...(at(value, 'target', 'averageValue') === undefined
    ? [required(`${path}.target.averageValue`, 'must specify a positive target averageValue')]
    : []),
]

/** What each type of metric is made from. */
const SOURCES: Readonly<Record<string, readonly [key: string, check: Check]>> = {
  ContainerResource: ['containerResource', all(field('container', needed()), resourceTarget)],
  External: ['external', valueTarget],
  Object: ['object', all(field('describedObject', reference), valueTarget)],
  Pods: ['pods', podsTarget],
  Resource: ['resource', resourceTarget],
}

const metric: Check = (path, value) => {
  const type = textAt(value, 'type')
  const source = Object.hasOwn(SOURCES, type) ? SOURCES[type] : undefined
  const present = Object.values(SOURCES).filter(([key]) => at(value, key) !== undefined)
  if (source === undefined) {
    return [
      ...(type === '' ? [required(`${path}.type`, 'must specify a metric source type')] : []),
      // Told twice, as kube-apiserver does: once of the type, once of what belongs to it.
      notSupported(`${path}.type`, type, Object.keys(SOURCES)),
      notSupported(`${path}.type`, type, Object.keys(SOURCES)),
    ]
  }
  const [expected] = source
  return [
    ...present.slice(0, 1).flatMap(([key, check]) => check(`${path}.${key}`, at(value, key))),
    ...(at(value, expected) === undefined
      ? [required(`${path}.${expected}`, 'must populate information for the given metric source')]
      : []),
    ...(present.length === 1
      ? []
      : present
          .filter(([key]) => key !== expected)
          .map(([key]) =>
            forbiddenField(`${path}.${key}`, 'must populate the given metric source only'),
          )),
  ]
}

function toZero(
  path: string,
  least: number | undefined,
  types: readonly string[],
): readonly Cause[] {
  const isFed = types.includes('Object') || types.includes('External')
  const text =
    'must specify at least one Object or External metric to support scaling to zero replicas'
  return least === 0 && !isFed ? [forbiddenField(path, text)] : []
}

const positive: Check = (path, value) =>
  typeof value === 'number' && value > 0
    ? []
    : [invalidValue(path, value ?? 0, 'must be greater than zero')]

const scalingRules: Check = all(
  field(
    'stabilizationWindowSeconds',
    min(0, 'must be greater than or equal to zero'),
    max(WINDOW_SECONDS_MAX),
  ),
  field('selectPolicy', oneOf('Disabled', 'Max', 'Min')),
  field('policies', needed('must specify at least one Policy')),
  each(
    'policies',
    field('type', oneOf('Percent', 'Pods')),
    field('value', positive),
    field('periodSeconds', positive, max(PERIOD_SECONDS_MAX)),
  ),
)

/** The checks of an autoscaler. */
export const AUTOSCALER_CHECK: Check = field(
  'spec',
  bounds,
  field('scaleTargetRef', reference),
  each('metrics', metric),
  (path, spec) =>
    toZero(
      `${path}.metrics`,
      numberAt(spec, 'minReplicas'),
      listAt(spec, 'metrics').map((item) => textAt(item, 'type')),
    ),
  (path, spec) => {
    const behavior = objectAt(spec, 'behavior')
    return ['scaleUp', 'scaleDown'].flatMap((key) =>
      given(key, scalingRules)(`${path}.behavior`, behavior),
    )
  },
)
