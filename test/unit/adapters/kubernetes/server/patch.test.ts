import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { applyJsonPatch } from '../../../../../src/adapters/kubernetes/server/patch/json-patch.ts'
import { applyMergePatch } from '../../../../../src/adapters/kubernetes/server/patch/merge-patch.ts'
import { applyStrategicPatch } from '../../../../../src/adapters/kubernetes/server/patch/strategic.ts'
import { structType } from '../../../../../src/adapters/kubernetes/server/schema/schema.ts'

describe('JSON patch, the examples of RFC 6902 appendix A', () => {
  const cases: readonly [string, Json, Json, Json][] = [
    [
      'A.1',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux' }],
      { baz: 'qux', foo: 'bar' },
    ],
    [
      'A.2',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['A.3', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [
      'A.4',
      { foo: ['bar', 'qux', 'baz'] },
      [{ op: 'remove', path: '/foo/1' }],
      { foo: ['bar', 'baz'] },
    ],
    [
      'A.5',
      { baz: 'qux', foo: 'bar' },
      [{ op: 'replace', path: '/baz', value: 'boo' }],
      { baz: 'boo', foo: 'bar' },
    ],
    [
      'A.6',
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [
      'A.7',
      { foo: ['all', 'grass', 'cows', 'eat'] },
      [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    [
      'A.8',
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2, 'c'] },
    ],
    [
      'A.10',
      { foo: 'bar' },
      [{ op: 'add', path: '/child', value: { grandchild: {} } }],
      { foo: 'bar', child: { grandchild: {} } },
    ],
    [
      'A.11',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 }],
      { foo: 'bar', baz: 'qux' },
    ],
    ['A.14', { '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [
      'A.16',
      { foo: ['bar'] },
      [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
      { foo: ['bar', ['abc', 'def']] },
    ],
  ]
  test.each(cases)('%s', (_, document, patch, expected) => {
    expect(applyJsonPatch(document, patch)).toEqual(expected)
  })

  test.each<[string, Json, Json, RegExp]>([
    [
      'A.9',
      { baz: 'qux' },
      [{ op: 'test', path: '/baz', value: 'bar' }],
      /testing value \/baz failed/,
    ],
    ['A.12', { foo: 'bar' }, [{ op: 'add', path: '/baz/bat', value: 'qux' }], /missing path/],
    ['A.15', { '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: '10' }], /failed/],
    ['an index past the end', { a: [1] }, [{ op: 'add', path: '/a/2', value: 1 }], /out of bounds/],
    [
      'an index with a leading zero',
      { a: [1] },
      [{ op: 'remove', path: '/a/00' }],
      /out of bounds/,
    ],
    ['a missing key', {}, [{ op: 'remove', path: '/a' }], /missing key/],
    ['no patch', {}, {}, /cannot unmarshal/],
    ['an unknown operation', {}, [{ op: 'nope', path: '' }], /unexpected kind/],
    [
      'a move into itself',
      { a: { b: 1 } },
      [{ op: 'move', from: '/a', path: '/a/b' }],
      /into itself/,
    ],
  ])('%s is refused', (_, document, patch, message) => {
    expect(() => applyJsonPatch(document, patch)).toThrow(message)
  })

  test('leaves the document and the prototype alone', () => {
    const document = Object.freeze({ a: Object.freeze([1, 2]) })
    expect(applyJsonPatch(document, [{ op: 'remove', path: '/a/0' }])).toEqual({ a: [2] })
    expect(document).toEqual({ a: [1, 2] })
    applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('copies are bounded', () => {
    const copies = Array.from({ length: 200 }, (_, index) => ({
      op: 'copy',
      from: '/a',
      path: `/b${index}`,
    }))
    expect(() => applyJsonPatch({ a: 'x'.repeat(100_000) }, copies)).toThrow(/copies too much/)
  })
})

describe('merge patch, the examples of RFC 7396 appendix A', () => {
  test.each<[Json, Json, Json]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j', (document, patch, expected) => {
    expect(applyMergePatch(document, patch)).toEqual(expected)
  })
})

describe('strategic merge patch', () => {
  const patchPod = (spec: JsonObject, patch: JsonObject): Json | undefined =>
    applyStrategicPatch({ spec }, { spec: patch }, structType('core.Pod'))['spec']
  const two = {
    containers: [
      { name: 'a', image: '1', env: [{ name: 'X', value: '1' }] },
      { name: 'b', image: '1' },
    ],
  }

  test.each<[string, JsonObject, JsonObject, JsonObject]>([
    [
      'merges items by key',
      two,
      { containers: [{ name: 'b', image: '2' }] },
      { containers: [two.containers[0] as JsonObject, { name: 'b', image: '2' }] },
    ],
    [
      'merges nested lists by key',
      two,
      { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] },
      {
        containers: [
          {
            name: 'a',
            image: '1',
            env: [
              { name: 'Y', value: '2' },
              { name: 'X', value: '1' },
            ],
          },
          { name: 'b', image: '1' },
        ],
      },
    ],
    [
      'deletes an item',
      two,
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { containers: [{ name: 'b', image: '1' }] },
    ],
    [
      'replaces a list',
      two,
      { containers: [{ $patch: 'replace' }, { name: 'c', image: '3' }] },
      { containers: [{ name: 'c', image: '3' }] },
    ],
    [
      'orders a list',
      two,
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
      { containers: [two.containers[1] as JsonObject, two.containers[0] as JsonObject] },
    ],
    [
      'keeps what only the server has in its place',
      two,
      {
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }],
        containers: [{ name: 'c', image: '3' }],
      },
      {
        containers: [
          { name: 'c', image: '3' },
          two.containers[0] as JsonObject,
          two.containers[1] as JsonObject,
        ],
      },
    ],
    [
      'replaces atomic lists',
      { tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { tolerations: [{ key: 'b' }] },
    ],
    [
      'removes by null',
      { nodeName: 'x', hostNetwork: true },
      { nodeName: null },
      { hostNetwork: true },
    ],
    [
      'replaces a map',
      { nodeSelector: { a: '1' } },
      { nodeSelector: { $patch: 'replace', b: '2' } },
      { nodeSelector: { b: '2' } },
    ],
    ['deletes a map', { nodeSelector: { a: '1' } }, { nodeSelector: { $patch: 'delete' } }, {}],
    [
      'retains keys of a union',
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
      { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
    ],
    [
      'cleans directives out of what is new',
      {},
      { containers: [{ name: 'n', image: 'i', env: [{ name: 'gone', $patch: 'delete' }] }] },
      { containers: [{ name: 'n', image: 'i', env: [] }] },
    ],
  ])('%s', (_, spec, patch, expected) => {
    expect(patchPod(spec, patch)).toEqual(expected)
  })

  test('deletes from and adds to lists of scalars', () => {
    const document = { metadata: { finalizers: ['a', 'b'] } }
    const patch = { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] } }
    expect(applyStrategicPatch(document, patch, structType('core.Pod'))).toEqual({
      metadata: { finalizers: ['c', 'b'] },
    })
  })

  test('refuses items without their key and unknown directives', () => {
    expect(() => patchPod(two, { containers: [{ image: 'x' }] })).toThrow(
      /does not contain declared merge key: name/,
    )
    expect(() => patchPod(two, { $patch: 'nope' })).toThrow(/unknown patch directive/)
    expect(() =>
      patchPod(
        { volumes: [{ name: 'v' }] },
        { volumes: [{ name: 'v', $retainKeys: ['name'], emptyDir: {} }] },
      ),
    ).toThrow(/retainKeys/)
  })
})
