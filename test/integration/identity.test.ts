import { systemClock } from 'tideway'
import { documentId, documentKind, type JsonObject } from 'tideway/adapters/kubernetes/objects'
import {
  createAuthority,
  createSigningRequest,
  issueClientCertificate,
} from 'tideway/adapters/kubernetes/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { textAt } from '../../src/adapters/kubernetes/objects/read.ts'
import { eventually } from '../support/fleet.ts'
import {
  type Answer,
  accountNamed,
  type IdentityServer,
  startIdentityServer,
} from '../support/identity-server.ts'

const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const AUTHORIZATION = '/apis/authorization.k8s.io/v1'
const AUTHENTICATION = '/apis/authentication.k8s.io/v1'
const PODS = '/api/v1/namespaces/default/pods'

let aheadMs = 0
let server: IdentityServer
const root = { token: 'token-of-root' }
const ann = { token: 'token-of-ann' }
const bob = { token: 'token-of-bob' }

beforeAll(async () => {
  server = await startIdentityServer({
    ...systemClock,
    wallMs: () => systemClock.wallMs() + aheadMs,
    schedule: systemClock.schedule,
  })
  await server.store.create(accountNamed('robot'))
  await bind('bob-edits', 'edit', { kind: 'User', name: 'bob' })
})
afterAll(async () => {
  await server.close()
})

async function bind(name: string, role: string, subject: object): Promise<void> {
  const answer = await server.call('POST', `${RBAC}/namespaces/default/rolebindings`, {
    ...root,
    body: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', ...subject }],
    },
  })
  expect(answer.message).toBe('')
}

function review(group: string, kind: string, spec: object): { body: object } {
  return { body: { apiVersion: `${group}/v1`, kind, spec } }
}

function status(answer: Answer): JsonObject {
  return answer.body['status'] as JsonObject
}

