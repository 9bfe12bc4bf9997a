import { createHash } from 'node:crypto'
import type { Json, JsonObject } from '../objects/types.ts'
import { apiVersionOf, type Catalog, type Served, type Subresource } from './catalog.ts'
import type { Draft } from './json.ts'
import {
  type Field,
  openApiName,
  type StructType,
  structsWithin,
  structType,
} from './schema/schema.ts'

/** The OpenAPI v3 documents of a catalog, as text, made when first asked for. */
export interface OpenApi {
  /** `/openapi/v3`: where the document of each group and version is. */
  index(): JsonObject
  /** `/openapi/v3/api/v1`, `/openapi/v3/apis/apps/v1`; undefined where nothing is served. */
  document(path: string): string | undefined
}

/** Describes a catalog, as it is when it is asked. */
export function openApiOf(catalog: Catalog, version: string): OpenApi {
  const documents = new Map<string, string>()
  const groups = new Map<string, Served[]>()
  let described: readonly Served[] = []

  /** The kinds that are served now; what was written of others is forgotten. */
  function current(): ReadonlyMap<string, readonly Served[]> {
    if (catalog.all === described) return groups
    described = catalog.all
    groups.clear()
    documents.clear()
    for (const served of described) {
      const path = rootOf(served).slice(1)
      groups.set(path, [...(groups.get(path) ?? []), served])
    }
    return groups
  }

  function document(path: string): string | undefined {
    const members = current().get(path)
    if (members === undefined) return undefined
    const known = documents.get(path)
    if (known !== undefined) return known
    const text = JSON.stringify(documentOf(members, version))
    documents.set(path, text)
    return text
  }

  function index(): JsonObject {
    const paths: Draft = {}
    for (const path of current().keys()) {
      const hash = createHash('sha256')
        .update(document(path) ?? '')
        .digest('hex')
        .toUpperCase()
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
    }
    return { paths }
  }

  return { index, document }
}

function rootOf(served: Served): string {
  return served.group === '' ? `/api/${served.version}` : `/apis/${apiVersionOf(served)}`
}

function documentOf(members: readonly Served[], version: string): JsonObject {
  const paths: Draft = {}
  const schemas: Draft = {}
  for (const served of members) {
    const collection = `${rootOf(served)}${served.namespaced ? '/namespaces/{namespace}' : ''}/${served.plural}`
    const kind = { group: served.group, version: served.version, kind: served.kind }
    const operation = (action: string): JsonObject => ({
      operationId: `${action}${served.group}${served.version}${served.kind}`,
      parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({
        name,
        in: 'query',
        schema: { type: 'string', uniqueItems: true },
      })),
      responses: {
        200: {
          description: 'OK',
          content: { 'application/json': { schema: referenceTo(served) } },
        },
      },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': kind,
    })
    paths[collection] = { post: operation('post') }
    if (served.resource !== undefined) {
      const writes = { put: operation('put'), patch: operation('patch') }
      paths[`${collection}/{name}`] = writes
      // Parts that are written as the object is: what else they are of is another kind.
      for (const part of served.subresources.filter((item) => isWritten(item, served)))
        paths[`${collection}/{name}/${part.name}`] = { get: operation('get'), ...writes }
    }
    for (const type of structsWithin(baseOf(served))) {
      schemas[openApiName(type.name)] ??= schemaOf(type)
      for (const [name, schema] of namedWithin(type)) schemas[name] = schema
    }
    schemas[nameOf(served)] = served.custom?.openApi ?? rootSchema(served)
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths,
    components: { schemas },
  }
}

function isWritten({ kind, verbs }: Subresource, served: Served): boolean {
  return kind === served.kind && verbs.includes('patch')
}

/** What of a kind has named schemas: of one that a definition defines, its metadata. */
function baseOf({ custom, type }: Served): StructType {
  const metadata = custom === undefined ? undefined : structType('meta.ObjectMeta')
  return metadata ?? type
}

function nameOf({ custom, type }: Served): string {
  return custom?.openApiName ?? openApiName(type.name)
}

