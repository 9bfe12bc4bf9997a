import type { Json, JsonObject } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { address, portNumber, portNumberOrName, range } from './address-checks.ts'
import { type Cause, duplicate, forbiddenField, invalidValue, required } from './checks.ts'
import { checkLabels } from './names.ts'
import {
  all,
  type Check,
  each,
  field,
  given,
  named,
  neededName,
  neededOneOf,
  oneOf,
  qualified,
  type UpdateCheck,
} from './rules.ts'

// What a service has to look like.

/** Affinity to one client lasts a day at most, in seconds. */
const AFFINITY_SECONDS_MAX = 86_400

const isHeadless = (spec: Json | undefined): boolean => at(spec, 'clusterIP') === 'None'

/** Whether a service is reached from outside, so that a policy for such traffic makes sense. */
export function isReachedFromOutside(spec: Json | undefined): boolean {
  const type = textAt(spec, 'type')
  const isClusterOnly = type !== 'NodePort' && type !== 'LoadBalancer'
  return !isClusterOnly || (type === 'ClusterIP' && listAt(spec, 'externalIPs').length > 0)
}

/** Whether a load balancer has to ask each node whether it has endpoints. */
export function needsHealthCheck(spec: Json | undefined): boolean {
  return (
    textAt(spec, 'type') === 'LoadBalancer' && textAt(spec, 'externalTrafficPolicy') === 'Local'
  )
}

const typeCheck: Check = (path, spec) => {
  const type = textAt(spec, 'type')
  if (type === 'ExternalName') {
    const text = 'may not be set for ExternalName services'
    const place = `${path}.externalName`
    const name = textAt(spec, 'externalName').replace(/\.$/, '')
    return [
      ...['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'].flatMap((key) =>
        at(spec, key) === undefined ? [] : [forbiddenField(`${path}.${key}`, text)],
      ),
      ...(name === '' ? [required(place)] : neededName('subdomain')(place, name)),
    ]
  }
  const isLed = type === 'LoadBalancer' || type === 'NodePort'
  return isLed && isHeadless(spec)
    ? [
        invalidValue(
          `${path}.clusterIPs[0]`,
          'None',
          `may not be set to 'None' for ${type} services`,
        ),
      ]
    : []
}

const portsCheck: Check = (path, spec) => {
  const ports = listAt(spec, 'ports')
  const names = ports.map((port) => textAt(port, 'name'))
  const isPortless = isHeadless(spec) || textAt(spec, 'type') === 'ExternalName'
  return [
    ...(ports.length === 0 && !isPortless ? [required(`${path}.ports`)] : []),
    ...typeCheck(path, spec),
    ...ports.flatMap((port, index) => {
      const place = `${path}.ports[${index}]`
      const name = names[index] ?? ''
      return [
        ...(name === ''
          ? ports.length > 1
            ? [required(`${place}.name`)]
            : []
          : named('label')(`${place}.name`, name)),
        ...(name !== '' && names.indexOf(name) < index ? [duplicate(`${place}.name`, name)] : []),
        ...portNumber(`${place}.port`, at(port, 'port')),
        ...oneOf('SCTP', 'TCP', 'UDP')(`${place}.protocol`, at(port, 'protocol')),
        ...portNumberOrName(`${place}.targetPort`, at(port, 'targetPort')),
        ...given('appProtocol', qualified)(place, port),
      ]
    }),
  ]
}

const affinityTimeout: Check = (path, value) =>
  typeof value === 'number' && value > 0 && value <= AFFINITY_SECONDS_MAX
    ? []
    : [invalidValue(path, value, `must be greater than 0 and less than ${AFFINITY_SECONDS_MAX}`)]

const affinityCheck: Check = (path, spec) =>
  textAt(spec, 'sessionAffinity') === 'ClientIP'
    ? field('sessionAffinityConfig', field('clientIP', field('timeoutSeconds', affinityTimeout)))(
        path,
        spec,
      )
    : []

/** Ports that occur twice, by the key that has to be unique. */
function repeated(
  path: string,
  ports: readonly Json[],
  key: 'nodePort' | 'port',
): readonly Cause[] {
  const seen = new Set<string>()
  return ports.flatMap((port, index) => {
    const number = numberAt(port, key) ?? 0
    const text = `${textAt(port, 'protocol')}/${number}`
    if (!seen.has(text)) {
      if (number !== 0 || key === 'port') seen.add(text)
      return []
    }
    if (key === 'nodePort') return [duplicate(`${path}.ports[${index}].nodePort`, number)]
    const shown = {
      Name: '',
      Protocol: textAt(port, 'protocol'),
      AppProtocol: null,
      Port: number,
      TargetPort: 0,
      NodePort: 0,
    }
    return [duplicate(`${path}.ports[${index}]`, shown)]
  })
}

