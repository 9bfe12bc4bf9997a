import type { Json, JsonObject } from '../../objects/types.ts'
import { type Draft, isList, isObject, setOwn } from '../json.ts'
import { fieldSchema, type Schema } from './schema.ts'

/**
 * A value with the defaults of its schema. A null where none may be counts as absent in an object.
 */
export function defaulted(value: Json, schema: Schema | undefined): Json {
  if (isList(value)) {
    return value.map((item) => {
      const items = schema?.items
      return defaulted(isNull(item, items) ? (items?.default ?? item) : item, items)
    })
  }
  return isObject(value) ? defaultedObject(value, schema) : value
}

/** The same for an object. */
export function defaultedObject(value: JsonObject, schema: Schema | undefined): JsonObject {
  const out: Draft = {}
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    const inner = schema === undefined ? undefined : fieldSchema(schema, key)
    if (!isNull(item, inner)) setOwn(out, key, defaulted(item, inner))
    else if (inner?.default !== undefined) setOwn(out, key, defaulted(inner.default, inner))
  }
  for (const [key, inner] of schema?.properties ?? []) {
    if (inner.default !== undefined && !Object.hasOwn(out, key))
      setOwn(out, key, defaulted(inner.default, inner))
  }
  return out
}

/** Whether a value is null where its schema does not allow it. */
function isNull(value: Json, schema: Schema | undefined): boolean {
  return value === null && schema !== undefined && !schema.nullable
}