async function tokenOf(name: string, spec: object = {}): Promise<string> {
  const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`
  const answer = await server.call('POST', path, {
    ...root,
    ...review('authentication.k8s.io', 'TokenRequest', spec),
  })
  expect(answer.message).toBe('')
  return String(status(answer)['token'])
}

describe('who may what', () => {
  test('is refused in the words of kube-apiserver', async () => {
    const ask = async (path: string, given: object = ann): Promise<string> => {
      const { code, message } = await server.call('GET', path, given)
      return `${code} ${message}`
    }
    expect(await ask(PODS)).toBe(
      '403 pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"',
    )
    expect(await ask(`${PODS}/x/log`)).toBe(
      '403 pods "x" is forbidden: User "ann" cannot get resource "pods/log" in API group "" in the namespace "default"',
    )
    expect(await ask('/api/v1/namespaces/default')).toBe(
      '403 namespaces "default" is forbidden: User "ann" cannot get resource "namespaces" in API group "" in the namespace "default"',
    )
    expect(await ask('/apis/apps/v1/replicasets')).toBe(
      '403 replicasets.apps is forbidden: User "ann" cannot list resource "replicasets" in API group "apps" at the cluster scope',
    )
    expect(await ask('/secret-path')).toBe(
      '403 forbidden: User "ann" cannot get path "/secret-path"',
    )
    expect(await ask('/api', {})).toBe(
      '403 forbidden: User "system:anonymous" cannot get path "/api"',
    )
    expect(await ask('/version', {})).toMatch(/^200/)
    expect(await ask(PODS, { token: 'nobody' })).toBe('401 Unauthorized')
    expect(await ask('/version', { token: 'nobody' })).toBe('401 Unauthorized')
    expect(await ask('/a%20<b>')).toBe('403 forbidden: User "ann" cannot get path "/a &lt;b&gt;"')
  })

  test('follows bindings as they come and go, at once', async () => {
    expect((await server.call('GET', PODS, ann)).code).toBe(403)
    await bind('ann-views', 'view', { kind: 'User', name: 'ann' })
    await eventually(
      () => server.rbac.rulesFor({ name: 'ann', groups: [] }, 'default').rules.length > 5,
    )
    expect((await server.call('GET', PODS, ann)).code).toBe(200)
    expect((await server.call('GET', '/api/v1/namespaces/default/secrets', ann)).code).toBe(403)
    expect((await server.call('GET', '/api/v1/namespaces/kube-system/pods', ann)).code).toBe(403)
    await server.call('DELETE', `${RBAC}/namespaces/default/rolebindings/ann-views`, root)
    expect((await server.call('GET', PODS, ann)).code).toBe(403)
  })

  test('a name in a field selector is a name', async () => {
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'one-config' },
      rules: [
        { apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'], verbs: ['list'] },
      ],
    }
    expect((await server.call('POST', `${RBAC}/clusterroles`, { ...root, body: role })).code).toBe(
      201,
    )
    await bind('ann-one', 'one-config', { kind: 'User', name: 'ann' })
    const path = '/api/v1/namespaces/default/configmaps'
    expect((await server.call('GET', `${path}?fieldSelector=metadata.name%3Done`, ann)).code).toBe(
      200,
    )
    expect((await server.call('GET', `${path}?fieldSelector=metadata.name%3Dtwo`, ann)).code).toBe(
      403,
    )
    expect((await server.call('GET', path, ann)).code).toBe(403)
  })

  test('applying what is not there takes the right to create', async () => {
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'patcher' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch', 'get'] }],
    }
    await server.call('POST', `${RBAC}/clusterroles`, { ...root, body: role })
    await bind('ann-patches', 'patcher', { kind: 'User', name: 'ann' })
    const path = '/api/v1/namespaces/default/configmaps/fresh?fieldManager=test'
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'fresh' } }
    const apply = { body, type: 'application/apply-patch+yaml' }
    expect((await server.call('PATCH', path, { ...ann, ...apply })).message).toBe(
      'configmaps "fresh" is forbidden: User "ann" cannot create resource "configmaps" in API group "" in the namespace "default"',
    )
    expect((await server.call('PATCH', path, { ...root, ...apply })).code).toBe(201)
    expect((await server.call('PATCH', path, { ...ann, ...apply })).code).toBe(200)
  })

  test('nobody grants what they do not hold', async () => {
    await bind('bob-admin', 'admin', { kind: 'User', name: 'bob' })
    await eventually(
      () => server.rbac.rulesFor({ name: 'bob', groups: [] }, 'default').rules.length > 20,
    )
    const binding = (role: string) => ({
      ...bob,
      body: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: `given-${role}` },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      },
    })
    const path = `${RBAC}/namespaces/default/rolebindings`
    expect((await server.call('POST', path, binding('view'))).message).toBe('')
    const refused = await server.call('POST', path, binding('cluster-admin'))
    expect(refused.code).toBe(403)
    expect(refused.message).toBe(
      'rolebindings.rbac.authorization.k8s.io "given-cluster-admin" is forbidden: user "bob" (groups=["builders" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}',
    )
    expect(await server.call('POST', path, binding('none'))).toMatchObject({
      code: 404,
      message: 'rolebindings.rbac.authorization.k8s.io "none" not found',
    })
  })

  test('not by changing a role either', async () => {
    const path = `${RBAC}/namespaces/default/roles`
    const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get'] }
    const body = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'grown' },
      rules: [rule],
    }
    expect((await server.call('POST', path, { ...bob, body })).message).toBe('')
    const type = 'application/merge-patch+json'
    const change = (rules: readonly object[]) =>
      server.call('PATCH', `${path}/grown`, { ...bob, body: { rules }, type })
    const more = await change([{ ...rule, resources: ['*'] }])
    expect(more.message).toContain(
      'roles.rbac.authorization.k8s.io "grown" is forbidden: user "bob"',
    )
    expect((await change([{ ...rule, verbs: ['list'] }])).code).toBe(200)
    expect(
      (
        await server.call('PUT', `${path}/grown`, {
          ...bob,
          body: { ...body, rules: [{ ...rule, apiGroups: ['*'] }] },
        })
      ).code,
    ).toBe(403)
  })

  test('nobody lets a policy read what they may not', async () => {
    const group = 'admissionregistration.k8s.io'
    const rule = { apiGroups: [group], resources: ['*'], verbs: ['*'] }
    const maps = { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' }
    const named = { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: 'policies' }
    const subjects = [{ kind: 'User', apiGroup: named.apiGroup, name: 'cat' }]
    const metadata = { name: 'policies' }
    for (const [plural, body] of [
      ['clusterroles', { ...role, metadata, rules: [rule, maps] }],
      [
        'clusterrolebindings',
        { ...role, kind: 'ClusterRoleBinding', metadata, roleRef: named, subjects },
      ],
    ] as const)
      expect((await server.call('POST', `${RBAC}/${plural}`, { ...root, body })).message).toBe('')
    const cat = { token: 'token-of-root', headers: { 'Impersonate-User': 'cat' } }
    const write = async (kind: string, spec: object): Promise<Answer> =>
      await server.call('POST', `/apis/${group}/v1/${kind.toLowerCase().replace(/y$/, 'ie')}s`, {
        ...cat,
        body: { apiVersion: `${group}/v1`, kind, metadata: { name: 'reads' }, spec },
      })
    const policy = (kind: string): object => ({
      paramKind: { apiVersion: 'v1', kind },
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] },
        ],
      },
      validations: [{ expression: 'params == null' }],
    })
    const user = 'user &{cat  [system:authenticated] map[]}'
    expect(await write('ValidatingAdmissionPolicy', policy('Secret'))).toMatchObject({
      code: 422,
      message: `ValidatingAdmissionPolicy.${group} "reads" is invalid: spec.paramKind: Forbidden: ${user} must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)`,
    })
    const binding = {
      policyName: 'reads',
      paramRef: { name: 'some', namespace: 'default', parameterNotFoundAction: 'Allow' },
      validationActions: ['Deny'],
    }
    // Of a policy that is not there yet it may be anything.
    expect(await write('ValidatingAdmissionPolicyBinding', binding)).toMatchObject({
      code: 422,
      message: `ValidatingAdmissionPolicyBinding.${group} "reads" is invalid: spec.paramRef: Forbidden: ${user} does not have "get" permission on the object referenced by paramRef`,
    })
    expect((await write('ValidatingAdmissionPolicy', policy('ConfigMap'))).message).toBe('')
    expect((await write('ValidatingAdmissionPolicyBinding', binding)).message).toBe('')
  })

  test('nobody changes the keys that tokens are checked with', async () => {
    const body = { metadata: { annotations: { 'tideway.dev/service-account-keys': '[]' } } }
    const type = 'application/merge-patch+json'
    const answer = await server.call('PATCH', '/api/v1/namespaces/kube-system', {
      ...root,
      body,
      type,
    })
    expect(answer.code).toBe(403)
    expect(answer.message).toContain('it is kept by the cluster')
  })
})

describe('tokens of service accounts', () => {
  test('prove the account, for as long as it is the same one', async () => {
    const token = await tokenOf('robot')
    const self = await server.call('POST', `${AUTHENTICATION}/selfsubjectreviews`, {
      token,
      ...review('authentication.k8s.io', 'SelfSubjectReview', {}),
    })
    expect(status(self)['userInfo']).toMatchObject({
      username: 'system:serviceaccount:default:robot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [expect.stringMatching(/^JTI=/)] },
    })
    await server.store.create(accountNamed('brief'))
    const other = await tokenOf('brief')
    expect((await server.call('GET', '/api', { token: other })).code).toBe(200)
    const key = { resource: 'serviceaccounts', namespace: 'default', name: 'brief' }
    await server.store.delete(key)
    expect((await server.call('GET', '/api', { token: other })).code).toBe(401)
    await server.store.create(accountNamed('brief'))
    expect((await server.call('GET', '/api', { token: other })).code).toBe(401)
  })

  test('end', async () => {
    const token = await tokenOf('robot', { expirationSeconds: 600 })
    expect((await server.call('GET', '/api', { token })).code).toBe(200)
    aheadMs = 700_000
    try {
      expect((await server.call('GET', '/api', { token })).code).toBe(401)
      expect(server.accounts.check(token)).toEqual({ error: 'service account token has expired' })
    } finally {
      aheadMs = 0
    }
  })

  test('are for an audience', async () => {
    const token = await tokenOf('robot', { audiences: ['vault'] })
    expect((await server.call('GET', '/api', { token })).code).toBe(401)
    const ask = async (spec: object): Promise<JsonObject> =>
      status(
        await server.call('POST', `${AUTHENTICATION}/tokenreviews`, {
          ...root,
          ...review('authentication.k8s.io', 'TokenReview', spec),
        }),
      )
    expect(await ask({ token, audiences: ['vault', 'x'] })).toMatchObject({
      authenticated: true,
      audiences: ['vault'],
      user: { username: 'system:serviceaccount:default:robot' },
    })
    expect(await ask({ token })).toEqual({
      user: {},
      error: `[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["${server.accounts.issuer}"]]`,
    })
    expect(await ask({ token: 'token-of-bob' })).toMatchObject({
      authenticated: true,
      user: { username: 'bob' },
    })
    expect(await ask({ token: 'x' })).toEqual({ user: {}, error: 'invalid bearer token' })
    expect(await ask({ token: `${await tokenOf('robot')}x` })).toMatchObject({ user: {} })
  })

  test('end with what they are bound to', async () => {
    const pod = await server.store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bound', namespace: 'default' },
      spec: { serviceAccountName: 'robot', containers: [{ name: 'a', image: 'b' }] },
    })
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'bound', uid: pod.metadata.uid }
    const token = await tokenOf('robot', { boundObjectRef })
    const proof = server.accounts.check(token)
    expect(proof).toMatchObject({
      user: { extra: { 'authentication.kubernetes.io/pod-name': ['bound'] } },
    })
    await server.store.delete({ resource: 'pods', namespace: 'default', name: 'bound' })
    await server.store
      .remove({ resource: 'pods', namespace: 'default', name: 'bound' })
      .catch(() => undefined)
    expect(server.accounts.check(token)).toEqual({
      error: 'service account token has been invalidated',
    })
  })

  test('are not given for what cannot be', async () => {
    const ask = async (name: string, spec: object): Promise<string> => {
      const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`
      const request = review('authentication.k8s.io', 'TokenRequest', spec)
      const { code, message } = await server.call('POST', path, { ...root, ...request })
      return `${code} ${message}`
    }
    expect(await ask('robot', { expirationSeconds: 3 })).toBe(
      '422 TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 3: may not specify a duration less than 10 minutes',
    )
    expect(await ask('none', {})).toBe('404 serviceaccounts "none" not found')
    expect(await ask('robot', { boundObjectRef: { kind: 'Foo', apiVersion: 'v2' } })).toBe(
      '400 cannot bind token to object of type /v2, Kind=Foo',
    )
    expect(
      await ask('robot', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'x' } }),
    ).toBe('404 pods "x" not found')
  })

  test('can be checked by others', async () => {
    const found = await server.call('GET', '/.well-known/openid-configuration', root)
    expect(found.body).toMatchObject({ issuer: server.accounts.issuer })
    const keys = await server.call('GET', '/openid/v1/jwks', root)
    expect(keys.body['keys']).toMatchObject([{ kty: 'EC', alg: 'ES256', use: 'sig' }])
    expect((await server.call('GET', '/openid/v1/jwks')).code).toBe(403)
  })
})