/** Fields that only some types of services have. */
const fieldsOfTypes: Check = (path, spec) => {
  const type = textAt(spec, 'type')
  const ports = listAt(spec, 'ports')
  const onlyBalanced = (key: string): readonly Cause[] =>
    at(spec, key) === undefined || type === 'LoadBalancer'
      ? []
      : [forbiddenField(`${path}.${key}`, "may only be used when `type` is 'LoadBalancer'")]
  return [
    ...ports.flatMap((port, index) =>
      type === 'ClusterIP' && (numberAt(port, 'nodePort') ?? 0) !== 0
        ? [
            forbiddenField(
              `${path}.ports[${index}].nodePort`,
              "may not be used when `type` is 'ClusterIP'",
            ),
          ]
        : [],
    ),
    ...repeated(path, ports, 'nodePort'),
    ...repeated(path, ports, 'port'),
    ...onlyBalanced('loadBalancerSourceRanges').map((cause) => ({
      ...cause,
      field: `${path}.LoadBalancerSourceRanges`,
    })),
    ...listAt(spec, 'loadBalancerSourceRanges').flatMap((text, index) =>
      range(`${path}.LoadBalancerSourceRanges[${index}]`, String(text).trim()),
    ),
    ...onlyBalanced('allocateLoadBalancerNodePorts'),
    ...onlyBalanced('loadBalancerClass'),
  ]
}

const trafficCheck: Check = (path, spec) => {
  const policy = at(spec, 'externalTrafficPolicy')
  const place = `${path}.externalTrafficPolicy`
  const port = numberAt(spec, 'healthCheckNodePort') ?? 0
  const isOutside = isReachedFromOutside(spec)
  return [
    ...(isOutside
      ? oneOf('Cluster', 'Local')(place, policy)
      : policy === undefined
        ? []
        : [invalidValue(place, policy, 'may only be set for externally-accessible services')]),
    ...(port === 0 || needsHealthCheck(spec)
      ? []
      : [
          invalidValue(
            `${path}.healthCheckNodePort`,
            port,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
          ),
        ]),
    ...oneOf('Cluster', 'Local')(
      `${path}.internalTrafficPolicy`,
      at(spec, 'internalTrafficPolicy'),
    ),
    ...oneOf(
      'PreferClose',
      'PreferSameNode',
      'PreferSameZone',
    )(`${path}.trafficDistribution`, at(spec, 'trafficDistribution')),
  ]
}

/** The families of addresses that are given out. */
const familiesCheck: Check = (path, spec) => {
  if (textAt(spec, 'type') === 'ExternalName') return []
  const isSelected = Object.keys(objectAt(spec, 'selector')).length > 0
  const isAnything = isHeadless(spec) && !isSelected
  if (at(spec, 'ipFamilyPolicy') === 'RequireDualStack' && !isAnything) {
    const text = 'this cluster is not configured for dual-stack services'
    return [invalidValue(`${path}.ipFamilyPolicy`, 'RequireDualStack', text)]
  }
  return listAt(spec, 'ipFamilies').flatMap((family, index) =>
    family === 'IPv4' || isAnything
      ? oneOf('IPv4', 'IPv6')(`${path}.ipFamilies[${index}]`, family)
      : [invalidValue(`${path}.ipFamilies[${index}]`, family, 'not configured on this cluster')],
  )
}

/** The checks of a service. */
export const SERVICE_CHECK: Check = field(
  'spec',
  portsCheck,
  field('selector', checkLabels),
  field('sessionAffinity', neededOneOf('ClientIP', 'None')),
  affinityCheck,
  familiesCheck,
  each('externalIPs', address),
  field('type', neededOneOf('ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort')),
  all(fieldsOfTypes, trafficCheck),
)

/** What an update of a service may not change: its address, unless its type changes. */
export const SERVICE_UPDATE: UpdateCheck = (before: JsonObject, after: JsonObject) => {
  const was = textAt(before, 'spec', 'clusterIP')
  const is = textAt(after, 'spec', 'clusterIP')
  const isNamed =
    textAt(before, 'spec', 'type') === 'ExternalName' ||
    textAt(after, 'spec', 'type') === 'ExternalName'
  return isNamed || was === '' || was === is
    ? []
    : [invalidValue('spec.clusterIPs[0]', [is], 'may not change once set')]
}
