import type { Json } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { address, portNumberOrName } from './address-checks.ts'
import { type Cause, duplicate, forbiddenField, invalidValue, required } from './checks.ts'
import { resizePolicyCauses } from './resize-policy.ts'
import { type Check, each, field, given, named, needed, oneOf, qualified } from './rules.ts'
import { selectorCheck } from './selector-checks.ts'

// What the parts of a pod beside its containers' names and images have to look like.

const ID_MAX = 2_147_483_647

/** The number of a user or a group. */
const id: Check = (path, value) =>
  typeof value === 'number' && (value < 0 || value > ID_MAX)
    ? [invalidValue(path, value, `must be between 0 and ${ID_MAX}, inclusive`)]
    : []

const skew: Check = (path, value) =>
  typeof value === 'number' && value > 0
    ? []
    : [invalidValue(path, value ?? 0, 'must be greater than zero')]

const spread: Check = each(
  'topologySpreadConstraints',
  field('maxSkew', skew),
  field('topologyKey', needed('can not be empty')),
  given('topologyKey', qualified),
  field('whenUnsatisfiable', oneOf('DoNotSchedule', 'ScheduleAnyway')),
  field('labelSelector', selectorCheck),
)

const nodeAffinity: Check = given(
  'nodeAffinity',
  given(
    'requiredDuringSchedulingIgnoredDuringExecution',
    field('nodeSelectorTerms', needed('must have at least one node selector term')),
  ),
)

const TERM: Check = (path, term) => [
  ...field('labelSelector', selectorCheck)(path, term),
  ...(textAt(term, 'topologyKey') === ''
    ? [required(`${path}.topologyKey`, 'can not be empty')]
    : qualified(`${path}.topologyKey`, at(term, 'topologyKey'))),
]

function podAffinity(key: string): Check {
  return given(key, each('requiredDuringSchedulingIgnoredDuringExecution', TERM))
}

const dns: Check = (path, spec) => [
  ...given('dnsConfig', each('nameservers', address))(path, spec),
  ...(at(spec, 'dnsPolicy') === 'None' && listAt(spec, 'dnsConfig', 'nameservers').length === 0
    ? [required(`${path}.dnsConfig`, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    : []),
]

/** What is wrong with a pod spec beside its containers and volumes. */
export const podPartsCheck: Check = (path, spec) => [
  ...given(
    'affinity',
    nodeAffinity,
    podAffinity('podAffinity'),
    podAffinity('podAntiAffinity'),
  )(path, spec),
  ...dns(path, spec),
  ...each('readinessGates', field('conditionType', qualified))(path, spec),
  ...spread(path, spec),
  ...given('subdomain', named('label'))(path, spec),
  ...each('hostAliases', field('ip', address))(path, spec),
  ...given(
    'securityContext',
    field('runAsUser', id),
    field('runAsGroup', id),
    field('fsGroup', id),
  )(path, spec),
  ...given('priorityClassName', named('subdomain'))(path, spec),
]

/** Resources that a container may ask for without a domain in front. */
const CONTAINER_RESOURCES: ReadonlySet<string> = new Set(['cpu', 'ephemeral-storage', 'memory'])

const resourceNames: Check = (path, container) =>
  ['limits', 'requests'].flatMap((group) =>
    Object.keys(objectAt(container, 'resources', group)).flatMap((name): readonly Cause[] => {
      const place = `${path}.resources.${group}[${name}]`
      if (name.includes('/')) return qualified(place, name)
      if (CONTAINER_RESOURCES.has(name) || name.startsWith('hugepages-')) return []
      return [
        invalidValue(place, name, 'must be a standard resource type or fully qualified'),
        invalidValue(place, name, 'must be a standard resource for containers'),
      ]
    }),
  )

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'sleep'] as const

const handler: Check = (path, value) => {
  const found = HANDLERS.filter((key) => at(value, key) !== undefined)
  return [
    ...(found.length === 0 ? [required(path, 'must specify a handler type')] : []),
    ...found
      .slice(1)
      .map((key) => forbiddenField(`${path}.${key}`, 'may not specify more than 1 handler type')),
  ]
}

const action: Check = (path, probe) => [
  ...given('httpGet', field('port', portNumberOrName))(path, probe),
  ...given('tcpSocket', field('port', portNumberOrName))(path, probe),
]

/** A container that lives or has started once is not asked again. */
const once: Check = (path, probe) => {
  const count = numberAt(probe, 'successThreshold') ?? 1
  return count <= 1 ? [] : [invalidValue(`${path}.successThreshold`, count, 'must be 1')]
}

const image: Check = (path, value) =>
  typeof value === 'string' && value !== '' && value.trim() !== value && value.trim() !== ''
    ? [invalidValue(path, value, 'must not have leading or trailing whitespace')]
    : []

/** What is wrong with a container beside its name, ports, variables and mounts. */
export const containerPartsCheck: Check = (path, container) => [
  ...resourceNames(path, container),
  ...resizePolicyCauses(path, listAt(container, 'resizePolicy')),
  ...given('lifecycle', given('postStart', handler), given('preStop', handler))(path, container),
  ...given('livenessProbe', action, once)(path, container),
  ...given('readinessProbe', action)(path, container),
  ...given('startupProbe', action, once)(path, container),
  ...given('securityContext', field('runAsUser', id), field('runAsGroup', id))(path, container),
  ...field('image', image)(path, container),
]

/** Ports of the machine that containers of a pod take twice. */
export function hostPortCauses(place: string, ports: readonly Json[]): readonly Cause[] {
  const seen = new Set<string>()
  return ports.flatMap((port, index) => {
    const number = numberAt(port, 'hostPort') ?? 0
    if (number === 0) return []
    const text = `${textAt(port, 'protocol')}/${textAt(port, 'hostIP')}/${number}`
    if (seen.has(text)) return [duplicate(`${place}[${index}].hostPort`, text)]
    seen.add(text)
    return []
  })
}
