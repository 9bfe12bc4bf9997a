import { describe, expect, test } from 'vitest'
import { negotiate, parseAccept } from '../../../../../src/adapters/kubernetes/server/negotiate.ts'
import { parseRequest } from '../../../../../src/adapters/kubernetes/server/request.ts'

describe('parseRequest', () => {
  const cases: readonly [string, string, object][] = [
    [
      'GET',
      '/api/v1/pods',
      { verb: 'list', group: '', version: 'v1', plural: 'pods', namespace: undefined },
    ],
    [
      'GET',
      '/api/v1/namespaces/a/pods',
      { verb: 'list', namespace: 'a', plural: 'pods', name: undefined },
    ],
    ['GET', '/api/v1/namespaces/a/pods?watch=1', { verb: 'watch', namespace: 'a' }],
    ['GET', '/api/v1/namespaces/a/pods?watch=false', { verb: 'list' }],
    [
      'GET',
      '/api/v1/namespaces/a',
      { verb: 'get', plural: 'namespaces', name: 'a', namespace: undefined },
    ],
    [
      'PUT',
      '/api/v1/namespaces/a/status',
      { verb: 'update', plural: 'namespaces', name: 'a', subresource: 'status' },
    ],
    [
      'PUT',
      '/api/v1/namespaces/a/finalize',
      { plural: 'namespaces', name: 'a', subresource: 'finalize' },
    ],
    [
      'PATCH',
      '/apis/apps/v1/namespaces/a/replicasets/r/scale',
      { verb: 'patch', group: 'apps', name: 'r', subresource: 'scale' },
    ],
    ['POST', '/api/v1/namespaces/a/pods', { verb: 'create' }],
    ['DELETE', '/api/v1/namespaces/a/pods', { verb: 'deletecollection' }],
    ['DELETE', '/api/v1/nodes/n%2e1', { verb: 'delete', name: 'n.1' }],
  ]
  test.each(cases)('%s %s', (method, target, expected) => {
    expect(parseRequest(method, target)).toMatchObject({ type: 'resource', ...expected })
  })

  test.each([
    '/',
    '/api',
    '/api/v1',
    '/apis',
    '/apis/apps',
    '/apis/apps/v1',
    '/openapi/v3/api/v1',
    '/healthz',
  ])('%s is no resource', (path) => {
    expect(parseRequest('GET', path)).toMatchObject({ type: 'path', path })
  })
})

describe('negotiate', () => {
  test('takes the first form that is served', () => {
    const table =
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'
    expect(negotiate(table)).toEqual({ format: 'json', as: 'table', metaVersion: 'v1' })
    expect(negotiate('application/vnd.kubernetes.protobuf,application/json')).toMatchObject({
      format: 'protobuf',
      as: 'object',
    })
    expect(negotiate('application/yaml')).toMatchObject({ format: 'yaml' })
    expect(negotiate(undefined)).toMatchObject({ format: 'json', as: 'object' })
    expect(
      negotiate('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', 'list'),
    ).toMatchObject({ as: 'metadata' })
  })

  test('goes by quality', () => {
    expect(parseAccept('a/b;q=0.1, c/d, e/f;q=0.5').map((range) => range.type)).toEqual([
      'c/d',
      'e/f',
      'a/b',
    ])
  })

  test('refuses what is not served', () => {
    expect(() => negotiate('application/cbor')).toThrow(/Available representations/)
    expect(() => negotiate('application/json;as=Table;v=v2;g=meta.k8s.io')).toThrow(
      /only the following media types are accepted/,
    )
    expect(() => negotiate('application/yaml', 'watch')).toThrow(/stream=watch/)
    const metadata = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
    expect(() => negotiate(metadata, 'list')).toThrow(/is a list/)
    expect(() => negotiate(metadata.replace(';g', 'List;g'))).toThrow(/is not a list/)
  })
})
