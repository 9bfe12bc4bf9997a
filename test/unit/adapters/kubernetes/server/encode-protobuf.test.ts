import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { decodeProtobuf } from '../../../../../src/adapters/kubernetes/server/protobuf/decode.ts'
import {
  encodeProtobuf,
  encodeProtobufEvent,
  encodeProtobufList,
} from '../../../../../src/adapters/kubernetes/server/protobuf/encode.ts'
import { readFields } from '../../../../../src/adapters/kubernetes/server/protobuf/wire.ts'
import { ProtobufWriter } from '../../../../../src/adapters/kubernetes/server/protobuf/writer.ts'

/** One object of each kind as kube-apiserver 1.36.3 answered it, as JSON and as protobuf. */
const vectors = JSON.parse(
  readFileSync(
    new URL('../../../../fixtures/kubernetes-protobuf/v1.36.3.json', import.meta.url),
    'utf8',
  ),
) as Readonly<Record<string, { readonly json: JsonObject; readonly bytes: string }>>

describe('an object of every kind', () => {
  test.each(Object.entries(vectors))('%s is written as Go writes it', (_name, vector) => {
    const bytes = encodeProtobuf(vector.json) ?? new Uint8Array()
    expect(Buffer.from(bytes).toString('base64')).toBe(vector.bytes)
    const { value } = decodeProtobuf(bytes)
    expect(Buffer.from(encodeProtobuf(value) ?? []).toString('base64')).toBe(vector.bytes)
  })
})

test('what has no known fields has no protobuf', () => {
  const thing = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 't' } }
  expect(encodeProtobuf(thing)).toBeUndefined()
  expect(encodeProtobufList('ThingList', 'example.com/v1', {}, [])).toBeUndefined()
})

test('a list holds its items and its place', () => {
  const item = vectors['/v1 ConfigMap']?.json ?? {}
  const list = encodeProtobufList('ConfigMapList', 'v1', { resourceVersion: '7' }, [item, item])
  const fields = [...readFields((list ?? new Uint8Array()).subarray(4))]
  const raw = fields.find((field) => field.number === 2)?.value as Uint8Array
  expect([...readFields(raw)].map((field) => field.number)).toEqual([1, 2, 2])
})

test('an event of a watch has its length before it', () => {
  const bytes = encodeProtobufEvent('ADDED', Uint8Array.of(1, 2, 3))
  expect(Buffer.from(bytes).readUInt32BE(0)).toBe(bytes.length - 4)
  const [type, object] = [...readFields(bytes.subarray(4))]
  expect(Buffer.from(type?.value as Uint8Array).toString()).toBe('ADDED')
  expect([...readFields(object?.value as Uint8Array)][0]?.value).toEqual(Uint8Array.of(1, 2, 3))
})

test('numbers and lengths of every size', () => {
  for (const value of [0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1, -1, -(2 ** 31)]) {
    const writer = new ProtobufWriter()
    writer.number(1, value)
    const [field] = [...readFields(writer.finish())]
    expect(Number(BigInt.asIntN(64, field?.value as bigint))).toBe(value)
  }
  for (const size of [0, 127, 128, 16_383, 16_384, 100_000]) {
    const writer = new ProtobufWriter()
    writer.message(3, () => writer.text(1, 'x'.repeat(size)))
    const [outer] = [...readFields(writer.finish())]
    const [inner] = [...readFields(outer?.value as Uint8Array)]
    expect(inner?.value).toHaveLength(size)
  }
})
