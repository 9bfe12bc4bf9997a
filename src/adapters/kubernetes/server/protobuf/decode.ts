import type { Json, JsonObject } from '../../objects/types.ts'
import { type Draft, isObject, setOwn } from '../json.ts'
import { type Field, kindType, type StructType, structType } from '../schema/schema.ts'
import { badRequest } from '../status.ts'
import { broken, readFields, type WireValue } from './wire.ts'

/** What every protobuf body of Kubernetes begins with: `k8s` and a zero byte. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00] as const

/** No kind nests deeper; a body that does is refused. */
const DEPTH_MAX = 64

/** The body of a protobuf request: what it says it is, and its JSON form. */
export interface Envelope {
  readonly apiVersion: string
  readonly kind: string
  readonly value: JsonObject
}

/**
 * Reads the protobuf that clients of Kubernetes send (runtime.Unknown around one object) into the
 * JSON that the same object has. Zero values are still in it.
 *
 * @throws StatusError 400 when it is not that, or the kind is not known here.
 */
export function decodeProtobuf(bytes: Uint8Array): Envelope {
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw badRequest(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    )
  }
  let apiVersion = ''
  let kind = ''
  let raw: Uint8Array = new Uint8Array()
  for (const { number, value } of readFields(bytes.subarray(MAGIC.length))) {
    if (number === 1) {
      for (const field of readFields(bytesOf(value))) {
        if (field.number === 1) apiVersion = text(field.value)
        if (field.number === 2) kind = text(field.value)
      }
    } else if (number === 2) raw = bytesOf(value)
  }
  const slash = apiVersion.indexOf('/')
  const type = kindType(
    slash < 0 ? '' : apiVersion.slice(0, slash),
    kind,
    apiVersion.slice(slash + 1),
  )
  if (type === undefined)
    throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`)
  return { apiVersion, kind, value: { ...message(type, raw, {}, 0), apiVersion, kind } }
}

function message(type: StructType, bytes: Uint8Array, out: Draft, depth: number): Draft {
  if (depth > DEPTH_MAX) throw broken()
  for (const { number, value, isFixed64 } of readFields(bytes)) {
    const field = type.wire.get(number)
    if (field === undefined) continue
    if ('inline' in field) message(field.inline, bytesOf(value), out, depth + 1)
    else addField(field, value, isFixed64, out, depth)
  }
  return out
}

function addField(
  field: Field,
  value: WireValue,
  isFixed64: boolean,
  out: Draft,
  depth: number,
): void {
  if (field.shape === 'one') {
    const decoded = isFixed64 ? double(value) : decodeValue(field.type, value, depth)
    if (decoded !== undefined) out[field.name] = decoded
  } else if (field.shape === 'map') {
    const target = isObject(out[field.name]) ? (out[field.name] as Draft) : {}
    out[field.name] = target
    let key = ''
    let item: Json | undefined = field.type === 'string' || field.type === 'bytes' ? '' : undefined
    for (const entry of readFields(bytesOf(value))) {
      if (entry.number === 1) key = text(entry.value)
      if (entry.number === 2) item = decodeValue(field.type, entry.value, depth)
    }
    if (item !== undefined) setOwn(target, key, item)
  } else {
    const list = Array.isArray(out[field.name]) ? (out[field.name] as Json[]) : []
    out[field.name] = list
    const item = decodeValue(field.type, value, depth)
    if (item !== undefined) list.push(item)
  }
}

function decodeValue(type: string, value: WireValue, depth: number): Json | undefined {
  switch (type) {
    case 'string':
      return text(value)
    case 'bool':
      return value !== 0n
    case 'int32':
    case 'int64':
      return integer(value)
    case 'bytes':
      return Buffer.from(bytesOf(value)).toString('base64')
    case 'quantity':
      return firstText(value) || '0'
    case 'intOrString':
      return intOrString(bytesOf(value))
    case 'time':
      return timestamp(bytesOf(value), 0)
    case 'microTime':
      return timestamp(bytesOf(value), 6)
    case 'fieldsV1':
    case 'raw':
    case 'json':
      return embeddedJson(bytesOf(value))
    case '[]string':
      return [...readFields(bytesOf(value))].map((item) => text(item.value))
    case 'schemaOrBool':
    case 'schemaOrList':
    case 'schemaOrNames':
      return schemaOr(type, bytesOf(value), depth)
    default: {
      const struct = structType(type)
      if (struct === undefined) throw badRequest('a field of the body has no protobuf form here')
      return message(struct, bytesOf(value), {}, depth + 1)
    }
  }
}

/** A schema, or what may stand in its place: whether anything is allowed, schemas, or names. */
function schemaOr(type: string, bytes: Uint8Array, depth: number): Json | undefined {
  const list: Json[] = []
  let isAllowed = false
  let schema: Json | undefined
  const isBool = type === 'schemaOrBool'
  for (const field of readFields(bytes)) {
    if (isBool && field.number === 1) isAllowed = field.value !== 0n
    else if (!isBool && field.number === 2 && type === 'schemaOrNames') list.push(text(field.value))
    else {
      const found = decodeValue('apiextensions.JSONSchemaProps', field.value, depth)
      if (field.number === (isBool ? 2 : 1)) schema = found
      else if (found !== undefined) list.push(found)
    }
  }
  return schema ?? (isBool ? isAllowed : list)
}

function bytesOf(value: WireValue): Uint8Array {
  if (typeof value === 'bigint') throw broken()
  return value
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function text(value: WireValue): string {
  try {
    return UTF8.decode(bytesOf(value))
  } catch {
    throw badRequest('a text in the body is not valid UTF-8')
  }
}

function integer(value: WireValue): number {
  if (typeof value !== 'bigint') throw broken()
  const number = Number(BigInt.asIntN(64, value))
  if (!Number.isSafeInteger(number)) throw badRequest('a number in the body is past 2^53-1')
  return number
}

function double(value: WireValue): number {
  if (typeof value !== 'bigint') throw broken()
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, value)
  return view.getFloat64(0)
}

function firstText(value: WireValue): string {
  for (const field of readFields(bytesOf(value))) if (field.number === 1) return text(field.value)
  return ''
}

function intOrString(bytes: Uint8Array): Json {
  let isText = false
  let number = 0
  let string = ''
  for (const field of readFields(bytes)) {
    if (field.number === 1) isText = field.value === 1n
    if (field.number === 2) number = integer(field.value)
    if (field.number === 3) string = text(field.value)
  }
  return isText ? string : number
}

function timestamp(bytes: Uint8Array, digits: number): string | undefined {
  let seconds = 0
  let nanos = 0
  for (const field of readFields(bytes)) {
    if (field.number === 1) seconds = integer(field.value)
    if (field.number === 2) nanos = integer(field.value)
  }
  if (seconds === 0 && nanos === 0) return undefined
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) throw badRequest('a time in the body is out of range')
  const whole = date.toISOString().slice(0, 19)
  return digits === 0 ? `${whole}Z` : `${whole}.${String(nanos).padStart(9, '0').slice(0, digits)}Z`
}

function embeddedJson(bytes: Uint8Array): Json | undefined {
  const source = text(firstBytes(bytes))
  if (source === '') return undefined
  try {
    return JSON.parse(source) as Json
  } catch {
    throw badRequest('an embedded object of the body is not valid JSON')
  }
}

function firstBytes(bytes: Uint8Array): Uint8Array {
  for (const field of readFields(bytes)) if (field.number === 1) return bytesOf(field.value)
  return new Uint8Array()
}
