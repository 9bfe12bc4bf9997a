import type { Json } from '../../objects/types.ts'
import { type Field, type StructType, structType } from '../schema/schema.ts'
import type { Schema } from './schema.ts'

const METADATA = structType('core.Pod')?.fields.get('metadata')

const PLAIN: Omit<Field, 'name'> = {
  number: 0,
  type: 'json',
  shape: 'one',
  pointer: true,
  omitEmpty: true,
  required: false,
  listKeys: undefined,
  set: false,
  patchKey: undefined,
  retainKeys: false,
  atomic: false,
}

function struct(
  name: string,
  fields: ReadonlyMap<string, Field>,
  atomic: boolean,
  rest?: Field,
): StructType {
  return { name, atomic, fields, wire: new Map(), numbers: [], rest }
}

/** What nothing is known of: maps are owned field by field, lists as a whole. */
const OPEN_FIELD: Field = { ...PLAIN, name: '*', struct: undefined }
const OPEN = struct('open', new Map(), false, OPEN_FIELD)
Object.assign(OPEN_FIELD, { struct: OPEN })

/** How a kind divides into fields that managers own (server-side apply), by its schema. */
export function ownedType(kind: string, schema: Schema | undefined): StructType {
  const fields = new Map<string, Field>()
  for (const [name, inner] of schema?.properties ?? []) {
    if (name !== 'apiVersion' && name !== 'kind') fields.set(name, fieldOf(name, inner))
  }
  if (METADATA !== undefined) fields.set('metadata', METADATA)
  const rest = schema === undefined || schema.preserves ? OPEN_FIELD : undefined
  return struct(`unknown.${kind}`, fields, false, rest)
}

function fieldOf(name: string, schema: Schema): Field {
  if (schema.type === 'array') return listField(name, schema)
  if (schema.type !== 'object' && !schema.preserves) return { ...PLAIN, name }
  return { ...PLAIN, name, struct: structOf(schema), atomic: schema.isAtomicMap }
}

function structOf(schema: Schema): StructType {
  const fields = new Map<string, Field>()
  for (const [name, inner] of schema.properties) fields.set(name, fieldOf(name, inner))
  if (schema.isEmbedded && METADATA !== undefined) fields.set('metadata', METADATA)
  const rest =
    typeof schema.additional === 'object'
      ? fieldOf('*', schema.additional)
      : schema.preserves || schema.additional === true
        ? OPEN_FIELD
        : undefined
  return struct('object', fields, schema.isAtomicMap, rest)
}

function listField(name: string, schema: Schema): Field {
  const list: Field = { ...PLAIN, name, shape: 'list' }
  if (schema.listType === 'set') return { ...list, set: true }
  if (schema.listType !== 'map' || schema.items === undefined) return { ...list, atomic: true }
  const { items, listKeys } = schema
  const defaults = listKeys.flatMap((key): [string, Json][] => {
    const value = items.properties.get(key)?.default
    return value === undefined ? [] : [[key, value]]
  })
  return {
    ...list,
    struct: structOf(items),
    listKeys,
    keyDefaults: Object.fromEntries(defaults),
  }
}