describe('reviews', () => {
  const can = async (spec: object, given: object = root): Promise<JsonObject> =>
    status(
      await server.call('POST', `${AUTHORIZATION}/subjectaccessreviews`, {
        ...given,
        ...review('authorization.k8s.io', 'SubjectAccessReview', spec),
      }),
    )

  test('say what somebody else may, to those who may ask', async () => {
    const resourceAttributes = { verb: 'delete', resource: 'pods', namespace: 'default' }
    expect(await can({ user: 'bob', resourceAttributes })).toEqual({
      allowed: true,
      reason: expect.stringContaining('RBAC: allowed by RoleBinding "bob-'),
    })
    expect(await can({ user: 'nobody', resourceAttributes })).toEqual({ allowed: false })
    expect(await can({ user: 'x', groups: ['system:masters'], resourceAttributes })).toEqual({
      allowed: true,
    })
    const refused = await server.call('POST', `${AUTHORIZATION}/subjectaccessreviews`, {
      ...ann,
      ...review('authorization.k8s.io', 'SubjectAccessReview', { user: 'bob', resourceAttributes }),
    })
    expect(refused.code).toBe(403)
  })

  test('are refused when they ask nothing, or for two things', async () => {
    const path = `${AUTHORIZATION}/subjectaccessreviews`
    const ask = async (spec: object): Promise<string> => {
      const request = review('authorization.k8s.io', 'SubjectAccessReview', spec)
      const { code, message } = await server.call('POST', path, { ...root, ...request })
      return `${code} ${message}`
    }
    expect(await ask({ user: 'a' })).toContain(
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    )
    expect(await ask({ resourceAttributes: { verb: 'get' } })).toContain(
      'at least one of user or group must be specified',
    )
  })

  test('list the rules of a namespace', async () => {
    const answer = await server.call('POST', `${AUTHORIZATION}/selfsubjectrulesreviews`, {
      ...ann,
      ...review('authorization.k8s.io', 'SelfSubjectRulesReview', { namespace: 'default' }),
    })
    const { resourceRules, nonResourceRules, incomplete } = status(answer)
    expect(incomplete).toBe(false)
    expect(resourceRules).toContainEqual({
      verbs: ['create'],
      apiGroups: ['authentication.k8s.io'],
      resources: ['selfsubjectreviews'],
    })
    expect(nonResourceRules).not.toEqual([])
  })

  test('of one namespace stay in it', async () => {
    const body = (namespace: string): object => ({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'LocalSubjectAccessReview',
      metadata: { namespace: 'default' },
      spec: { user: 'bob', resourceAttributes: { verb: 'get', resource: 'pods', namespace } },
    })
    const path = `${AUTHORIZATION}/namespaces/default/localsubjectaccessreviews`
    const answer = await server.call('POST', path, { ...bob, body: body('default') })
    expect(status(answer)['allowed']).toBe(true)
    expect((await server.call('POST', path, { ...bob, body: body('other') })).message).toContain(
      'must match metadata.namespace',
    )
  })
})

