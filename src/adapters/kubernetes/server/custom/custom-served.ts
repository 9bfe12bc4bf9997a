import { partsOf } from '../../objects/custom-resources.ts'
import { isObject, mapAt, mapsAt } from '../../objects/read.ts'
import type { JsonObject, KubeObject, Resource } from '../../objects/types.ts'
import type { Served } from '../catalog.ts'
import type { Conversion } from '../convert/conversion.ts'
import { textAt } from '../json.ts'
import { METADATA_FIELDS, type SelectableFields } from '../selectors.ts'
import { columnsOf } from './columns.ts'
import { type ConversionWebhook, conversionWebhookOf } from './conversion-webhook.ts'
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

/**
 * The versions of a kind as they are served, best first.
 *
 * @param current the definition as it is, asked with each creation.
 */
export function servedVersions(
  resource: Resource,
  definition: KubeObject,
  current: () => KubeObject | undefined,
): readonly Served[] {
  const versions = mapsAt(definition, 'spec', 'versions')
  const schemas = new Map(versions.map((version) => [textAt(version, 'name'), schemaOf(version)]))
  const webhook = conversionWebhookOf(resource, definition, (name) => schemas.get(name), current)
  const isEnding = (): boolean => current()?.metadata.deletionTimestamp !== undefined
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => servedVersion(resource, version, { schemas, webhook, isEnding }))
    .sort((a, b) => byVersionPriority(a.version, b.version))
}

/** What the versions of a kind have in common. */
interface Shared {
  readonly schemas: ReadonlyMap<string, Schema | undefined>
  readonly webhook: ConversionWebhook | undefined
  readonly isEnding: () => boolean
}

function schemaOf(version: JsonObject | undefined): Schema | undefined {
  const source = mapAt(version, 'schema', 'openAPIV3Schema')
  return source === undefined ? undefined : readSchema(source)
}

function servedVersion(
  resource: Resource,
  version: JsonObject,
  { schemas, webhook, isEnding }: Shared,
): Served {
  const { group, kind } = resource
  const name = textAt(version, 'name')
  const schema = schemas.get(name)
  const keptSchema = schemas.get(resource.version)
  const isRenamed = webhook === undefined || name === resource.version
  const conversion = isRenamed
    ? conversionTo(resource, name, schema, keptSchema, selectable(version))
    : alreadyConverted(resource, selectable(version))
  const kindHere = { group, version: name, kind }
  const custom: CustomKind = {
    schema,
    columns: columnsOf(version, conversion.fromKept),
    scale: scalePathsOf(version),
    warning: warningOf(version, kindHere),
    openApiName: openApiNameOf(kindHere),
    openApi: openApiSchemaOf(kindHere, mapAt(version, 'schema', 'openAPIV3Schema')),
    isEnding,
    webhook,
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
  return { toKept, fromKept, fields: {}, selectable: inScope(resource, selected(fromKept)) }
}

/** Nothing: a webhook has converted the objects when they get here. */
function alreadyConverted(
  resource: Resource,
  selected: (shown: (object: KubeObject) => KubeObject) => SelectableFields,
): Conversion {
  const same = (object: KubeObject): KubeObject => object
  const selectable = inScope(resource, selected(same))
  return { toKept: same, fromKept: same, fields: {}, selectable }
}

function inScope({ namespaced }: Resource, fields: SelectableFields): SelectableFields {
  const { 'metadata.namespace': namespace, ...own } = fields
  const isScoped = namespaced && namespace !== undefined
  return isScoped ? { ...own, 'metadata.namespace': namespace } : own
}
