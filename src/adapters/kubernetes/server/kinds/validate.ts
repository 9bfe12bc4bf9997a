import type { Json, JsonObject, KubeObject, Resource } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import { labelSelector } from '../selectors.ts'
import { selectorText } from '../table/columns.ts'
import {
  type Cause,
  checkLabels,
  checkName,
  checkOneOf,
  checkQualifiedName,
  checkRange,
  checkUnique,
  forbiddenField,
  invalidValue,
  type NameRule,
  required,
  tooLong,
} from './checks.ts'
import { checkPodSpec, checkPodUpdate } from './pod-validate.ts'

const NAME_RULES: Readonly<Record<string, NameRule>> = { namespaces: 'label', services: 'service' }

/** The largest annotations and the largest content of a config map or secret, in bytes. */
const ANNOTATION_BYTES_MAX = 256 * 1024
const CONTENT_BYTES_MAX = 1024 * 1024
const MAX = Number.MAX_SAFE_INTEGER

/** Everything that is wrong with an object, on its own. */
export function checkObject(resource: Resource, object: KubeObject): readonly Cause[] {
  return [...checkMetadata(resource, object), ...(BY_KIND[resource.id]?.(object) ?? [])]
}

/** Everything that an update changes and may not. */
export function checkUpdate(
  resource: Resource,
  before: KubeObject,
  after: KubeObject,
): readonly Cause[] {
  const fixed = ['uid', 'creationTimestamp'].flatMap((key): Cause[] => {
    const was = at(before, 'metadata', key)
    const is = at(after, 'metadata', key)
    return was === undefined || is === undefined || sameJson(was, is)
      ? []
      : [invalidValue(`metadata.${key}`, is, 'field is immutable')]
  })
  const frozen = UPDATES[resource.id]?.(before, after)
  const listed = resource.immutable.flatMap((path): Cause[] => {
    const was = valuesAt(before, path.split('.'))
    const is = valuesAt(after, path.split('.'))
    return was === undefined || sameJson(was, is)
      ? []
      : [invalidValue(path, is, 'field is immutable')]
  })
  return [...fixed, ...(frozen ?? listed)]
}

/** The value at a path in which `*` means every item; undefined where the path ends early. */
function valuesAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (key === '*')
    return Array.isArray(value)
      ? value.map((item: Json) => valuesAt(item, rest) ?? null)
      : undefined
  return valuesAt(at(value, key), rest)
}

function checkMetadata(resource: Resource, object: KubeObject): readonly Cause[] {
  const { metadata } = object
  const annotations = Object.entries(objectAt(metadata, 'annotations'))
  const bytes = annotations.reduce(
    (sum, [key, value]) => sum + key.length + Buffer.byteLength(String(value)),
    0,
  )
  return [
    ...checkName('metadata.name', metadata.name, NAME_RULES[resource.id] ?? 'subdomain'),
    ...(resource.namespaced ? checkName('metadata.namespace', metadata.namespace, 'label') : []),
    ...checkLabels('metadata.labels', metadata.labels),
    ...annotations.flatMap(([key]) =>
      checkQualifiedName('metadata.annotations', key.toLowerCase()),
    ),
    ...(bytes > ANNOTATION_BYTES_MAX
      ? [tooLong('metadata.annotations', ANNOTATION_BYTES_MAX)]
      : []),
    ...(metadata.finalizers ?? []).flatMap((name, index) =>
      checkQualifiedName(`metadata.finalizers[${index}]`, name),
    ),
    ...(metadata.ownerReferences ?? []).flatMap((owner, index) =>
      ['apiVersion', 'kind', 'name', 'uid'].flatMap((key) =>
        textAt(owner, key) === ''
          ? [
              invalidValue(
                `metadata.ownerReferences[${index}].${key}`,
                '',
                `${key} must not be empty`,
              ),
            ]
          : [],
      ),
    ),
  ]
}