describe('acting as somebody else', () => {
  test('takes the right to', async () => {
    const as = (user: string, more: object = {}) => ({
      headers: { 'Impersonate-User': user, ...more },
    })
    const list = async (given: object): Promise<string> => {
      const { code, message } = await server.call('GET', PODS, given)
      return code === 200 ? '200' : `${code} ${message}`
    }
    expect(await list({ ...root, ...as('bob') })).toBe('200')
    expect(await list({ ...root, ...as('zoe') })).toContain('User "zoe" cannot list')
    expect(
      await list({ ...root, ...as('zoe', { 'Impersonate-Group': ['x', 'system:masters'] }) }),
    ).toBe('200')
    expect(await list({ ...ann, ...as('bob') })).toBe(
      '403 pods is forbidden: User "ann" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "default"',
    )
    expect(
      await list({
        ...ann,
        ...as('system:serviceaccount:default:robot', { 'Impersonate-Group': 'x' }),
      }),
    ).toBe(
      '403 serviceaccounts "robot" is forbidden: User "ann" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "default"',
    )
    expect(await list({ ...ann, headers: { 'Impersonate-Group': 'x' } })).toBe(
      '400 requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, Extra:map[string][]string(nil)} without impersonating a user name',
    )
  })

  test('carries groups, uid and extra facts', async () => {
    const answer = await server.call('POST', `${AUTHENTICATION}/selfsubjectreviews`, {
      ...root,
      ...review('authentication.k8s.io', 'SelfSubjectReview', {}),
      headers: {
        'Impersonate-User': 'zoe',
        'Impersonate-Uid': 'u1',
        'Impersonate-Group': ['x', 'y'],
        'Impersonate-Extra-Example.com%2fScope': ['view', 'edit'],
      },
    })
    expect(status(answer)['userInfo']).toEqual({
      username: 'zoe',
      uid: 'u1',
      groups: ['x', 'y', 'system:authenticated'],
      extra: { 'example.com/scope': ['view', 'edit'] },
    })
  })
})

