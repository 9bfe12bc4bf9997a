import type { Json, JsonObject } from '../../objects/types.ts'
import { isList, isObject, objectAt, textAt } from '../json.ts'
import { ProtobufWriter } from './writer.ts'

// The protobuf form of OpenAPI v2 (openapiv2/OpenAPIv2.proto of gnostic-models), in so far as what is
// described here uses it. The numbers are those of its fields.

/** A document of OpenAPI v2 as the protobuf that old clients read. */
export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const writer = new ProtobufWriter()
  writer.text(1, textAt(document, 'swagger'))
  writer.message(2, () => {
    writer.text(1, textAt(document, 'info', 'title'))
    writer.text(2, textAt(document, 'info', 'version'))
  })
  writer.message(8, () => {
    for (const [path, item] of objects(objectAt(document, 'paths')))
      named(writer, 2, path, () => writePath(writer, item))
  })
  writer.message(9, () => {
    for (const [name, schema] of objects(objectAt(document, 'definitions')))
      named(writer, 1, name, () => writeSchema(writer, schema))
  })
  return writer.finish()
}

function objects(map: JsonObject): readonly (readonly [string, JsonObject])[] {
  return Object.entries(map).flatMap(([name, value]): [string, JsonObject][] =>
    isObject(value) ? [[name, value]] : [],
  )
}

/** A pair of a name and a message. */
function named(writer: ProtobufWriter, field: number, name: string, write: () => void): void {
  writer.message(field, () => {
    writer.text(1, name)
    writer.message(2, write)
  })
}

const METHODS: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 }

function writePath(writer: ProtobufWriter, item: JsonObject): void {
  for (const [method, operation] of objects(item)) {
    const field = METHODS[method]
    if (field !== undefined) writer.message(field, () => writeOperation(writer, operation))
  }
}

function writeOperation(writer: ProtobufWriter, operation: JsonObject): void {
  writer.text(5, textAt(operation, 'operationId'))
  const { parameters } = operation
  for (const parameter of isList(parameters) ? parameters : []) {
    // A parameter > no body > of the query.
    writer.message(8, () =>
      writer.message(1, () =>
        writer.message(2, () => writer.message(3, () => writeParameter(writer, parameter))),
      ),
    )
  }
  writeExtensions(writer, 13, operation)
}

function writeParameter(writer: ProtobufWriter, parameter: Json): void {
  writer.text(2, textAt(parameter, 'in'))
  writer.text(4, textAt(parameter, 'name'))
  writer.text(6, textAt(parameter, 'type'))
}

function writeSchema(writer: ProtobufWriter, schema: JsonObject): void {
  if (textAt(schema, '$ref') !== '') writer.text(1, textAt(schema, '$ref'))
  if (textAt(schema, 'format') !== '') writer.text(2, textAt(schema, 'format'))
  if (textAt(schema, 'description') !== '') writer.text(4, textAt(schema, 'description'))
  const { required, additionalProperties, items } = schema
  for (const name of isList(required) ? required : []) writer.text(19, String(name))
  if (isObject(additionalProperties)) {
    writer.message(21, () => writer.message(1, () => writeSchema(writer, additionalProperties)))
  } else if (additionalProperties === true) {
    writer.message(21, () => writer.number(2, 1))
  }
  if (textAt(schema, 'type') !== '')
    writer.message(22, () => writer.text(1, textAt(schema, 'type')))
  if (isObject(items)) writer.message(23, () => writer.message(1, () => writeSchema(writer, items)))
  const properties = objects(objectAt(schema, 'properties'))
  if (properties.length > 0) {
    writer.message(25, () => {
      for (const [name, value] of properties)
        named(writer, 1, name, () => writeSchema(writer, value))
    })
  }
  writeExtensions(writer, 31, schema)
}

/** What begins with `x-`, as YAML, of which JSON is a part. */
function writeExtensions(writer: ProtobufWriter, field: number, of: JsonObject): void {
  for (const [name, value] of Object.entries(of)) {
    if (name.startsWith('x-') && value !== undefined)
      named(writer, field, name, () => writer.text(2, `${JSON.stringify(value)}\n`))
  }
}
