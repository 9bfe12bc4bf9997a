import { expect, test } from 'vitest'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { catalogOf } from '../../../../../src/adapters/kubernetes/server/catalog.ts'
import { at, objectAt } from '../../../../../src/adapters/kubernetes/server/json.ts'
import { openApiOf } from '../../../../../src/adapters/kubernetes/server/openapi.ts'
import { openApiV2Of } from '../../../../../src/adapters/kubernetes/server/openapi-v2.ts'
import { Wire } from '../../../../support/wire-fields.ts'

const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'
const openApi = openApiV2Of(openApiOf(catalogOf(builtinResources), 'v1.33.0'), 'v1.33.0')
const json = JSON.parse(openApi.answer(undefined).text) as JsonObject
const definitions = objectAt(json, 'definitions')

test('describes every kind in the words of v2', () => {
  const pod = definitions['io.k8s.api.core.v1.Pod']
  expect(at(pod, 'x-kubernetes-group-version-kind')).toEqual([
    { group: '', kind: 'Pod', version: 'v1' },
  ])
  expect(at(pod, 'properties', 'spec', '$ref')).toBe('#/definitions/io.k8s.api.core.v1.PodSpec')
  const containers = at(definitions['io.k8s.api.core.v1.PodSpec'] ?? {}, 'properties', 'containers')
  expect(containers).toMatchObject({
    type: 'array',
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-patch-strategy': 'merge',
  })
  expect(openApi.answer(undefined).text).not.toMatch(/"(oneOf|anyOf|allOf)":\[|#\/components/)
  const references = openApi.answer(undefined).text.matchAll(/"#\/definitions\/([^"]+)"/g)
  const missing = [...references].filter(([, name]) => !Object.hasOwn(definitions, name ?? ''))
  expect(missing).toEqual([])
})

test('is protobuf for who asks for it, by either of its names', () => {
  for (const type of [PROTOBUF, PROTOBUF.replace('.v2.v1.0', '.v2@v1.0')]) {
    const { contentType, bytes } = openApi.answer(`${type},application/json`)
    expect(contentType).toBe(PROTOBUF)
    const document = new Wire(bytes ?? new Uint8Array())
    expect(document.text(1)).toBe('2.0')
    expect(document.message(2).text(1)).toBe('Kubernetes')
    const named = document.message(9).messages(1)
    expect(named.map((pair) => pair.text(1))).toEqual(Object.keys(definitions))
    const pod = named.find((pair) => pair.text(1) === 'io.k8s.api.core.v1.Pod')?.message(2)
    const spec = pod
      ?.message(25)
      .messages(1)
      .find((pair) => pair.text(1) === 'spec')
    expect(spec?.message(2).text(1)).toBe('#/definitions/io.k8s.api.core.v1.PodSpec')
    const [extension] = pod?.messages(31) ?? []
    expect(extension?.text(1)).toBe('x-kubernetes-group-version-kind')
    expect(extension?.message(2).text(2)).toContain('"kind":"Pod"')
    const paths = document.message(8).messages(2)
    const patch = paths
      .find((pair) => pair.text(1) === '/api/v1/namespaces/{namespace}/pods/{name}')
      ?.message(2)
      .message(8)
    const parameters = patch?.messages(8).map((item) => item.message(1).message(2).message(3))
    expect(parameters?.map((parameter) => parameter.text(4))).toContain('fieldValidation')
  }
})

test('is nothing else', () => {
  expect(openApi.answer('text/html')).toMatchObject({ code: 406 })
})