test('a client certificate names a user and groups', async () => {
  const { authority } = server.api
  const request = await createSigningRequest()
  const whoIs = async (commonName: string, organizations: readonly string[]) => {
    const subject = { commonName, organizations, days: 1 }
    const cert = await issueClientCertificate(authority, request.request, subject)
    const answer = await server.call('POST', `${AUTHENTICATION}/selfsubjectreviews`, {
      ...review('authentication.k8s.io', 'SelfSubjectReview', {}),
      credential: { cert, key: request.key },
    })
    return answer.code === 201 ? status(answer)['userInfo'] : answer.message
  }
  expect(await whoIs('carl', ['builders', 'readers'])).toEqual({
    username: 'carl',
    groups: ['builders', 'readers', 'system:authenticated'],
  })
  expect(await whoIs('dora', [])).toEqual({ username: 'dora', groups: ['system:authenticated'] })
  // A certificate that is not taken is no way to be anonymous.
  expect(await whoIs('system:node:edge-1', ['system:nodes'])).toBe('Unauthorized')
  const stranger = await createAuthority()
  const subject = { commonName: 'carl', organizations: ['system:masters'], days: 1 }
  const cert = await issueClientCertificate(stranger, request.request, subject)
  const answer = await server.call('GET', PODS, { credential: { cert, key: request.key } })
  expect(answer).toMatchObject({ code: 401, message: 'Unauthorized' })
})