function checkContent(object: KubeObject, ...maps: readonly string[]): readonly Cause[] {
  const causes: Cause[] = []
  let bytes = 0
  const seen = new Set<string>()
  for (const map of maps) {
    for (const [key, value] of Object.entries(objectAt(object, map))) {
      bytes += typeof value === 'string' ? Buffer.byteLength(value) : 0
      if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === '.' || key === '..') {
        causes.push(
          invalidValue(
            `${map}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
          ),
        )
      }
      if (seen.has(key)) causes.push(invalidValue(map, key, 'duplicate of key present in data'))
      seen.add(key)
    }
  }
  return bytes > CONTENT_BYTES_MAX ? [...causes, tooLong(maps[0] ?? '', CONTENT_BYTES_MAX)] : causes
}

function checkSecret(object: KubeObject): readonly Cause[] {
  const needs: Readonly<Record<string, readonly string[]>> = {
    'kubernetes.io/tls': ['tls.crt', 'tls.key'],
    'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  }
  const missing = (needs[textAt(object, 'type')] ?? []).filter(
    (key) => at(object, 'data', key) === undefined,
  )
  return [...checkContent(object, 'data'), ...missing.map((key) => required(`data[${key}]`))]
}

function checkService(object: KubeObject): readonly Cause[] {
  const spec = objectAt(object, 'spec')
  const ports = listAt(spec, 'ports')
  const type = textAt(spec, 'type')
  const isPortless = type === 'ExternalName' || textAt(spec, 'clusterIP') === 'None'
  return [
    ...checkOneOf('spec.type', spec['type'], [
      'ClusterIP',
      'ExternalName',
      'LoadBalancer',
      'NodePort',
    ]),
    ...checkOneOf('spec.sessionAffinity', spec['sessionAffinity'], ['ClientIP', 'None']),
    ...(type === 'ExternalName' && textAt(spec, 'externalName') === ''
      ? [required('spec.externalName')]
      : []),
    ...(ports.length === 0 && !isPortless ? [required('spec.ports')] : []),
    ...ports.flatMap((port, index) => [
      ...checkRange(`spec.ports[${index}].port`, at(port, 'port') ?? 0, 1, 65535),
      ...checkOneOf(`spec.ports[${index}].protocol`, at(port, 'protocol'), ['SCTP', 'TCP', 'UDP']),
      ...(ports.length > 1 && textAt(port, 'name') === ''
        ? [required(`spec.ports[${index}].name`)]
        : []),
    ]),
    ...checkUnique(
      'spec.ports',
      ports.map((port) => at(port, 'name')),
      'name',
    ),
    ...checkLabels('spec.selector', spec['selector']),
  ]
}

function checkReplicaSet(object: KubeObject): readonly Cause[] {
  const spec = objectAt(object, 'spec')
  const template = objectAt(spec, 'template')
  const selector = spec['selector']
  const isEmpty = !isObject(selector) || selectorText(selector) === '<none>'
  const labels = objectAt(template, 'metadata', 'labels')
  return [
    ...checkRange('spec.replicas', spec['replicas'], 0, MAX),
    ...(selector === undefined
      ? [required('spec.selector')]
      : isEmpty
        ? [invalidValue('spec.selector', selector, 'empty selector is invalid for replicaset')]
        : []),
    ...(isEmpty || matches(selector, template)
      ? []
      : [
          invalidValue(
            'spec.template.metadata.labels',
            labels,
            '`selector` does not match template `labels`',
          ),
        ]),
    ...checkPodSpec('spec.template.spec', objectAt(template, 'spec')),
    ...checkOneOf('spec.template.spec.restartPolicy', at(template, 'spec', 'restartPolicy'), [
      'Always',
    ]),
  ]
}

function matches(selector: JsonObject, template: JsonObject): boolean {
  try {
    return labelSelector(selectorText(selector))({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: '' },
      ...template,
    } as KubeObject)
  } catch {
    return false
  }
}

function checkEvent(object: KubeObject): readonly Cause[] {
  const namespace = textAt(object, 'involvedObject', 'namespace')
  const isApart = namespace !== '' && namespace !== object.metadata.namespace
  return isApart
    ? [invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace')]
    : []
}

function checkLease(object: KubeObject): readonly Cause[] {
  return checkRange('spec.leaseDurationSeconds', at(object, 'spec', 'leaseDurationSeconds'), 1, MAX)
}

function checkNode(object: KubeObject): readonly Cause[] {
  return listAt(object, 'spec', 'taints').flatMap((taint, index) => [
    ...checkQualifiedName(`spec.taints[${index}].key`, textAt(taint, 'key')),
    ...checkOneOf(`spec.taints[${index}].effect`, at(taint, 'effect') ?? '', [
      'NoSchedule',
      'PreferNoSchedule',
      'NoExecute',
    ]),
  ])
}

const BY_KIND: Readonly<Record<string, (object: KubeObject) => readonly Cause[]>> = {
  pods: (pod) => checkPodSpec('spec', objectAt(pod, 'spec')),
  nodes: checkNode,
  configmaps: (object) => checkContent(object, 'data', 'binaryData'),
  secrets: checkSecret,
  services: checkService,
  events: checkEvent,
  'leases.coordination.k8s.io': checkLease,
  'replicasets.apps': checkReplicaSet,
}

function checkContentUpdate(before: KubeObject, after: KubeObject): readonly Cause[] {
  const causes: Cause[] = []
  if (before.kind === 'Secret' && !sameJson(before['type'], after['type'])) {
    causes.push(invalidValue('type', after['type'], 'field is immutable'))
  }
  if (before['immutable'] !== true) return causes
  for (const field of ['immutable', 'data', 'binaryData']) {
    if (!sameJson(before[field], after[field]))
      causes.push(forbiddenField(field, 'field is immutable when `immutable` is set'))
  }
  return causes
}

/** Rules that know more than a list of immutable paths; they stand instead of it. */
const UPDATES: Readonly<
  Record<string, (before: KubeObject, after: KubeObject) => readonly Cause[]>
> = {
  pods: checkPodUpdate,
  configmaps: checkContentUpdate,
  secrets: checkContentUpdate,
}
