import type { KubeObject } from '../../objects/types.ts'
import { at, numberAt, textAt } from '../json.ts'
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

const FIELDS: Readonly<Record<string, SelectableFields>> = {
  pods: {
    'spec.nodeName': text('spec', 'nodeName'),
    'spec.restartPolicy': text('spec', 'restartPolicy'),
    'spec.schedulerName': text('spec', 'schedulerName'),
    'spec.serviceAccountName': text('spec', 'serviceAccountName'),
    'spec.hostNetwork': flag('spec', 'hostNetwork'),
    'status.phase': text('status', 'phase'),
    'status.podIP': text('status', 'podIP'),
    'status.nominatedNodeName': text('status', 'nominatedNodeName'),
  },
  nodes: { 'spec.unschedulable': flag('spec', 'unschedulable') },
  namespaces: { name: (object) => object.metadata.name, 'status.phase': text('status', 'phase') },
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
  'replicasets.apps': {
    'status.replicas': (object) => String(numberAt(object, 'status', 'replicas') ?? 0),
  },
}

/** The fields that a kind can be selected by, by resource id. */
export function selectableFields(resource: string): SelectableFields {
  return { ...METADATA_FIELDS, ...FIELDS[resource] }
}
