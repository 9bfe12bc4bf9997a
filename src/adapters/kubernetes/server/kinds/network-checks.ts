import { isIP } from 'node:net'
import type { Json } from '../../objects/types.ts'
import { at, listAt, numberAt, textAt } from '../json.ts'
import {
  endpointAddress,
  isWithin,
  parseRange,
  portNameProblems,
  portNumber,
  portNumberOrName,
  range,
} from './address-checks.ts'
import { type Cause, duplicate, forbiddenField, invalidValue, required } from './checks.ts'
import { nameProblems, patternText } from './names.ts'
import {
  all,
  type Check,
  each,
  field,
  fixed,
  given,
  named,
  needed,
  neededName,
  neededOneOf,
  oneOf,
  qualified,
  type UpdateCheck,
} from './rules.ts'
import { selectorCheck } from './selector-checks.ts'

// What the kinds of networking and discovery have to look like.

const WILDCARD = String.raw`\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`
const WILDCARD_TEXT = patternText(
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  WILDCARD,
  '*.example.com',
)

/** The name of a host; `*.` in front stands for any one label. */
const hostName: Check = (path, value) => {
  const host = String(value)
  const problems = host.includes('*')
    ? new RegExp(`^${WILDCARD}$`).test(host)
      ? []
      : [WILDCARD_TEXT]
    : nameProblems(host, 'subdomain')
  return problems.map((text) => invalidValue(path, host, text))
}

const ruleHost: Check = (path, value) => [
  ...(isIP(String(value)) === 0
    ? []
    : [invalidValue(path, value, 'must be a DNS name, not an IP address')]),
  ...hostName(path, value),
]

function backendService(path: string, service: Json): readonly Cause[] {
  const name = textAt(service, 'port', 'name')
  const number = numberAt(service, 'port', 'number') ?? 0
  const port =
    name !== '' && number !== 0
      ? [invalidValue(path, '', 'cannot set both port name & port number')]
      : name !== ''
        ? portNameProblems(name).map((text) =>
            invalidValue(`${path}.service.port.name`, name, text),
          )
        : number !== 0
          ? portNumber(`${path}.service.port.number`, number)
          : [required(path, 'port name or number is required')]
  return [...neededName('label')(`${path}.service.name`, at(service, 'name')), ...port]
}

const backend: Check = (path, value) => {
  const service = at(value, 'service')
  const resource = at(value, 'resource')
  if (service !== undefined && resource !== undefined)
    return [invalidValue(path, '', 'cannot set both resource and service backends')]
  if (resource !== undefined) {
    return all(field('kind', needed()), field('name', needed()))(`${path}.resource`, resource)
  }
  return service === undefined
    ? [invalidValue(path, '', 'resource or service backend is required')]
    : backendService(path, service)
}

const UNWANTED_IN_PATHS = ['//', '/./', '/../', '%2f', '%2F'] as const
const UNWANTED_AT_ENDS = ['/..', '/.'] as const

const httpPath: Check = (place, value) => {
  const type = at(value, 'pathType')
  const path = textAt(value, 'path')
  if (type === undefined) return [required(`${place}.pathType`, 'pathType must be specified')]
  const isMatched = type === 'Exact' || type === 'Prefix'
  const isAbsolute = path.startsWith('/') || (type === 'ImplementationSpecific' && path === '')
  const problems = [
    ...(isAbsolute ? [] : ['must be an absolute path']),
    ...UNWANTED_IN_PATHS.filter((part) => isMatched && path.includes(part)).map(
      (part) => `must not contain '${part}'`,
    ),
    ...UNWANTED_AT_ENDS.filter((part) => isMatched && path.endsWith(part)).map(
      (part) => `cannot end with '${part}'`,
    ),
  ]
  const isKnown = isMatched || type === 'ImplementationSpecific'
  return [
    ...(isKnown
      ? problems.map((text) => invalidValue(`${place}.path`, path, text))
      : oneOf('Exact', 'ImplementationSpecific', 'Prefix')(`${place}.pathType`, type)),
    ...field('backend', backend)(place, value),
  ]
}

