import { describe, expect, test } from 'vitest'
import { type ConfigSource, resolveEnv } from '../../../../../src/adapters/edged/environment/env.ts'
import { expand } from '../../../../../src/adapters/edged/environment/expansion.ts'
import type { FieldContext } from '../../../../../src/adapters/edged/environment/fields.ts'
import {
  parseMillis,
  parseQuantity,
  parseWhole,
} from '../../../../../src/adapters/kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

const metadata = { name: 'app', namespace: 'shop' }
const source: ConfigSource = {
  configMap: (name) =>
    name === 'app'
      ? { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { color: 'red', 'bad=key': 'x' } }
      : undefined,
  secret: (name) =>
    name === 'key'
      ? { apiVersion: 'v1', kind: 'Secret', metadata, data: { password: 'aHVudGVyMg==' } }
      : undefined,
}

function resolve(container: JsonObject): unknown {
  const of = pod({ containers: [{ name: 'main', image: 'x', ...container }] })
  const main = of.containers[0]
  if (main === undefined) throw new Error('there is one container')
  const fields: FieldContext = {
    pod: of,
    podIPs: ['10.0.0.1'],
    hostIPs: ['10.0.0.1'],
    allocatable: { cpu: '4', memory: '8Gi' },
  }
  const result = resolveEnv(main, source, fields, { KNOWN: 'known' })
  return result.type === 'ready' ? result.env : result.message
}

const value = (valueFrom: JsonObject): JsonObject => ({ env: [{ name: 'X', valueFrom }] })
const configKey = (over: JsonObject) =>
  value({ configMapKeyRef: { name: 'app', key: 'color', ...over } })
const field = (fieldPath: string) => value({ fieldRef: { fieldPath } })

describe('variables', () => {
  test.each<[string, JsonObject, unknown]>([
    ['a value', { env: [{ name: 'X', value: 'y' }] }, { X: 'y' }],
    ['an empty value', { env: [{ name: 'X' }] }, { X: '' }],
    [
      'a value that refers to earlier ones only',
      {
        env: [
          { name: 'A', value: '$(B)$(KNOWN)' },
          { name: 'B', value: '$(A)$(A)' },
        ],
      },
      { A: '$(B)known', B: '$(B)known$(B)known' },
    ],
    ['a key of a config map', configKey({}), { X: 'red' }],
    ['a missing key', configKey({ key: 'size' }), "couldn't find key size in ConfigMap shop/app"],
    ['a missing optional key', configKey({ key: 'size', optional: true }), {}],
    ['a missing config map', configKey({ name: 'none' }), 'configmap "none" not found'],
    ['a missing optional config map', configKey({ name: 'none', optional: true }), {}],
    [
      'a key of a secret',
      value({ secretKeyRef: { name: 'key', key: 'password' } }),
      { X: 'hunter2' },
    ],
    [
      'a missing secret',
      value({ secretKeyRef: { name: 'no', key: 'k' } }),
      'secret "no" not found',
    ],
    [
      'a missing key of a secret',
      value({ secretKeyRef: { name: 'key', key: 'k' } }),
      "couldn't find key k in Secret shop/key",
    ],
    ['the name', field('metadata.name'), { X: 'web' }],
    ['the uid', field('metadata.uid'), { X: 'u-1' }],
    ['a label', field("metadata.labels['tier']"), { X: 'front' }],
    ['a missing label', field("metadata.labels['none']"), { X: '' }],
    ['the node', field('spec.nodeName'), { X: 'edge-1' }],
    ['the service account', field('spec.serviceAccountName'), { X: 'default' }],
    ['the pod ip', field('status.podIP'), { X: '10.0.0.1' }],
    ['an unknown field', field('spec.replicas'), 'unsupported fieldPath: spec.replicas'],
    [
      'a limit in its divisor, rounded up',
      {
        ...value({ resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } }),
        resources: { limits: { memory: '1500Ki' } },
      },
      { X: '2' },
    ],
    [
      'a limit that is not set',
      value({ resourceFieldRef: { resource: 'limits.cpu' } }),
      { X: '4' },
    ],
    [
      'everything of a config map, with a prefix',
      { envFrom: [{ prefix: 'APP_', configMapRef: { name: 'app' } }] },
      { APP_color: 'red' },
    ],
    [
      'env over envFrom',
      { envFrom: [{ configMapRef: { name: 'app' } }], env: [{ name: 'color', value: 'blue' }] },
      { color: 'blue' },
    ],
    [
      'everything of a missing secret',
      { envFrom: [{ secretRef: { name: 'no' } }] },
      'secret "no" not found',
    ],
    [
      'everything of a missing optional one',
      { envFrom: [{ secretRef: { name: 'no', optional: true } }] },
      {},
    ],
  ])('%s', (_name, container, expected) => {
    expect(resolve(container)).toEqual(expected)
  })
})

test.each([
  ['$(A)', 'a'],
  ['x$(A)y$(B)', 'xay$(B)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$a'],
  ['$A $(A', '$A $(A'],
  ['$(toString)', '$(toString)'],
  ['100$', '100$'],
])('%s expands to %s', (text, expected) => {
  expect(expand(text, { A: 'a' })).toBe(expected)
})

test.each([
  ['500m', 0.5, 500, 1],
  ['1', 1, 1_000, 1],
  ['0.1', 0.1, 100, 1],
  ['1Gi', 2 ** 30, 2 ** 30 * 1_000, 2 ** 30],
  ['2k', 2_000, 2_000_000, 2_000],
  ['1e3', 1_000, 1_000_000, 1_000],
  [4, 4, 4_000, 4],
  ['1Mb', undefined, undefined, undefined],
  ['', undefined, undefined, undefined],
  [{}, undefined, undefined, undefined],
])('the quantity %j', (text, exact, millis, whole) => {
  expect([parseQuantity(text), parseMillis(text), parseWhole(text)]).toEqual([exact, millis, whole])
})
