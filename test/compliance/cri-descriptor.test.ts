import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import protobuf from 'protobufjs'
import { expect, test } from 'vitest'
import {
  descriptorIn,
  type EnumDescriptor,
  type FileDescriptor,
  type MessageDescriptor,
} from '../containers/descriptor.ts'
import { skipUnless } from '../support/skip.ts'

const CONTAINERD = '/usr/bin/containerd'
const PACKAGE = 'runtime.v1'
const SOURCE = new URL('../../scripts/runtime/protocols/cri.proto', import.meta.url)
const TABLE = new URL('../../src/adapters/runtime/cri/cri.json', import.meta.url)

test('the table of messages is that of its protocol', async () => {
  const { root } = protobuf.parse(await readFile(SOURCE, 'utf8'))
  expect(JSON.parse(await readFile(TABLE, 'utf8'))).toEqual(JSON.parse(JSON.stringify(root)))
})

test('every call, field and number is that of the installed containerd', async (context) => {
  const reason = 'install containerd to compare with its descriptor'
  skipUnless(context, existsSync(CONTAINERD), 'containerd', reason)
  const theirs = new Set(linesOf(descriptorIn(CONTAINERD, PACKAGE)))
  const ours = ownLines(protobuf.parse(await readFile(SOURCE, 'utf8')).root.lookup(PACKAGE))
  expect(ours.length).toBeGreaterThan(300)
  expect(ours.filter((line) => !theirs.has(line))).toEqual([])
})

/** A descriptor as lines that can be compared one by one. */
function linesOf(file: FileDescriptor): readonly string[] {
  const services = file.service.flatMap(({ name, method }) =>
    method.map((each) => {
      const answer = each.serverStreaming ? 'stream ' : ''
      return `${name}.${each.name} ${bare(each.inputType)} ${answer}${bare(each.outputType)}`
    }),
  )
  return [
    ...services,
    ...file.messageType.flatMap((each) => messageLines(each)),
    ...file.enumType.flatMap((each) => enumLines(each)),
  ]
}

function messageLines(message: MessageDescriptor): readonly string[] {
  const maps = new Map(
    message.nestedType
      .filter(({ name }) => name.endsWith('Entry'))
      .map((entry) => [entry.name, entry.field.map(typeOf).join(' to ')]),
  )
  const fields = message.field.map((field) => {
    const map = maps.get(bare(field.typeName))
    const many = map === undefined && field.label === 'LABEL_REPEATED' ? 'many ' : ''
    const type = map === undefined ? typeOf(field) : `map ${map}`
    return `${message.name} ${field.number} ${camel(field.name)} ${many}${type}`
  })
  return [...fields, ...message.enumType.flatMap((each) => enumLines(each))]
}

function enumLines({ name, value }: EnumDescriptor): readonly string[] {
  return value.map((each) => `${name} ${each.number} ${each.name}`)
}

function typeOf({ type, typeName }: { readonly type: string; readonly typeName: string }): string {
  return typeName === '' ? type.replace('TYPE_', '').toLowerCase() : bare(typeName)
}

function bare(name: string): string {
  return name.split('.').at(-1) ?? name
}

function camel(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
}

/** The protocol of this project as the same lines. */
function ownLines(found: protobuf.ReflectionObject | null): readonly string[] {
  if (found instanceof protobuf.Service) {
    return found.methodsArray.map((method) => {
      const answer = method.responseStream === true ? 'stream ' : ''
      return `${found.name}.${method.name} ${method.requestType} ${answer}${method.responseType}`
    })
  }
  if (found instanceof protobuf.Enum) {
    return Object.entries(found.values).map(([name, number]) => `${found.name} ${number} ${name}`)
  }
  const own =
    found instanceof protobuf.Type
      ? found.fieldsArray.map(
          (field) => `${found.name} ${field.id} ${field.name} ${fieldType(field)}`,
        )
      : []
  const nested = found instanceof protobuf.Namespace ? found.nestedArray.flatMap(ownLines) : []
  return [...own, ...nested]
}

function fieldType(field: protobuf.Field): string {
  if (field instanceof protobuf.MapField) return `map ${field.keyType} to ${field.type}`
  return `${field.repeated ? 'many ' : ''}${field.type}`
}
