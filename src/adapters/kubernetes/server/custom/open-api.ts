import { isObject, mapAt } from '../../objects/read.ts'
import type { Json, JsonObject } from '../../objects/types.ts'

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'

const API_VERSION: JsonObject = {
  description: 'The group and version in which this object is written.',
  type: 'string',
}
const KIND: JsonObject = { description: 'What this object is.', type: 'string' }
const METADATA: JsonObject = {
  description: 'What every object has: its name, labels, annotations and owners.',
  allOf: [{ $ref: `#/components/schemas/${META}.ObjectMeta` }],
}

/** The name of a kind among the schemas: `com.example.v1.Widget`. */
export function openApiNameOf({ group, version, kind }: GroupVersionKind): string {
  return [...group.split('.').reverse(), version, kind].join('.')
}

/** The schema of a kind as OpenAPI v3 shows it: with what every object has. */
export function openApiSchemaOf(
  kind: GroupVersionKind,
  schema: JsonObject | undefined,
): JsonObject {
  const { group, version, kind: name } = kind
  const own = schema === undefined ? { type: 'object' } : embedded(schema)
  const properties = mapAt(own, 'properties')
  const isOpen = schema === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true
  return {
    ...own,
    ...(isOpen && schema === undefined ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    properties: { ...properties, apiVersion: API_VERSION, kind: KIND, metadata: METADATA },
    'x-kubernetes-group-version-kind': [{ group, kind: name, version }],
  }
}

/** A schema with what whole objects in it have. */
function embedded(schema: JsonObject): JsonObject {
  const out: Record<string, Json> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (value === undefined) continue
    if (key === 'properties' && isObject(value)) {
      out[key] = Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [
          name,
          isObject(inner) ? embedded(inner) : (inner ?? null),
        ]),
      )
    } else if ((key === 'items' || key === 'additionalProperties') && isObject(value)) {
      out[key] = embedded(value)
    } else out[key] = value
  }
  if (schema['x-kubernetes-embedded-resource'] !== true) return out
  const properties = { ...mapAt(out, 'properties') }
  return {
    ...out,
    properties: { ...properties, apiVersion: API_VERSION, kind: KIND, metadata: METADATA },
  }
}
