import { createHash } from 'node:crypto'
import type { Json, JsonObject } from '../objects/types.ts'
import { type Draft, isList, isObject, objectAt } from './json.ts'
import { parseAccept } from './negotiate.ts'
import type { OpenApi } from './openapi.ts'
import { encodeOpenApiV2 } from './protobuf/openapi-v2.ts'
import { type Reply, replyText } from './respond.ts'

/** The one document of OpenAPI v2, in both forms in which old clients ask for it. */
export interface OpenApiV2 {
  /** The answer to `/openapi/v2`. */
  answer(accept: string | undefined): Reply
}

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
/** Clients before 1.27 ask for it by the name that it had first. */
const PROTOBUF_NAMES = [PROTOBUF, PROTOBUF.replace('.v2.v1.0', '.v2@v1.0')]

interface Document {
  readonly texts: readonly string[]
  readonly json: string
  readonly etag: string
  bytes?: Uint8Array
}

/** Describes in OpenAPI v2 what is described in v3. Made when first asked for. */
export function openApiV2Of(openApi: OpenApi, version: string): OpenApiV2 {
  let known: Document | undefined

  function current(): Document {
    const paths = Object.keys(objectAt(openApi.index(), 'paths'))
    const texts = paths.map((path) => openApi.document(path) ?? '{}')
    const last = known
    if (last !== undefined && sameTexts(last.texts, texts)) return last
    const json = JSON.stringify(documentOf(texts, version))
    const hash = createHash('sha256').update(json).digest('hex').slice(0, 32).toUpperCase()
    known = { texts, json, etag: `"${hash}"` }
    return known
  }

  return {
    answer: (accept) => {
      const form = formOf(accept)
      if (form === undefined) return replyText('', 406)
      const document = current()
      const headers = { ETag: document.etag }
      if (form === 'json')
        return { code: 200, contentType: 'application/json', text: document.json, headers }
      document.bytes ??= encodeOpenApiV2(JSON.parse(document.json) as JsonObject)
      return { code: 200, contentType: PROTOBUF, text: '', bytes: document.bytes, headers }
    },
  }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index])
}

function formOf(accept: string | undefined): 'json' | 'protobuf' | undefined {
  for (const { type } of parseAccept(accept)) {
    if (PROTOBUF_NAMES.includes(type)) return 'protobuf'
    if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json'
  }
  return undefined
}

function documentOf(texts: readonly string[], version: string): JsonObject {
  const paths: Draft = {}
  const definitions: Draft = {}
  for (const text of texts) {
    const document = JSON.parse(text) as JsonObject
    for (const [path, item] of Object.entries(objectAt(document, 'paths')))
      if (isObject(item)) paths[path] = pathOf(item)
    for (const [name, schema] of Object.entries(objectAt(document, 'components', 'schemas')))
      if (isObject(schema)) definitions[name] = schemaOf(schema)
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version }, paths, definitions }
}

function pathOf(item: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(item).flatMap(([method, operation]): [string, JsonObject][] =>
      isObject(operation) ? [[method, operationOf(operation)]] : [],
    ),
  )
}

function operationOf(operation: JsonObject): JsonObject {
  const { parameters, responses, ...rest } = operation
  const all = isList(parameters) ? parameters.filter(isObject) : []
  return {
    ...rest,
    parameters: all.map(({ schema, ...parameter }) => ({
      ...parameter,
      ...(isObject(schema) ? schema : {}),
    })),
    responses: Object.fromEntries(
      Object.entries(isObject(responses) ? responses : {}).map(([code, response]) => {
        const schema = objectAt(response, 'content', 'application/json', 'schema')
        return [code, { description: 'OK', schema: schemaOf(schema) }]
      }),
    ),
  }
}

/** What v2 has no words for. */
const ONLY_V3: ReadonlySet<string> = new Set(['oneOf', 'anyOf', 'not', 'nullable'])

/** A schema in the words of v2: one thing refers to another by itself, and is of one type. */
function schemaOf(schema: JsonObject): JsonObject {
  const out: Draft = {}
  for (const [key, value] of Object.entries(schema)) {
    if (value === undefined || ONLY_V3.has(key)) continue
    if (key === '$ref') out[key] = String(value).replace('#/components/schemas/', '#/definitions/')
    else if (key === 'properties' && isObject(value)) out[key] = mapOf(value)
    else if ((key === 'items' || key === 'additionalProperties') && isObject(value))
      out[key] = schemaOf(value)
    else out[key] = value
  }
  const { allOf } = schema
  if (isList(allOf)) {
    delete out['allOf']
    for (const part of allOf) if (isObject(part)) Object.assign(out, schemaOf(part))
  }
  // A number or a text: clients of v2 take it for a text.
  if (isList(schema['oneOf']) && out['type'] === undefined) out['type'] = 'string'
  return out
}

function mapOf(properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]): [string, Json] => [
      name,
      isObject(schema) ? schemaOf(schema) : {},
    ]),
  )
}
