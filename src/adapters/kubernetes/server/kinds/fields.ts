import type { KubeObject } from '../../objects/types.ts'
import { at, listAt, numberAt, textAt } from '../json.ts'
import { METADATA_FIELDS, type SelectableFields } from '../selectors.ts'

const text =
  (...path: readonly string[]) =>
  (object: KubeObject): string =>
    textAt(object, ...path)
const flag =
  (...path: readonly string[]) =>
  (object: KubeObject): string =>
    String(at(object, ...path) === true)

function involved(field: string): (object: KubeObject) => string {
  return text('involvedObject', field)
}

const count =
  (...path: readonly string[]) =>
  (object: KubeObject): string =>
    String(numberAt(object, ...path) ?? 0)

/** The first address of a pod, wherever it is told. */
function firstAddress(pod: KubeObject): string {
  return textAt(listAt(pod, 'status', 'podIPs')[0], 'ip') || textAt(pod, 'status', 'podIP')
}

/** Kinds that are in no namespace and do not take a selector for one either. */
const WITHOUT_NAMESPACE: ReadonlySet<string> = new Set(['namespaces', 'nodes'])

const FIELDS: Readonly<Record<string, SelectableFields>> = {
  pods: {
    'spec.host': text('spec', 'nodeName'),
    'spec.nodeName': text('spec', 'nodeName'),
    'spec.restartPolicy': text('spec', 'restartPolicy'),
    'spec.schedulerName': text('spec', 'schedulerName'),
    'spec.serviceAccountName': text('spec', 'serviceAccountName'),
    'spec.hostNetwork': flag('spec', 'hostNetwork'),
    'status.phase': text('status', 'phase'),
    'status.podIP': firstAddress,
    'status.podIPs': text(),
    'status.nominatedNodeName': text('status', 'nominatedNodeName'),
  },
  nodes: { 'spec.unschedulable': flag('spec', 'unschedulable') },
  namespaces: { 'status.phase': text('status', 'phase') },
  replicationcontrollers: { 'status.replicas': count('status', 'replicas') },
  secrets: { type: text('type') },
  services: { 'spec.clusterIP': text('spec', 'clusterIP'), 'spec.type': text('spec', 'type') },
  events: {
    'involvedObject.kind': involved('kind'),
    'involvedObject.namespace': involved('namespace'),
    'involvedObject.name': involved('name'),
    'involvedObject.uid': involved('uid'),
    'involvedObject.apiVersion': involved('apiVersion'),
    'involvedObject.resourceVersion': involved('resourceVersion'),
    'involvedObject.fieldPath': involved('fieldPath'),
    reason: text('reason'),
    reportingComponent: text('reportingComponent'),
    source: (object) =>
      textAt(object, 'source', 'component') || textAt(object, 'reportingComponent'),
    type: text('type'),
  },
  'jobs.batch': { 'status.successful': count('status', 'succeeded') },
}

/** The fields that a kind can be selected by, by resource id. */
export function selectableFields(resource: string): SelectableFields {
  const { 'metadata.namespace': namespace, ...own } = { ...METADATA_FIELDS, ...FIELDS[resource] }
  return namespace === undefined || WITHOUT_NAMESPACE.has(resource)
    ? own
    : { ...own, 'metadata.namespace': namespace }
}
