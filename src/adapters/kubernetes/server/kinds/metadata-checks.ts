import type { Json, KubeObject, Resource } from '../../objects/types.ts'
import { at, objectAt, textAt } from '../json.ts'
import { type Cause, invalidValue, tooLong } from './checks.ts'
import { checkLabels, checkName, checkQualifiedName, type NameRule, nameProblems } from './names.ts'

// What the metadata of every object has to look like.

const NAME_RULES: Readonly<Record<string, NameRule>> = {
  namespaces: 'label',
  services: 'label',
  // Its own check says that it is an address.
  'ipaddresses.networking.k8s.io': 'path',
  'poddisruptionbudgets.policy': 'path',
  'statefulsets.apps': 'label',
  'clusterrolebindings.rbac.authorization.k8s.io': 'path',
  'clusterroles.rbac.authorization.k8s.io': 'path',
  'rolebindings.rbac.authorization.k8s.io': 'path',
  'roles.rbac.authorization.k8s.io': 'path',
}

/** The largest annotations of an object, in bytes. */
const ANNOTATION_BYTES_MAX = 256 * 1024

/** Finalizers that need no domain in front, for the kinds that Kubernetes itself has. */
const STANDARD_FINALIZERS: ReadonlySet<string> = new Set([
  'foregroundDeletion',
  'kubernetes',
  'orphan',
])

/** Everything that is wrong with the metadata of an object. */
export function checkMetadata(resource: Resource, object: KubeObject): readonly Cause[] {
  const { metadata } = object
  const rule = NAME_RULES[resource.id] ?? 'subdomain'
  return [
    ...checkPrefix(metadata.generateName ?? '', rule),
    ...checkName('metadata.name', metadata.name, rule),
    ...(resource.namespaced ? checkName('metadata.namespace', metadata.namespace, 'label') : []),
    ...checkLabels('metadata.labels', metadata.labels),
    ...checkAnnotations(metadata['annotations']),
    ...checkOwners(metadata.ownerReferences ?? []),
    ...checkFinalizers(resource, metadata.finalizers ?? []),
  ]
}

/** A prefix may end where a name may not, as something follows. */
function checkPrefix(prefix: string, rule: NameRule): readonly Cause[] {
  if (prefix === '') return []
  const masked = rule === 'path' ? prefix : prefix.replace(/-$/, 'a')
  return nameProblems(masked, rule).map((text) =>
    invalidValue('metadata.generateName', prefix, text),
  )
}

/** What is wrong with annotations. */
export function checkAnnotations(annotations: Json | undefined): readonly Cause[] {
  const all = Object.entries(objectAt({ annotations }, 'annotations'))
  const bytes = all.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  )
  return [
    ...all.flatMap(([key]) =>
      checkQualifiedName('metadata.annotations', key.toLowerCase()).map((cause) => ({
        ...cause,
        message: cause.message.replace(JSON.stringify(key.toLowerCase()), JSON.stringify(key)),
      })),
    ),
    ...(bytes > ANNOTATION_BYTES_MAX
      ? [tooLong('metadata.annotations', ANNOTATION_BYTES_MAX)]
      : []),
  ]
}

function checkOwners(owners: readonly Json[]): readonly Cause[] {
  const field = 'metadata.ownerReferences'
  const causes: Cause[] = []
  let controller = ''
  for (const owner of owners) {
    const version = textAt(owner, 'apiVersion')
    if (version === '')
      causes.push(invalidValue(`${field}.apiVersion`, '', 'version must not be empty'))
    for (const key of ['kind', 'name', 'uid']) {
      if (textAt(owner, key) === '')
        causes.push(invalidValue(`${field}.${key}`, '', 'must not be empty'))
    }
    if (version === 'v1' && textAt(owner, 'kind') === 'Event')
      causes.push(invalidValue(field, owner, '/v1, Kind=Event is disallowed from being an owner'))
    if (at(owner, 'controller') !== true) continue
    const name = `${textAt(owner, 'kind')}/${textAt(owner, 'name')}`
    const text = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`
    if (controller !== '') causes.push(invalidValue(field, owners, text))
    controller ||= name
  }
  return causes
}

function checkFinalizers(resource: Resource, finalizers: readonly string[]): readonly Cause[] {
  const field = 'metadata.finalizers'
  const isOwnKind = !resource.group.includes('.') || resource.group.endsWith('.k8s.io')
  const text = 'name is neither a standard finalizer name nor is it fully qualified'
  const isBoth = finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')
  return [
    ...finalizers.flatMap((name) => checkQualifiedName(field, name)),
    ...(isBoth
      ? [
          invalidValue(
            field,
            finalizers,
            'finalizer orphan and foregroundDeletion cannot be both set',
          ),
        ]
      : []),
    ...finalizers.flatMap((name, index) =>
      isOwnKind && !name.includes('/') && !STANDARD_FINALIZERS.has(name)
        ? [invalidValue(`${field}[${index}]`, name, text)]
        : [],
    ),
  ]
}
