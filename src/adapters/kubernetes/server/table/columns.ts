import type { KubeObject } from '../../objects/types.ts'
import { at, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { NODE_METRICS_COLUMNS, POD_METRICS_COLUMNS } from '../metrics/metrics-columns.ts'
import { NODE_METRICS, POD_METRICS } from '../metrics/metrics-objects.ts'
import { ACCESS_COLUMNS } from './access-columns.ts'
import {
  AGE,
  column,
  countCell,
  labelsText,
  NAME,
  type Since,
  since,
  type TableColumn,
  textCell,
} from './column.ts'
import { DEVICE_COLUMNS } from './device-columns.ts'
import { NETWORK_COLUMNS } from './network-columns.ts'
import { POD_COLUMNS } from './pod-columns.ts'
import { STORAGE_COLUMNS } from './storage-columns.ts'
import { WORKLOAD_COLUMNS } from './workload-columns.ts'

const wide = { priority: 1 } as const

function nodeStatus(node: KubeObject): string {
  const ready = listAt(node, 'status', 'conditions').find((item) => at(item, 'type') === 'Ready')
  const status =
    ready === undefined ? 'Unknown' : at(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  return at(node, 'spec', 'unschedulable') === true ? `${status},SchedulingDisabled` : status
}

function nodeRoles(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/'
  const roles = Object.entries(objectAt(node, 'metadata', 'labels')).flatMap(([key, value]) => {
    if (key.startsWith(prefix) && key.length > prefix.length) return [key.slice(prefix.length)]
    return key === 'kubernetes.io/role' && typeof value === 'string' && value !== '' ? [value] : []
  })
  return roles.length === 0 ? '<none>' : roles.sort().join(',')
}

function nodeAddress(type: string): (node: KubeObject) => string {
  return (node) => {
    const found = listAt(node, 'status', 'addresses').find((item) => at(item, 'type') === type)
    return textAt(found, 'address') || '<none>'
  }
}

function servicePorts(object: KubeObject): string {
  const ports = listAt(object, 'spec', 'ports').map((port) => {
    const nodePort = numberAt(port, 'nodePort') ?? 0
    return `${numberAt(port, 'port') ?? 0}${nodePort === 0 ? '' : `:${nodePort}`}/${textAt(port, 'protocol') || 'TCP'}`
  })
  return ports.length === 0 ? '<none>' : ports.join(',')
}

function externalAddress(object: KubeObject): string {
  const ingress = listAt(object, 'status', 'loadBalancer', 'ingress').map(
    (item) => textAt(item, 'ip') || textAt(item, 'hostname'),
  )
  const given = listAt(object, 'spec', 'externalIPs').map(String)
  const type = textAt(object, 'spec', 'type')
  if (type === 'ExternalName') return textAt(object, 'spec', 'externalName')
  const all = [...(type === 'LoadBalancer' ? ingress : []), ...given]
  if (all.length > 0) return all.join(',')
  return type === 'LoadBalancer' ? '<pending>' : '<none>'
}

function eventObject(event: KubeObject): string {
  const involved = objectAt(event, 'involvedObject')
  const name = textAt(involved, 'name')
  return `${textAt(involved, 'kind').toLowerCase()}${name === '' ? '' : `/${name}`}`
}

function eventSource(event: KubeObject): string {
  const parts = [
    textAt(event, 'source', 'component') || textAt(event, 'reportingComponent'),
    textAt(event, 'source', 'host') || textAt(event, 'reportingInstance'),
  ]
  return parts.filter((part) => part !== '').join(', ')
}

function lastSeen(event: KubeObject): string | Since {
  const moment =
    textAt(event, 'series', 'lastObservedTime') ||
    textAt(event, 'lastTimestamp') ||
    textAt(event, 'eventTime')
  return since(moment)
}

function firstSeen(event: KubeObject): string | Since {
  return since(textAt(event, 'firstTimestamp') || textAt(event, 'eventTime'))
}

const NODE_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Status', 'Whether the node is ready.', nodeStatus),
  column('Roles', 'What the node is for.', nodeRoles),
  AGE,
  column(
    'Version',
    'The version of its agent.',
    textCell(['status', 'nodeInfo', 'kubeletVersion']),
  ),
  column('Internal-IP', 'Its address inside.', nodeAddress('InternalIP'), wide),
  column('External-IP', 'Its address outside.', nodeAddress('ExternalIP'), wide),
  column(
    'OS-Image',
    'Its operating system.',
    textCell(['status', 'nodeInfo', 'osImage'], '<unknown>'),
    wide,
  ),
  column(
    'Kernel-Version',
    'Its kernel.',
    textCell(['status', 'nodeInfo', 'kernelVersion'], '<unknown>'),
    wide,
  ),
  column(
    'Container-Runtime',
    'What runs its containers.',
    textCell(['status', 'nodeInfo', 'containerRuntimeVersion'], '<unknown>'),
    wide,
  ),
]

const SERVICE_COLUMNS: readonly TableColumn[] = [
  NAME,
  column('Type', 'How the service is reached.', textCell(['spec', 'type'], 'ClusterIP')),
  column('Cluster-IP', 'Its address inside.', textCell(['spec', 'clusterIP'], '<none>')),
  column('External-IP', 'Its address outside.', externalAddress),
  column('Port(s)', 'Its ports.', servicePorts),
  AGE,
  column(
    'Selector',
    'The pods that it leads to.',
    (object) => labelsText(objectAt(object, 'spec', 'selector')),
    wide,
  ),
]

const EVENT_COLUMNS: readonly TableColumn[] = [
  column('Last Seen', 'When it happened last.', lastSeen),
  column('Type', 'Normal or Warning.', textCell(['type'])),
  column('Reason', 'Why, in one word.', textCell(['reason'])),
  column('Object', 'What it is about.', eventObject),
  column('Subobject', 'Which part of the object.', textCell(['involvedObject', 'fieldPath']), wide),
  column('Source', 'Who says so.', eventSource, wide),
  column('Message', 'What happened.', (event) => textAt(event, 'message').trim()),
  column('First Seen', 'When it happened first.', firstSeen, wide),
  column(
    'Count',
    'How often it happened.',
    (event) => numberAt(event, 'series', 'count') ?? (numberAt(event, 'count') || 1),
    wide,
  ),
  column('Name', 'The name of the event.', (event) => event.metadata.name, {
    ...wide,
    format: 'name',
  }),
]

/** The columns of the kinds that have more than a name and an age, by resource id. */
export const COLUMNS: Readonly<Record<string, readonly TableColumn[]>> = {
  ...ACCESS_COLUMNS,
  ...DEVICE_COLUMNS,
  ...NETWORK_COLUMNS,
  ...STORAGE_COLUMNS,
  ...WORKLOAD_COLUMNS,
  pods: POD_COLUMNS,
  [NODE_METRICS]: NODE_METRICS_COLUMNS,
  [POD_METRICS]: POD_METRICS_COLUMNS,
  nodes: NODE_COLUMNS,
  namespaces: [
    NAME,
    column('Status', 'The phase of the namespace.', textCell(['status', 'phase'])),
    AGE,
  ],
  configmaps: [
    NAME,
    column('Data', 'How many keys it has.', countCell(['data'], ['binaryData'])),
    AGE,
  ],
  secrets: [
    NAME,
    column('Type', 'What the secret is for.', textCell(['type'])),
    column('Data', 'How many keys it has.', countCell(['data'])),
    AGE,
  ],
  services: SERVICE_COLUMNS,
  serviceaccounts: [NAME, AGE],
  events: EVENT_COLUMNS,
  'leases.coordination.k8s.io': [
    NAME,
    column('Holder', 'Who holds the lease.', textCell(['spec', 'holderIdentity'])),
    AGE,
  ],
}

/** The columns of any other kind. */
export const PLAIN_COLUMNS: readonly TableColumn[] = [
  NAME,
  column(
    'Created At',
    'When the object was created.',
    (object) => object.metadata.creationTimestamp ?? '',
    { type: 'date' },
  ),
]