test('the history of a document names who wrote, and with what', async () => {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'written' }, data: {} }
  const path = '/api/v1/namespaces/default/configmaps'
  await server.call('POST', `${path}?fieldManager=editor`, { ...bob, body })
  const change = { body: { data: { a: 'b' } }, type: 'application/merge-patch+json' }
  await server.call('PATCH', `${path}/written?fieldManager=other`, {
    ...root,
    ...change,
    headers: { 'Impersonate-User': 'bob' },
  })
  const resource = server.store.resource('configmaps')
  if (resource === undefined) throw new Error('config maps are not served')
  const { replica } = server.api
  const identity = { resource: 'configmaps', namespace: 'default', name: 'written' }
  const handle = await replica.open(documentId({ ...identity, incarnation: 1 }, 'desired'), {
    kind: documentKind(resource, 'desired'),
  })
  const messages = [...handle.history()].map(({ message }) => message)
  expect(messages).toContain('editor by bob')
  expect(messages[0]).toBe('other by bob')
  await handle.close()
})

test('what was done is told, with who did it', async () => {
  const before = server.audited.length
  await server.call('GET', `${PODS}/none`, {
    ...root,
    headers: { 'Impersonate-User': 'bob', 'User-Agent': 'test/1' },
  })
  await eventually(() => server.audited.length > before)
  const event = server.audited.at(-1)
  expect(event).toMatchObject({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    stage: 'ResponseComplete',
    verb: 'get',
    user: { username: 'root' },
    impersonatedUser: { username: 'bob' },
    userAgent: 'test/1',
    objectRef: { resource: 'pods', namespace: 'default', name: 'none', apiVersion: 'v1' },
    responseStatus: { code: 404 },
    annotations: { 'authorization.k8s.io/decision': 'allow' },
  })
  expect(textAt(event, 'requestReceivedTimestamp')).toMatch(/^\d{4}-.*\.\d{6}Z$/)
})
