import protobuf from 'protobufjs/light.js'

/** The methods of one service, by name. */
export interface ServiceCodec {
  /** Such as `/runtime.v1.RuntimeService/Version`. */
  path(method: string): string
  /** @throws Error when the request has a field of a wrong type. */
  encode(method: string, request: object): Uint8Array
  /**
   * Every field is there: absent ones with their defaults. 64-bit numbers are texts, enums are names.
   *
   * @throws Error when the bytes are no such message.
   */
  decode(method: string, response: Uint8Array): unknown
}

const READ_OPTIONS = {
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
} as const

/** A table is read once, however many services of it are used. */
const ROOTS = new WeakMap<protobuf.INamespace, protobuf.Root>()

function rootOf(table: protobuf.INamespace): protobuf.Root {
  const root = ROOTS.get(table) ?? protobuf.Root.fromJSON(table)
  ROOTS.set(table, root)
  return root
}

/** Reads and writes the messages of a service that a table describes. */
export function serviceCodec(table: protobuf.INamespace, service: string): ServiceCodec {
  const found = rootOf(table).lookupService(service)
  const methodOf = (name: string): protobuf.Method => {
    const method = found.methods[name]
    if (method === undefined) throw new Error(`the service ${service} has no method ${name}`)
    method.resolve()
    return method
  }
  const typeOf = (type: protobuf.Type | null): protobuf.Type => {
    if (type === null) throw new Error(`a message of the service ${service} is not in its table`)
    return type
  }
  return {
    path: (method) => `/${service}/${method}`,
    encode(method, request) {
      const type = typeOf(methodOf(method).resolvedRequestType)
      return type.encode(type.fromObject({ ...request })).finish()
    },
    decode(method, response) {
      const type = typeOf(methodOf(method).resolvedResponseType)
      return type.toObject(type.decode(response), READ_OPTIONS)
    },
  }
}

/** Reads messages of one type. */
export function messageReader(
  table: protobuf.INamespace,
  name: string,
): (bytes: Uint8Array) => unknown {
  const type = rootOf(table).lookupType(name)
  return (bytes) => type.toObject(type.decode(bytes), READ_OPTIONS)
}