function referenceTo(served: Served): JsonObject {
  return { $ref: `#/components/schemas/${nameOf(served)}` }
}

function reference(type: string): JsonObject {
  return { $ref: `#/components/schemas/${openApiName(type)}` }
}

function rootSchema(served: Served): JsonObject {
  const schema = schemaOf(served.type)
  const text = { type: 'string' }
  return {
    ...schema,
    properties: { apiVersion: text, kind: text, ...(schema['properties'] as JsonObject) },
    'x-kubernetes-group-version-kind': [
      { group: served.group, kind: served.kind, version: served.version },
    ],
  }
}

function schemaOf(type: StructType): JsonObject {
  const properties: Draft = {}
  const required: string[] = []
  for (const field of type.fields.values()) {
    properties[field.name] = fieldSchema(field)
    if (field.required) required.push(field.name)
  }
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties,
    ...(type.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  }
}

const SCALARS: Readonly<Record<string, JsonObject>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  duration: { type: 'string' },
  '[]string': { type: 'array', items: { type: 'string' } },
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const CUSTOM = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1'

/** Types that are no structs and have a schema with a name. */
const NAMED: Readonly<Record<string, readonly [name: string, schema: JsonObject]>> = {
  quantity: [
    'io.k8s.apimachinery.pkg.api.resource.Quantity',
    { oneOf: [{ type: 'string' }, { type: 'number' }] },
  ],
  intOrString: [
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  ],
  time: [`${META}.Time`, { type: 'string', format: 'date-time' }],
  microTime: [`${META}.MicroTime`, { type: 'string', format: 'date-time' }],
  fieldsV1: [`${META}.FieldsV1`, { type: 'object' }],
  raw: ['io.k8s.apimachinery.pkg.runtime.RawExtension', { type: 'object' }],
  json: [`${CUSTOM}.JSON`, {}],
  schemaOrBool: [`${CUSTOM}.JSONSchemaPropsOrBool`, {}],
  schemaOrList: [`${CUSTOM}.JSONSchemaPropsOrArray`, {}],
  schemaOrNames: [`${CUSTOM}.JSONSchemaPropsOrStringArray`, {}],
}

/** The schemas of what the fields of a struct are, other structs apart. */
function namedWithin(type: StructType): readonly (readonly [name: string, schema: JsonObject])[] {
  return [...type.fields.values()].flatMap((field) => {
    const named = NAMED[field.type]
    return named === undefined ? [] : [named]
  })
}

function fieldSchema(field: Field): JsonObject {
  const name = NAMED[field.type]?.[0]
  const isStruct = structType(field.type) !== undefined
  const item: JsonObject =
    name !== undefined
      ? { allOf: [{ $ref: `#/components/schemas/${name}` }] }
      : isStruct
        ? { allOf: [reference(field.type)] }
        : (SCALARS[field.type] ?? { type: 'object' })
  if (field.shape === 'map')
    return { type: 'object', additionalProperties: item, ...extensions(field) }
  if (field.shape === 'list') return { type: 'array', items: item, ...extensions(field) }
  return isStruct ? { ...item, ...extensions(field) } : item
}

function extensions(field: Field): JsonObject {
  const out: Record<string, Json> = {}
  if (field.shape === 'list') {
    out['x-kubernetes-list-type'] = field.set
      ? 'set'
      : field.listKeys !== undefined
        ? 'map'
        : 'atomic'
    if (field.listKeys !== undefined) out['x-kubernetes-list-map-keys'] = field.listKeys
  } else if (field.atomic) {
    out['x-kubernetes-map-type'] = 'atomic'
  }
  if (field.patchKey === undefined && field.retainKeys)
    out['x-kubernetes-patch-strategy'] = 'retainKeys'
  if (field.patchKey !== undefined) {
    out['x-kubernetes-patch-strategy'] = field.retainKeys ? 'merge,retainKeys' : 'merge'
    if (field.patchKey !== '') out['x-kubernetes-patch-merge-key'] = field.patchKey
  }
  return out
}
