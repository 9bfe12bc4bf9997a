import { describe, expect, test } from 'vitest'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import { ObjectError } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { catalogOf } from '../../../../../src/adapters/kubernetes/server/catalog.ts'
import { discover } from '../../../../../src/adapters/kubernetes/server/discovery.ts'
import { objectAt, textAt } from '../../../../../src/adapters/kubernetes/server/json.ts'
import { openApiOf } from '../../../../../src/adapters/kubernetes/server/openapi.ts'
import { kindType } from '../../../../../src/adapters/kubernetes/server/schema/schema.ts'
import { invalid, toStatus } from '../../../../../src/adapters/kubernetes/server/status.ts'

const catalog = catalogOf(builtinResources)
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const BETA = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'

describe('discovery', () => {
  const get = (path: string, accept?: string) => discover(catalog, path, accept, 'host:1')

  test('is aggregated for who asks, in the version that was offered', () => {
    expect(get('/api', `${V2},${BETA},application/json`)?.contentType).toBe(V2)
    expect(get('/apis', `${BETA},application/json`)).toMatchObject({
      contentType: BETA,
      body: { apiVersion: 'apidiscovery.k8s.io/v2beta1' },
    })
    const text = JSON.stringify(get('/api', V2)?.body)
    expect(text).toContain('"resource":"pods"')
    expect(text).toContain('"subresource":"log"')
    expect(text).not.toContain('replicasets')
  })

  test('is one document a group and version for who does not', () => {
    expect(get('/api')?.body).toMatchObject({
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ serverAddress: 'host:1' }],
    })
    expect(get('/apis', 'application/json')?.body).toMatchObject({ kind: 'APIGroupList' })
    expect(get('/apis/apps')?.body).toMatchObject({
      kind: 'APIGroup',
      name: 'apps',
      preferredVersion: { groupVersion: 'apps/v1' },
    })
    expect(JSON.stringify(get('/api/v1')?.body)).toContain(
      '{"name":"pods/eviction","singularName":"","namespaced":true,"group":"policy","version":"v1","kind":"Eviction","verbs":["create"]}',
    )
    expect(JSON.stringify(get('/apis/apps/v1')?.body)).toContain('"name":"replicasets/scale"')
    expect(get('/apis/nope')).toBeUndefined()
    expect(get('/apis/apps/v2')).toBeUndefined()
    expect(get('/api/v1/pods/x')).toBeUndefined()
  })
})

describe('OpenAPI', () => {
  const openApi = openApiOf(catalog, 'v1.33.0')

  test('has a document for each group and version, found by its hash', () => {
    const paths = objectAt(openApi.index(), 'paths')
    const served = catalog.all.map(({ group, version }) =>
      group === '' ? `api/${version}` : `apis/${group}/${version}`,
    )
    expect(Object.keys(paths)).toEqual([...new Set(served)])
    expect(textAt(paths, 'api/v1', 'serverRelativeURL')).toMatch(
      /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{64}$/,
    )
    expect(openApi.document('api/v2')).toBeUndefined()
  })

  test('every reference leads somewhere, every served kind has a schema', () => {
    for (const path of Object.keys(objectAt(openApi.index(), 'paths'))) {
      const document = JSON.parse(openApi.document(path) ?? '{}') as {
        components: { schemas: object }
      }
      const names = new Set(Object.keys(document.components.schemas))
      const references = [
        ...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g),
      ].map((match) => match[1])
      expect(references.filter((name) => name === undefined || !names.has(name))).toEqual([])
    }
    for (const resource of builtinResources)
      expect(kindType(resource.group, resource.kind, resource.version), resource.id).toBeDefined()
  })
})

describe('status', () => {
  const lookup = (id: string) => catalog.byId(id)

  test('carries causes, and names the kind where an object is invalid', () => {
    const error = invalid('Pod', '', 'p', [
      { reason: 'FieldValueRequired', field: 'spec.a', message: 'Required value' },
      { reason: 'FieldValueRequired', field: 'spec.b', message: 'Required value' },
    ])
    expect(toStatus(error, lookup)).toMatchObject({
      code: 422,
      body: {
        message: 'Pod "p" is invalid: [spec.a: Required value, spec.b: Required value]',
        reason: 'Invalid',
        details: { name: 'p', kind: 'Pod', causes: [{ field: 'spec.a' }, { field: 'spec.b' }] },
      },
    })
  })

  test('puts the refusals of a store into the words of the API', () => {
    const error = new ObjectError('NotFound', 'replicasets.apps "r" not found', {
      key: { resource: 'replicasets.apps', name: 'r' },
    })
    expect(toStatus(error, lookup)).toEqual({
      code: 404,
      body: {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'replicasets.apps "r" not found',
        reason: 'NotFound',
        details: { name: 'r', group: 'apps', kind: 'replicasets' },
        code: 404,
      },
    })
  })

  test('tells nothing of what went wrong inside', () => {
    const { code, body } = toStatus(new Error('secret path'), lookup)
    expect(code).toBe(500)
    expect(JSON.stringify(body)).not.toContain('secret')
  })
})
