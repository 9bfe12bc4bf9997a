import type { Json, JsonObject } from '../../objects/types.ts'
import { isList, isObject, objectAt, textAt } from '../json.ts'
import { type Cause, invalidValue, required } from '../kinds/checks.ts'
import { checkLabels, nameProblems } from '../kinds/names.ts'
import { fieldSchema, type Schema } from './schema.ts'

/** What is wrong with the type and the metadata of objects inside of a value. */
export function checkEmbedded(schema: Schema, value: Json, path: string): readonly Cause[] {
  if (isList(value)) {
    const { items } = schema
    return items === undefined
      ? []
      : value.flatMap((item, index) => checkEmbedded(items, item, `${path}[${index}]`))
  }
  if (!isObject(value)) return []
  const own = schema.isEmbedded ? checkWhole(value, path) : []
  const below = Object.entries(value).flatMap(([key, item]) => {
    const inner = fieldSchema(schema, key)
    if (inner === undefined || item === undefined) return []
    const name = schema.properties.has(key)
      ? path === ''
        ? key
        : `${path}.${key}`
      : `${path}[${key}]`
    return checkEmbedded(inner, item, name)
  })
  return [...own, ...below]
}

function checkWhole(object: JsonObject, path: string): readonly Cause[] {
  const causes: Cause[] = []
  for (const key of ['apiVersion', 'kind']) {
    const value = object[key]
    const field = `${path}.${key}`
    if (value === undefined) causes.push(required(field))
    else if (typeof value !== 'string') causes.push(invalidValue(field, value, 'must be a string'))
    else if (value === '') causes.push(invalidValue(field, value, 'must not be empty'))
    else if (key === 'kind')
      causes.push(
        ...nameProblems(value.toLowerCase(), 'dns1035').map((text) =>
          invalidValue(field, value, `may have mixed case, but should otherwise match: ${text}`),
        ),
      )
    else if (value.split('/').length > 2)
      causes.push(invalidValue(field, value, `unexpected GroupVersion string: ${value}`))
  }
  const metadata = objectAt(object, 'metadata')
  const name = textAt(metadata, 'name')
  return [
    ...causes,
    ...(name === '' ? [] : nameProblems(name, 'path')).map((text) =>
      invalidValue(`${path}.metadata.name`, name, text),
    ),
    ...checkLabels(`${path}.metadata.labels`, metadata['labels']),
  ]
}