const ingressSpec: Check = (path, spec) => {
  const rules = at(spec, 'rules')
  const isEmpty = listAt(spec, 'rules').length === 0 && at(spec, 'defaultBackend') === undefined
  return isEmpty
    ? [invalidValue(path, rules, 'either `defaultBackend` or `rules` must be specified')]
    : []
}

const ingress: Check = field(
  'spec',
  ingressSpec,
  given('defaultBackend', backend),
  each(
    'rules',
    given('host', ruleHost),
    given('http', field('paths', needed()), each('paths', httpPath)),
  ),
  each('tls', each('hosts', hostName)),
  given('ingressClassName', named('subdomain')),
)

/** A name with the domain of its owner in front, such as `example.com/name`. */
const ownedName: Check = (path, value) => {
  const [domain, rest] = String(value).split(/\/(.*)/s)
  return domain !== undefined && rest !== undefined && rest !== ''
    ? nameProblems(domain, 'subdomain').map((text) => invalidValue(path, value, text))
    : [invalidValue(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
}

const ingressClass: Check = field(
  'spec',
  field('controller', needed()),
  given('controller', ownedName),
  given(
    'parameters',
    given('apiGroup', named('subdomain')),
    field('kind', needed()),
    field('name', needed()),
    field('scope', oneOf('Cluster', 'Namespace')),
    (path, value) =>
      textAt(value, 'scope') === 'Namespace' && textAt(value, 'namespace') === ''
        ? [required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'")]
        : textAt(value, 'scope') === 'Cluster' && textAt(value, 'namespace') !== ''
          ? [forbiddenField(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'")]
          : [],
  ),
)

const policyPort: Check = (path, value) => {
  const port = at(value, 'port')
  const end = numberAt(value, 'endPort')
  const place = `${path}.endPort`
  return [
    ...oneOf('TCP', 'UDP', 'SCTP')(`${path}.protocol`, at(value, 'protocol')),
    ...(typeof port === 'number' ? portNumberOrName(`${path}.port`, port) : []),
    ...(end === undefined
      ? []
      : port === undefined
        ? [invalidValue(place, end, 'may not be specified when `port` is not specified')]
        : typeof port === 'string'
          ? [invalidValue(place, end, 'may not be specified when `port` is non-numeric')]
          : Number(port) > end
            ? [invalidValue(place, port, 'must be greater than or equal to `port`')]
            : portNumber(place, end)),
    ...(typeof port === 'string' ? portNumberOrName(`${path}.port`, port) : []),
  ]
}

const block: Check = (path, value) => {
  const text = textAt(value, 'cidr')
  const outer = parseRange(text)
  if (text === '') return [required(`${path}.cidr`)]
  if (outer === undefined) return range(`${path}.cidr`, text)
  return listAt(value, 'except').flatMap((item, index) => {
    const place = `${path}.except[${index}]`
    const inner = parseRange(String(item))
    if (inner === undefined) return range(place, item)
    return isWithin(inner, outer)
      ? []
      : [invalidValue(place, item, 'must be a strict subset of `cidr`')]
  })
}

const peer: Check = (path, value) => {
  const parts = ['podSelector', 'namespaceSelector', 'ipBlock'].filter(
    (key) => at(value, key) !== undefined,
  )
  return [
    ...field('podSelector', selectorCheck)(path, value),
    ...field('namespaceSelector', selectorCheck)(path, value),
    ...given('ipBlock', block)(path, value),
    ...(parts.length === 0 ? [required(path, 'must specify a peer')] : []),
    ...(parts.length > 1 && parts.includes('ipBlock')
      ? [forbiddenField(path, 'may not specify both ipBlock and another peer')]
      : []),
  ]
}

const networkPolicy: Check = field(
  'spec',
  field('podSelector', selectorCheck),
  each('ingress', each('ports', policyPort), each('from', peer)),
  each('egress', each('ports', policyPort), each('to', peer)),
  each('policyTypes', oneOf('Ingress', 'Egress')),
)

const FAMILY_TEXTS: Readonly<Record<string, readonly [family: number, text: string]>> = {
  IPv4: [4, 'must be an IPv4 address'],
  IPv6: [6, 'must be an IPv6 address'],
}

const sliceEndpoints: Check = (path, slice) => {
  const type = textAt(slice, 'addressType')
  const [family, text] = FAMILY_TEXTS[type] ?? [0, '']
  const addressOf: (list: string) => Check = (list) => (place, value) => {
    if (type === 'FQDN') return named('subdomain')(place, value)
    const found = isIP(String(value))
    return [
      ...(found !== 0 && found !== family ? [invalidValue(list, value, text)] : []),
      ...endpointAddress(place, value),
    ]
  }
  return each('endpoints', (place, endpoint) => {
    const list = `${place}.addresses`
    return [
      ...needed('must contain at least 1 address')(list, at(endpoint, 'addresses')),
      ...each('addresses', addressOf(list))(place, endpoint),
      ...given('nodeName', named('subdomain'))(place, endpoint),
      ...given('hostname', named('label'))(place, endpoint),
    ]
  })(path, slice)
}

const slicePorts: Check = (path, slice) => {
  const names = listAt(slice, 'ports').map((port) => textAt(port, 'name'))
  return each('ports', (place, port) => {
    const name = textAt(port, 'name')
    const index = listAt(slice, 'ports').indexOf(port ?? null)
    return [
      ...given('name', named('label'))(place, port),
      ...(names.indexOf(name) < index ? [duplicate(`${place}.name`, name)] : []),
      ...oneOf('SCTP', 'TCP', 'UDP')(`${place}.protocol`, at(port, 'protocol')),
      ...given('appProtocol', qualified)(place, port),
    ]
  })(path, slice)
}

const endpointIp: Check = (path, value) => [
  ...endpointAddress(path, value),
  ...(isIP(String(value)) === 0 ? [invalidValue(path, value, 'must be a valid IP address')] : []),
]

const endpoints: Check = each('subsets', (path, subset) => {
  const isEmpty =
    listAt(subset, 'addresses').length === 0 && listAt(subset, 'notReadyAddresses').length === 0
  const isNamed = listAt(subset, 'ports').length > 1
  const port: Check = (place, value) => [
    ...(isNamed && textAt(value, 'name') === '' ? [required(`${place}.name`)] : []),
    ...given('name', named('label'))(place, value),
    ...portNumber(`${place}.port`, at(value, 'port')),
    ...neededOneOf('SCTP', 'TCP', 'UDP')(`${place}.protocol`, at(value, 'protocol')),
  ]
  return [
    ...(isEmpty ? [required(path, 'must specify `addresses` or `notReadyAddresses`')] : []),
    ...['addresses', 'notReadyAddresses'].flatMap((key) =>
      each(key, field('ip', endpointIp), given('hostname', named('label')))(path, subset),
    ),
    ...each('ports', port)(path, subset),
  ]
})

const addressName: Check = (path, value) =>
  typeof value === 'string' && isIP(value) !== 0
    ? []
    : [invalidValue(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]

/** The checks of these kinds, by resource id. */
export const NETWORK_CHECKS: Readonly<Record<string, Check>> = {
  'ingresses.networking.k8s.io': ingress,
  'ingressclasses.networking.k8s.io': ingressClass,
  'ipaddresses.networking.k8s.io': all(
    field('metadata', field('name', addressName)),
    field('spec', field('parentRef', needed())),
  ),
  'servicecidrs.networking.k8s.io': field(
    'spec',
    field('cidrs', needed('at least one CIDR required')),
  ),
  'networkpolicies.networking.k8s.io': networkPolicy,
  'endpointslices.discovery.k8s.io': all(
    field('addressType', neededOneOf('FQDN', 'IPv4', 'IPv6')),
    slicePorts,
    sliceEndpoints,
  ),
  endpoints,
}

/** What updates of these kinds may not change, by resource id. */
export const NETWORK_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  'ingressclasses.networking.k8s.io': [fixed('spec.controller')],
  'endpointslices.discovery.k8s.io': [fixed('addressType')],
}
