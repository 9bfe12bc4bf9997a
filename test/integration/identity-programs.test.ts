import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { ApiClient, readAccess } from '../../examples/shared/api-client.ts'
import { TestFleet, until } from './fleet-programs.ts'

const CORE = '/api/v1/namespaces/default'
const RBAC = '/apis/rbac.authorization.k8s.io/v1'

let fleet: TestFleet
let cloud: RunningProgram

beforeAll(async () => {
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud(['--audit-log', join(fleet.directory, 'audit.log')])
  await fleet.joinEdge('edge-1')
  const api = await fleet.api('cloud')
  for (const name of ['robot', 'boss']) {
    await api.expect('POST', `${CORE}/serviceaccounts`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name },
    })
  }
})
afterAll(() => fleet.close())

/** The API of a program, as whoever has a token. */
async function as(name: string, token: string): Promise<ApiClient> {
  const program = name === 'cloud' ? 'cloudcore' : 'edgecore'
  const access = await readAccess(fleet.data(name), program)
  return new ApiClient({ ...access, token }, program, fleet.data(name))
}

function pod(name: string, account: string): object {
  const command = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done']
  const containers = [{ name: 'main', image: 'shell', command }]
  const spec = { nodeName: 'edge-1', serviceAccountName: account, containers }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { ...spec, terminationGracePeriodSeconds: 1 },
  }
}

async function tokenOf(where: string, account: string, bound: string): Promise<string> {
  const api = await fleet.api(where)
  const body = await api.expect('POST', `${CORE}/serviceaccounts/${account}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: bound } },
  })
  return (body['status'] as { token: string }).token
}

async function isThere(where: string, path: string): Promise<boolean> {
  return (await (await fleet.api(where)).send('GET', path)).status === 200
}

async function statusOf(where: string, token: string, path = '/api'): Promise<number> {
  return (await (await as(where, token)).send('GET', path)).status
}

test('every namespace has what pods expect, and the cluster its roles', async () => {
  const api = await fleet.api('cloud')
  await api.expect('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'fresh' },
  })
  const fresh = '/api/v1/namespaces/fresh'
  await until('the account', () => isThere('cloud', `${fresh}/serviceaccounts/default`))
  await until('the certificate', () => isThere('cloud', `${fresh}/configmaps/kube-root-ca.crt`))
  const roles = await api.expect('GET', `${RBAC}/clusterroles/admin`)
  expect((roles['rules'] as readonly object[]).length).toBeGreaterThan(10)
  await until('the roles at the edge', () => isThere('edge-1', `${RBAC}/clusterroles/admin`))
})

test('a node speaks for the accounts of pods that the cloud gave it, and no other', async () => {
  const api = await fleet.api('cloud')
  await api.expect('POST', `${CORE}/pods`, pod('given', 'robot'))
  await until('the pod at the edge', () => isThere('edge-1', `${CORE}/pods/given`))
  await until('the account', () => isThere('edge-1', `${CORE}/serviceaccounts/boss`))
  const given = await tokenOf('edge-1', 'robot', 'given')
  expect(await statusOf('edge-1', given)).toBe(200)
  await until('the cloud knows the key', async () => (await statusOf('cloud', given)) === 200)
  const edge = await fleet.api('edge-1')
  await edge.expect('POST', `${CORE}/pods`, pod('taken', 'boss'))
  await until('the pod at the cloud', () => isThere('cloud', `${CORE}/pods/taken`))
  const taken = await tokenOf('edge-1', 'boss', 'taken')
  expect(await statusOf('edge-1', taken)).toBe(200)
  expect(await statusOf('cloud', taken)).toBe(401)
})

test('tokens and roles of the cloud count at an edge that is cut off', async () => {
  const api = await fleet.api('cloud')
  const token = await tokenOf('cloud', 'robot', 'given')
  expect(await statusOf('edge-1', token, `${CORE}/configmaps`)).toBe(403)
  await api.expect('POST', `${RBAC}/namespaces/default/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'robot-views' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'default' }],
  })
  const path = `${RBAC}/namespaces/default/rolebindings/robot-views`
  await until('the binding at the edge', () => isThere('edge-1', path))
  await cloud.stop()
  expect(await statusOf('edge-1', token, `${CORE}/configmaps`)).toBe(200)
  expect(await statusOf('edge-1', token, `${CORE}/secrets`)).toBe(403)
  expect(await statusOf('edge-1', 'no-token-at-all')).toBe(401)
})

test('the audit log names who did what', async () => {
  const lines = (await readFile(join(fleet.directory, 'audit.log'), 'utf8')).trim().split('\n')
  const events = lines.map((line) => JSON.parse(line) as { verb: string; objectRef?: object })
  expect(events).toContainEqual(
    expect.objectContaining({
      verb: 'create',
      user: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
      objectRef: expect.objectContaining({ resource: 'serviceaccounts', subresource: 'token' }),
    }),
  )
})
