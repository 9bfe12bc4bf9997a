import { partsOf } from '../../objects/custom-resources.ts'
import { isObject, mapAt, mapsAt } from '../../objects/read.ts'
import type { JsonObject, KubeObject, Resource } from '../../objects/types.ts'
import type { Served } from '../catalog.ts'
import type { Conversion } from '../convert/conversion.ts'
import { textAt } from '../json.ts'
import { METADATA_FIELDS, type SelectableFields } from '../selectors.ts'
import { columnsOf } from './columns.ts'
import type { CustomKind } from './custom-kind.ts'
import { defaultedObject } from './defaulting.ts'
import { parsePath } from './json-path.ts'
import { openApiNameOf, openApiSchemaOf } from './open-api.ts'
import { ownedType } from './owned-type.ts'
import { prunedObject } from './prune.ts'
import { scalePathsOf } from './scale-paths.ts'
import { readSchema, type Schema } from './schema.ts'
import { byVersionPriority } from './version-order.ts'

/** The verbs of a custom kind, in the order in which kube-apiserver lists them. */
const VERBS = [
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'create',
  'update',
  'watch',
] as const

/** Whether a definition wants objects converted by a webhook, which is not done here. */
export function wantsWebhook(definition: KubeObject): boolean {
  return textAt(definition, 'spec', 'conversion', 'strategy') === 'Webhook'
}

/**
 * The versions of a kind as they are served, best first. Where a webhook would have to convert, only the
 * version in which objects are kept is.
 *
 * @param isEnding whether the definition is being deleted, asked with each creation.
 */
export function servedVersions(
  resource: Resource,
  definition: KubeObject,
  isEnding: () => boolean,
): readonly Served[] {
  const versions = mapsAt(definition, 'spec', 'versions')
  const storage = versions.find((version) => textAt(version, 'name') === resource.version)
  const kept = schemaOf(storage)
  return versions
    .filter((version) => version['served'] === true)
    .filter((version) => version === storage || !wantsWebhook(definition))
    .map((version) => servedVersion(resource, version, kept, isEnding))
    .sort((a, b) => byVersionPriority(a.version, b.version))
}

function schemaOf(version: JsonObject | undefined): Schema | undefined {
  const source = mapAt(version, 'schema', 'openAPIV3Schema')
  return source === undefined ? undefined : readSchema(source)
}

function servedVersion(
  resource: Resource,
  version: JsonObject,
  keptSchema: Schema | undefined,
  isEnding: () => boolean,
): Served {
  const { group, kind } = resource
  const name = textAt(version, 'name')
  const isKept = name === resource.version
  const schema = isKept ? keptSchema : schemaOf(version)
  const conversion = conversionTo(resource, name, schema, keptSchema, selectable(version))
  const kindHere = { group, version: name, kind }
  const custom: CustomKind = {
    schema,
    columns: columnsOf(version, conversion.fromKept),
    scale: scalePathsOf(version),
    warning: warningOf(version, kindHere),
    openApiName: openApiNameOf(kindHere),
    openApi: openApiSchemaOf(kindHere, mapAt(version, 'schema', 'openAPIV3Schema')),
    isEnding,
  }
  const type = ownedType(kind, schema)
  return {
    ...kindHere,
    listKind: resource.listKind,
    plural: resource.plural,
    singular: resource.singular,
    namespaced: resource.namespaced,
    shortNames: resource.shortNames,
    categories: resource.categories,
    verbs: VERBS,
    subresources: partsOf(version, group, kind),
    resource,
    type,
    keptType: type,
    conversion,
    custom,
  }
}

function warningOf(
  version: JsonObject,
  { group, version: name, kind }: { group: string; version: string; kind: string },
): string | undefined {
  if (version['deprecated'] !== true) return undefined
  return textAt(version, 'deprecationWarning') || `${group}/${name} ${kind} is deprecated`
}

/** The fields that objects can be selected by, with what they hold as text. */
function selectable(
  version: JsonObject,
): (shown: (object: KubeObject) => KubeObject) => SelectableFields {
  const paths = mapsAt(version, 'selectableFields').flatMap((field) => {
    const text = textAt(field, 'jsonPath')
    const path = parsePath(text)
    return path === undefined ? [] : [[text.replace(/^\./, ''), path] as const]
  })
  return (shown) => ({
    ...METADATA_FIELDS,
    ...Object.fromEntries(
      paths.map(([name, path]) => [
        name,
        (object: KubeObject) => {
          const [value] = path.find(shown(object))
          return value === undefined || isObject(value) ? '' : String(value)
        },
      ]),
    ),
  })
}

/** How objects look in a version: with the defaults and the fields that it has, and its name. */
function conversionTo(
  resource: Resource,
  version: string,
  schema: Schema | undefined,
  keptSchema: Schema | undefined,
  selected: (shown: (object: KubeObject) => KubeObject) => SelectableFields,
): Conversion {
  const { group } = resource
  const memory = new WeakMap<KubeObject, KubeObject>()
  const fromKept = (object: KubeObject): KubeObject => {
    const known = memory.get(object)
    if (known !== undefined) return known
    const kept = defaultedObject(prunedObject(object, keptSchema, []), keptSchema)
    const here = schema === keptSchema ? kept : prunedObject(kept, schema, [])
    const shown = { ...here, apiVersion: `${group}/${version}` } as KubeObject
    memory.set(object, shown)
    return shown
  }
  const toKept = (object: KubeObject): KubeObject =>
    ({ ...object, apiVersion: `${group}/${resource.version}` }) as KubeObject
  const { 'metadata.namespace': namespace, ...own } = selected(fromKept)
  const isScoped = resource.namespaced && namespace !== undefined
  return {
    toKept,
    fromKept,
    fields: {},
    selectable: isScoped ? { ...own, 'metadata.namespace': namespace } : own,
  }
}
