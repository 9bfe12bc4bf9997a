import type { Json, JsonObject } from '../../objects/types.ts'
import { type Draft, isList, isObject, setOwn } from '../json.ts'
import { decodeTyped } from '../schema/decode.ts'
import { METADATA_TYPE } from './metadata-type.ts'
import { fieldSchema, type Schema } from './schema.ts'

/** Fields of whole objects that no schema has to name. */
const WHOLE: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

/**
 * A value without the fields that its schema does not have.
 *
 * @param unknown gets the path of each field that is left out.
 * @throws StatusError 400 when the metadata of an embedded object has a wrong type.
 */
export function pruned(
  value: Json,
  schema: Schema | undefined,
  path: string,
  unknown: string[],
): Json {
  return prunedAt(value, schema, path, unknown, false)
}

/** The same for a whole object; its own metadata is left as it is. */
export function prunedObject(
  object: JsonObject,
  schema: Schema | undefined,
  unknown: string[],
): JsonObject {
  return prunedFields(object, schema, '', unknown, true) as JsonObject
}

function prunedAt(
  value: Json,
  schema: Schema | undefined,
  path: string,
  unknown: string[],
  isRoot: boolean,
): Json {
  if (isObject(value)) return prunedFields(value, schema, path, unknown, isRoot)
  if (!isList(value)) return value
  // Below a list of which nothing is named, all is kept.
  if (schema?.preserves === true && schema.items === undefined) return value
  return value.map((item, index) => pruned(item, schema?.items, `${path}[${index}]`, unknown))
}

function prunedFields(
  value: JsonObject,
  schema: Schema | undefined,
  path: string,
  unknown: string[],
  isRoot: boolean,
): Json {
  const out: Draft = {}
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    const below = path === '' ? key : `${path}.${key}`
    if (WHOLE.has(key) && (isRoot || schema?.isEmbedded === true)) {
      setOwn(out, key, isRoot ? item : wholeField(key, item, below, unknown))
      continue
    }
    const inner = schema === undefined ? undefined : fieldSchema(schema, key)
    if (inner !== undefined) setOwn(out, key, pruned(item, inner, below, unknown))
    else if (schema?.preserves === true || schema?.additional === true) setOwn(out, key, item)
    else unknown.push(below)
  }
  return out
}

function wholeField(key: string, item: Json, path: string, unknown: string[]): Json {
  if (key !== 'metadata' || !isObject(item)) return item
  const decoded = decodeTyped(METADATA_TYPE, { metadata: item })
  for (const name of decoded.unknown) unknown.push(path + name.slice('metadata'.length))
  return decoded.value['metadata'] ?? {}
}
