import type { Json, JsonObject } from '../../objects/types.ts'
import { at, isList, isObject, textAt } from '../json.ts'
import { type Field, kindType, type StructType, structType } from '../schema/schema.ts'
import { ProtobufWriter } from './writer.ts'

/** What a protobuf answer begins with: `k8s` and a zero byte. */
const MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0x00)

/** The media type of protobuf. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

/** The type of an object by what it says that it is; undefined when its fields are not known. */
function typeOf(apiVersion: string, kind: string): StructType | undefined {
  const slash = apiVersion.indexOf('/')
  const group = slash < 0 ? '' : apiVersion.slice(0, slash)
  const version = slash < 0 ? apiVersion : apiVersion.slice(slash + 1)
  return group === 'meta.k8s.io' || kind === 'Status'
    ? structType(`meta.${kind}`)
    : kindType(group, kind, version)
}

const encoded = new WeakMap<object, Uint8Array>()

/**
 * The protobuf of an object, as Go writes it: fields by number, zero values included where a field
 * has no pointer. Undefined for a kind whose fields are not known.
 */
export function encodeProtobuf(object: JsonObject): Uint8Array | undefined {
  const known = encoded.get(object)
  if (known !== undefined) return known
  const apiVersion = textAt(object, 'apiVersion')
  const kind = textAt(object, 'kind')
  const type = typeOf(apiVersion, kind)
  if (type === undefined) return undefined
  const writer = new ProtobufWriter()
  envelope(writer, apiVersion, kind, () => writeStruct(writer, type, object))
  const bytes = writer.finish()
  encoded.set(object, bytes)
  return bytes
}

/** The protobuf of a list. Undefined for a kind whose fields are not known. */
export function encodeProtobufList(
  kind: string,
  apiVersion: string,
  metadata: JsonObject,
  items: Iterable<JsonObject>,
): Uint8Array | undefined {
  const type = typeOf(apiVersion, kind.slice(0, -'List'.length))
  const listMeta = structType('meta.ListMeta')
  if (type === undefined || listMeta === undefined) return undefined
  const writer = new ProtobufWriter()
  envelope(writer, apiVersion, kind, () => {
    writer.message(1, () => writeStruct(writer, listMeta, metadata))
    for (const item of items) writer.message(2, () => writeStruct(writer, type, item))
  })
  return writer.finish()
}

/** One event of a watch with the four bytes of its length before it. */
export function encodeProtobufEvent(type: string, object: Uint8Array): Uint8Array {
  const writer = new ProtobufWriter()
  writer.raw(new Uint8Array(4))
  writer.text(1, type)
  writer.message(2, () => writer.bytes(1, object))
  const bytes = writer.finish()
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length - 4)
  return bytes
}

/** runtime.Unknown around the bytes of an object. */
function envelope(
  writer: ProtobufWriter,
  apiVersion: string,
  kind: string,
  write: () => void,
): void {
  writer.raw(MAGIC)
  writer.message(1, () => {
    writer.text(1, apiVersion)
    writer.text(2, kind)
  })
  writer.message(2, write)
  writer.text(3, '')
  writer.text(4, '')
}

function writeStruct(writer: ProtobufWriter, type: StructType, value: JsonObject): void {
  for (const number of type.numbers) {
    const field = type.wire.get(number)
    if (field === undefined) continue
    if ('inline' in field) writer.message(number, () => writeStruct(writer, field.inline, value))
    else writeField(writer, field, at(value, field.name))
  }
}

function writeField(writer: ProtobufWriter, field: Field, value: Json | undefined): void {
  const { number, type } = field
  if (field.shape === 'list') {
    for (const item of isList(value) ? value : []) writeValue(writer, number, type, item)
  } else if (field.shape === 'map') {
    const entries = isObject(value) ? Object.entries(value) : []
    for (const [key, item] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (item === undefined) continue
      writer.message(number, () => {
        writer.text(1, key)
        writeValue(writer, 2, type, item)
      })
    }
  } else if (value !== undefined && value !== null) writeValue(writer, number, type, value)
  else if (!field.pointer) writeZero(writer, number, type)
}

/** What Go writes for a field without a pointer that was not set. */
function writeZero(writer: ProtobufWriter, number: number, type: string): void {
  switch (type) {
    case 'string':
      writer.text(number, '')
      break
    case 'bool':
    case 'int32':
    case 'int64':
      writer.number(number, 0)
      break
    case 'bytes':
      break
    case 'intOrString':
      writeValue(writer, number, type, 0)
      break
    case 'quantity':
      writer.message(number, () => writer.text(1, '0'))
      break
    default: {
      const struct = structType(type)
      writer.message(number, () => {
        if (struct !== undefined) writeStruct(writer, struct, {})
      })
    }
  }
}

function writeValue(writer: ProtobufWriter, number: number, type: string, value: Json): void {
  switch (type) {
    case 'string':
      writer.text(number, String(value))
      break
    case 'bool':
      writer.number(number, value === true ? 1 : 0)
      break
    case 'int32':
    case 'int64':
      writer.number(number, Number(value))
      break
    case 'float64':
      writer.double(number, Number(value))
      break
    case 'bytes':
      writer.bytes(number, Buffer.from(String(value), 'base64'))
      break
    case 'quantity':
      writer.message(number, () => writer.text(1, String(value)))
      break
    case 'intOrString':
      writer.message(number, () => writeIntOrString(writer, value))
      break
    case 'time':
    case 'microTime':
      writer.message(number, () => writeTime(writer, String(value)))
      break
    case '[]string':
      writer.message(number, () => {
        for (const item of isList(value) ? value : []) writer.text(1, String(item))
      })
      break
    case 'fieldsV1':
    case 'raw':
    case 'json':
      writer.message(number, () => writer.text(1, JSON.stringify(value)))
      break
    default:
      writer.message(number, () => writeMessage(writer, type, value))
  }
}

const SCHEMA = 'apiextensions.JSONSchemaProps'

function writeMessage(writer: ProtobufWriter, type: string, value: Json): void {
  const schema = structType(SCHEMA)
  const struct = structType(type)
  if (struct !== undefined) {
    if (isObject(value)) writeStruct(writer, struct, value)
  } else if (schema !== undefined && isObject(value)) {
    // A schema that may also be something else.
    if (type === 'schemaOrBool') writer.number(1, 1)
    writer.message(type === 'schemaOrBool' ? 2 : 1, () => writeStruct(writer, schema, value))
  } else if (type === 'schemaOrBool') writer.number(1, value === true ? 1 : 0)
  else {
    for (const item of isList(value) ? value : []) {
      if (type === 'schemaOrNames') writer.text(2, String(item))
      else if (schema !== undefined && isObject(item))
        writer.message(2, () => writeStruct(writer, schema, item))
    }
  }
}

function writeIntOrString(writer: ProtobufWriter, value: Json): void {
  const isText = typeof value === 'string'
  writer.number(1, isText ? 1 : 0)
  writer.number(2, isText ? 0 : Number(value))
  writer.text(3, isText ? value : '')
}

function writeTime(writer: ProtobufWriter, text: string): void {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) return
  const digits = /\.(\d{1,9})/.exec(text)?.[1] ?? ''
  writer.number(1, Math.floor(ms / 1000))
  writer.number(2, Number(digits.padEnd(9, '0')))
}
