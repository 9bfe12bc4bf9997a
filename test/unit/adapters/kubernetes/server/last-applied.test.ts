import { describe, expect, test } from 'vitest'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { recordUpdate } from '../../../../../src/adapters/kubernetes/server/apply/apply.ts'
import { applyOverClientSide } from '../../../../../src/adapters/kubernetes/server/apply/last-applied.ts'
import { structType } from '../../../../../src/adapters/kubernetes/server/schema/schema.ts'
import { writerOf as by } from '../../../../support/field-writer.ts'

const found = structType('core.ConfigMap')
if (found === undefined) throw new Error('the schema lacks config maps')
const type = found

const NOTE = 'kubectl.kubernetes.io/last-applied-configuration'

function map(data: Record<string, string>, note?: string): KubeObject {
  const annotations = note === undefined ? {} : { annotations: { [NOTE]: note } }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', ...annotations }, data }
}
const noteOf = ({ metadata }: KubeObject): unknown =>
  (metadata['annotations'] as JsonObject | undefined)?.[NOTE]

/** As long as an annotation may be, and too deep to be walked. */
function deepNote(depth: number): string {
  return `{"apiVersion":"v1","kind":"ConfigMap","data":${'['.repeat(depth)}${']'.repeat(depth)}}`
}

/** An object as `kubectl apply` of the client made it. */
function applied(data: Record<string, string>, note = JSON.stringify(map(data))): KubeObject {
  return recordUpdate(type, undefined, map(data, note), by('kubectl-client-side-apply'))
}

function apply(
  live: KubeObject | undefined,
  config: KubeObject,
  writer = by('kubectl'),
): KubeObject {
  return applyOverClientSide(type, live, { given: config as JsonObject, config }, writer, false)
}

describe('an apply on the server after one on the client', () => {
  test('takes over what kubectl applied itself, and remembers what it applies now', () => {
    const result = apply(applied({ a: '1', b: '1' }), map({ b: '<2>', a: '1' }))
    expect(result['data']).toEqual({ a: '1', b: '<2>' })
    expect(noteOf(result)).toBe(
      '{"apiVersion":"v1","data":{"a":"1","b":"\\u003c2\\u003e"},"kind":"ConfigMap","metadata":{"name":"c"}}\n',
    )
  })

  test('is refused what somebody changed since, and nothing else is told', () => {
    const first = applied({ a: '1', b: '1' })
    const edited = recordUpdate(type, first, { ...first, data: { a: '1', b: '2' } }, by('edit'))
    expect(() => apply(edited, map({ a: '3', b: '3' }))).toThrow(
      'Apply failed with 1 conflict: conflict with "edit" using v1: .data.b',
    )
    expect(apply(edited, map({ a: '3', b: '2' }))['data']).toEqual({ a: '3', b: '2' })
  })

  test.each([
    ['of no JSON', 'yes'],
    ['of a list', '[1]'],
    ['of another version', JSON.stringify({ ...map({ a: '1' }), apiVersion: 'v2' })],
    ['that does not fit the kind', JSON.stringify({ ...map({ a: '1' }), dta: {} })],
    ['of other values', JSON.stringify(map({ a: '0' }))],
    ['that nests too deep', deepNote(50_000)],
  ])('is refused where there is a note %s', (_what, note) => {
    expect(() => apply(applied({ a: '1' }, note), map({ a: '2' }))).toThrow('1 conflict')
  })

  test('is refused by another name, and in a part of the object', () => {
    const live = applied({ a: '1' })
    expect(() => apply(live, map({ a: '2' }), by('other'))).toThrow('1 conflict')
    const same = apply(live, map({ a: '1' }), by('other'))
    expect(noteOf(same)).toBe(noteOf(live))
  })

  test('leaves no note where there was none, and none that is too long', () => {
    expect(noteOf(apply(undefined, map({ a: '1' })))).toBeUndefined()
    const long = map({ a: 'x'.repeat(300_000) })
    expect(noteOf(apply(applied({ a: '1' }), long))).toBeUndefined()
  })
})
