import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import protobuf from 'protobufjs'
import descriptor from 'protobufjs/google/protobuf/descriptor.json' with { type: 'json' }

/** One field as a descriptor has it (google/protobuf/descriptor.proto). */
export interface FieldDescriptor {
  readonly name: string
  readonly number: number
  readonly label: string
  readonly type: string
  readonly typeName: string
}

/** One message as a descriptor has it. */
export interface MessageDescriptor {
  readonly name: string
  readonly field: readonly FieldDescriptor[]
  readonly nestedType: readonly MessageDescriptor[]
  readonly enumType: readonly EnumDescriptor[]
}

/** One enum as a descriptor has it. */
export interface EnumDescriptor {
  readonly name: string
  readonly value: readonly { readonly name: string; readonly number: number }[]
}

/** The part of a file's descriptor that is compared. */
export interface FileDescriptor {
  readonly package: string
  readonly messageType: readonly MessageDescriptor[]
  readonly enumType: readonly EnumDescriptor[]
  readonly service: readonly {
    readonly name: string
    readonly method: readonly {
      readonly name: string
      readonly inputType: string
      readonly outputType: string
      readonly serverStreaming: boolean
    }[]
  }[]
}

const GZIP_MARK = Buffer.from([0x1f, 0x8b, 0x08])
/** Go writes these headers without a name: the data begin here. */
const GZIP_HEAD_BYTES = 10
const PACKED_BYTES_MAX = 200_000

/**
 * The descriptor of the protocol `name` that a Go program carries, compressed, as its generated code does.
 *
 * @throws Error when the program has none.
 */
export function descriptorIn(program: string, name: string): FileDescriptor {
  const bytes = readFileSync(program)
  const type = protobuf.Root.fromJSON(descriptor).lookupType('google.protobuf.FileDescriptorProto')
  for (let at = bytes.indexOf(GZIP_MARK); at >= 0; at = bytes.indexOf(GZIP_MARK, at + 1)) {
    const packed = bytes.subarray(at + GZIP_HEAD_BYTES, at + GZIP_HEAD_BYTES + PACKED_BYTES_MAX)
    const file = readDescriptor(type, packed)
    if (file?.package === name) return file
  }
  throw new Error(`${program} has no descriptor of ${name}`)
}

/** Most places that look like a beginning are none. */
function readDescriptor(type: protobuf.Type, packed: Buffer): FileDescriptor | undefined {
  try {
    const message = type.decode(inflateRawSync(packed))
    const options = { defaults: true, arrays: true, enums: String }
    return type.toObject(message, options) as FileDescriptor
  } catch {
    return undefined
  }
}
