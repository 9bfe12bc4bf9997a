import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import { type Cause, invalidValue, notSupported, required } from '../kinds/checks.ts'
import { nameProblems } from '../kinds/names.ts'
import type { Check, UpdateCheck } from '../kinds/rules.ts'
import { checkConversion } from './conversion-checks.ts'
import { checkShared, checkVersion, sharedParts } from './version-checks.ts'

/** What is wrong with a text that has to be a DNS-1035 label. */
function labelCauses(field: string, value: string, prefix = ''): readonly Cause[] {
  const text = prefix === '' ? value : value.toLowerCase()
  const problems = text === '' ? [] : nameProblems(text, 'dns1035')
  return problems.length === 0 ? [] : [invalidValue(field, value, prefix + problems.join(','))]
}

/** A name is given once. */
function nameCauses(definition: JsonObject): readonly Cause[] {
  if (textAt(definition, 'metadata', 'uid') !== '') return []
  const name = textAt(definition, 'metadata', 'name')
  const wanted = `${textAt(definition, 'spec', 'names', 'plural')}.${textAt(definition, 'spec', 'group')}`
  return name === wanted || name === ''
    ? []
    : [invalidValue('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]
}

function groupCauses(spec: JsonObject): readonly Cause[] {
  const group = textAt(spec, 'group')
  const field = 'spec.group'
  if (group === '') return [required(field)]
  const problems = nameProblems(group, 'subdomain')
  if (problems.length > 0) return [invalidValue(field, group, problems.join(','))]
  return group.includes('.')
    ? []
    : [invalidValue(field, group, 'should be a domain with at least one dot')]
}

const MIXED = 'may have mixed case, but should otherwise match: '

function namesCauses(spec: JsonObject): readonly Cause[] {
  const names = objectAt(spec, 'names')
  const path = 'spec.names'
  const missing = ['plural', 'singular', 'kind', 'listKind'].flatMap((key) =>
    textAt(names, key) === '' ? [required(`${path}.${key}`)] : [],
  )
  const kind = textAt(names, 'kind')
  const isSame = kind !== '' && kind === textAt(names, 'listKind')
  const texts = (key: string): readonly Cause[] =>
    listAt(names, key).flatMap((name, index) =>
      labelCauses(`${path}.${key}[${index}]`, String(name)),
    )
  return [
    ...missing,
    ...['plural', 'singular'].flatMap((key) => labelCauses(`${path}.${key}`, textAt(names, key))),
    ...['kind', 'listKind'].flatMap((key) =>
      labelCauses(`${path}.${key}`, textAt(names, key), MIXED),
    ),
    ...texts('shortNames'),
    ...(isSame
      ? [invalidValue(`${path}.listKind`, kind, 'kind and listKind may not be the same')]
      : []),
    ...texts('categories'),
  ]
}

/** A version as messages show it, where what all versions share is said once above them. */
function goVersion(version: Json): JsonObject {
  return {
    Name: textAt(version, 'name'),
    Served: at(version, 'served') === true,
    Storage: at(version, 'storage') === true,
    Deprecated: at(version, 'deprecated') === true,
    DeprecationWarning: at(version, 'deprecationWarning') ?? null,
    Schema: null,
    Subresources: null,
    AdditionalPrinterColumns: null,
    SelectableFields: null,
  }
}

function versionsCauses(spec: JsonObject): readonly Cause[] {
  const versions = listAt(spec, 'versions')
  const path = 'spec.versions'
  const names = versions.map((version) => textAt(version, 'name'))
  const storages = versions.filter((version) => at(version, 'storage') === true).length
  const missing = versions.flatMap((version, index) =>
    at(version, 'schema', 'openAPIV3Schema') === undefined
      ? [required(`${path}[${index}].schema.openAPIV3Schema`)]
      : [],
  )
  const shared = sharedParts(versions.filter(isObject))
  const shown = versions.map(goVersion)
  return [
    ...missing,
    ...versions.flatMap((version, index) => [
      ...labelCauses(`${path}[${index}].name`, names[index] ?? ''),
      ...(isObject(version) ? checkVersion(version, `${path}[${index}]`, shared) : []),
    ]),
    ...checkShared(versions.find(isObject), shared),
    ...labelCauses('spec.version', names[0] ?? ''),
    ...(new Set(names).size === names.length
      ? []
      : [invalidValue(path, shown, 'must contain unique version names')]),
    ...(storages === 1
      ? []
      : [invalidValue(path, shown, 'must have exactly one version marked as storage version')]),
    ...(storages > 0
      ? []
      : [invalidValue('status.storedVersions', null, 'must have at least one stored version')]),
  ]
}

/** Groups of Kubernetes itself are not for everybody. */
function approvalCauses(definition: JsonObject): readonly Cause[] {
  const group = textAt(definition, 'spec', 'group')
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return []
  const name = 'api-approved.kubernetes.io'
  const value = textAt(definition, 'metadata', 'annotations', name)
  const field = `metadata.annotations[${name}]`
  const link = 'see https://github.com/kubernetes/enhancements/pull/1111'
  if (value === '')
    return [required(field, `protected groups must have approval annotation "${name}", ${link}`)]
  if (value.startsWith('unapproved') || URL.canParse(value)) return []
  const text = `protected groups must have approval annotation "${name}" with either a URL or a reason starting with "unapproved", ${link}`
  return [invalidValue(field, value, text)]
}

/** Everything that is wrong with a definition. */
export const DEFINITION_CHECK: Check = (_path, value) => {
  if (!isObject(value)) return []
  const spec = objectAt(value, 'spec')
  const scope = textAt(spec, 'scope')
  const preserves = spec['preserveUnknownFields']
  return [
    ...nameCauses(value),
    ...groupCauses(spec),
    ...(scope === ''
      ? [required('spec.scope')]
      : ['Cluster', 'Namespaced'].includes(scope)
        ? []
        : [notSupported('spec.scope', scope, ['Cluster', 'Namespaced'])]),
    ...versionsCauses(spec),
    ...namesCauses(spec),
    ...checkConversion(objectAt(spec, 'conversion')),
    ...approvalCauses(value),
    ...(preserves === true
      ? [
          invalidValue(
            'spec.preserveUnknownFields',
            true,
            'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
          ),
        ]
      : []),
  ]
}

function fixed(
  before: JsonObject,
  after: JsonObject,
  ...path: readonly string[]
): readonly Cause[] {
  const value = at(after, ...path)
  return sameJson(at(before, ...path), value)
    ? []
    : [invalidValue(path.join('.'), value, 'field is immutable')]
}

/** What an update of a definition may not change, and which versions it has to keep. */
export const DEFINITION_UPDATE: UpdateCheck = (before, after) => {
  const isEstablished = listAt(before, 'status', 'conditions').some(
    (condition) => at(condition, 'type') === 'Established' && at(condition, 'status') === 'True',
  )
  return [
    ...(isEstablished
      ? [...fixed(before, after, 'spec', 'scope'), ...fixed(before, after, 'spec', 'names', 'kind')]
      : []),
    ...fixed(before, after, 'spec', 'group'),
    ...fixed(before, after, 'spec', 'names', 'plural'),
    ...storedCauses(before, after),
  ]
}

function storedCauses(before: JsonObject, after: JsonObject): readonly Cause[] {
  const stored: readonly Json[] = listAt(before, 'status', 'storedVersions')
  const names = new Set(listAt(after, 'spec', 'versions').map((item) => textAt(item, 'name')))
  return stored.flatMap((version, index) => {
    const name = String(version)
    if (names.has(name)) return []
    const text = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`
    return [invalidValue(`status.storedVersions[${index}]`, name, text)]
  })
}
