import type { Json, KubeObject } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { AGE, column, listText, NAME, type TableColumn, textCell } from './column.ts'
import { selectorText } from './selector-text.ts'

/** Entries that are shown before the rest is only counted. */
const SHOWN_MAX = 3

/** The characters that addresses of a load balancer may take. */
const ADDRESS_CHARACTERS_MAX = 16

function ingressHosts(ingress: KubeObject): string {
  const rules = listAt(ingress, 'spec', 'rules')
  const shown = rules.slice(0, SHOWN_MAX).map((rule) => textAt(rule, 'host'))
  const hosts = shown.filter((host) => host !== '')
  if (hosts.length === 0) return '*'
  const more = rules.length > SHOWN_MAX ? ` + ${rules.length - SHOWN_MAX} more...` : ''
  return hosts.join(',') + more
}

function ingressAddress(ingress: KubeObject): string {
  const all = listAt(ingress, 'status', 'loadBalancer', 'ingress').map(
    (item) => textAt(item, 'ip') || textAt(item, 'hostname'),
  )
  const text = [...new Set(all.filter((item) => item !== ''))].sort().join(',')
  return text.length > ADDRESS_CHARACTERS_MAX
    ? `${text.slice(0, ADDRESS_CHARACTERS_MAX - 3)}...`
    : text
}

function classParameters(object: KubeObject): string {
  const parameters = at(object, 'spec', 'parameters')
  if (parameters === undefined) return '<none>'
  const group = textAt(parameters, 'apiGroup')
  const kind = textAt(parameters, 'kind')
  return `${kind}${group === '' ? '' : `.${group}`}/${textAt(parameters, 'name')}`
}

/** An address with a port, as a URL writes it. */
function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function subsetTexts(subset: Json): readonly string[] {
  const addresses = listAt(subset, 'addresses').map((item) => textAt(item, 'ip'))
  const ports = listAt(subset, 'ports').map((port) => numberAt(port, 'port') ?? 0)
  return ports.length === 0
    ? addresses
    : ports.flatMap((port) => addresses.map((address) => hostPort(address, port)))
}

function endpointsText(object: KubeObject): string {
  const subsets = listAt(object, 'subsets')
  return subsets.length === 0 ? '<none>' : listText(subsets.flatMap(subsetTexts), SHOWN_MAX)
}

function slicePorts(slice: KubeObject): string {
  const ports = listAt(slice, 'ports').map((port) => {
    const number = numberAt(port, 'port')
    return number === undefined ? textAt(port, 'name') || '*' : String(number)
  })
  return ports.length === 0 ? '<unset>' : listText(ports, SHOWN_MAX)
}

function sliceAddresses(slice: KubeObject): string {
  const all = listAt(slice, 'endpoints').flatMap((item) => listAt(item, 'addresses').map(String))
  return all.length === 0 ? '<unset>' : listText(all, SHOWN_MAX)
}

function parentText(address: KubeObject): string {
  const parent = objectAt(address, 'spec', 'parentRef')
  if (Object.keys(parent).length === 0) return '<none>'
  const group = textAt(parent, 'group')
  const resource = `${textAt(parent, 'resource')}${group === '' ? '' : `.${group}`}`
  const namespace = textAt(parent, 'namespace')
  return [
    resource.toLowerCase(),
    ...(namespace === '' ? [] : [namespace]),
    textAt(parent, 'name'),
  ].join('/')
}

/** A name, with a mark on what is taken where nothing is said. */
export function nameWithDefault(annotation: string): TableColumn {
  return column(
    'Name',
    NAME.description,
    (object) =>
      object.metadata.annotations?.[annotation] === 'true'
        ? `${object.metadata.name} (default)`
        : object.metadata.name,
    { format: 'name' },
  )
}

/** The columns of these kinds, by resource id. */
export const NETWORK_COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  endpoints: [NAME, column('Endpoints', 'Where the pods are reached.', endpointsText), AGE],
  'endpointslices.discovery.k8s.io': [
    NAME,
    column('AddressType', 'The family of the addresses.', textCell(['addressType'])),
    column('Ports', 'The ports of the endpoints.', slicePorts),
    column('Endpoints', 'The addresses of the endpoints.', sliceAddresses),
    AGE,
  ],
  'ingresses.networking.k8s.io': [
    NAME,
    column('Class', 'Who serves it.', textCell(['spec', 'ingressClassName'], '<none>')),
    column('Hosts', 'The hosts that it is for.', ingressHosts),
    column('Address', 'Where it is reached.', ingressAddress),
    column('Ports', 'The ports that are open.', (ingress) =>
      listAt(ingress, 'spec', 'tls').length > 0 ? '80, 443' : '80',
    ),
    AGE,
  ],
  'ingressclasses.networking.k8s.io': [
    nameWithDefault('ingressclass.kubernetes.io/is-default-class'),
    column('Controller', 'Who serves this class.', textCell(['spec', 'controller'])),
    column('Parameters', 'Where its settings are.', classParameters),
    AGE,
  ],
  'ipaddresses.networking.k8s.io': [
    NAME,
    column('ParentRef', 'What the address belongs to.', parentText),
    AGE,
  ],
  'networkpolicies.networking.k8s.io': [
    NAME,
    column('Pod-Selector', 'The pods that it is for.', (policy) =>
      selectorText(at(policy, 'spec', 'podSelector')),
    ),
    AGE,
  ],
  'servicecidrs.networking.k8s.io': [
    NAME,
    column('CIDRs', 'The ranges of addresses.', (object) =>
      listAt(object, 'spec', 'cidrs').map(String).join(','),
    ),
    AGE,
  ],
}
