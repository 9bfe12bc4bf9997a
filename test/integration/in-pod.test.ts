import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { findInPodClient } from '../cluster/operator-program.ts'
import { CLUSTER_HINT } from '../cluster/programs.ts'
import { skipUnless } from '../support/skip.ts'
import { configMap, type EdgedPlace, openPlace, shellPod } from './edged-place.ts'
import { ROOT, TestFleet, until } from './fleet-programs.ts'

// Clients in pods that know nothing but what Kubernetes gives to every pod.

const CORE = '/api/v1/namespaces/default'
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'
const CLIENT = join(ROOT, 'test', 'support', 'in-pod-client.mjs')
const PATIENT_MS = 60_000

function clientPod(name: string, command = [process.execPath, CLIENT, name]): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'node', command }],
    },
  }
}

interface Written {
  readonly user: { readonly username: string; readonly extra: Record<string, string[]> }
  readonly host: string
  readonly web: string
}

let fleet: TestFleet
let cloud: RunningProgram

beforeAll(async () => {
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud()
  const api = await fleet.api('cloud')
  await api.expect('POST', `${RBAC}/roles`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'writer' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'list', 'watch'] }],
  })
  await api.expect('POST', `${RBAC}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'writer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'writer' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'default' }],
  })
  await api.expect('POST', `${CORE}/services`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { clusterIP: '10.96.0.77', ports: [{ port: 80 }] },
  })
  await fleet.joinEdge('edge-1')
})
afterAll(() => fleet.close())

/** What a client has written, as the API of a program shows it. */
function written(where: string, name: string): Promise<Written> {
  return until(
    `${name} at ${where}`,
    async () => {
      const api = await fleet.api(where)
      const { status, body } = await api.send('GET', `${CORE}/configmaps/${name}`)
      if (status !== 200) return undefined
      const { user, host, web } = body['data'] as Record<string, string>
      return { user: JSON.parse(user ?? '') as Written['user'], host: host ?? '', web: web ?? '' }
    },
    PATIENT_MS,
  )
}

test('a pod gets its account, a token, and the variables, and its client reads and writes', async () => {
  const api = await fleet.api('cloud')
  const made = await api.expect('POST', `${CORE}/pods`, clientPod('online'))
  expect(made['spec']).toMatchObject({ serviceAccountName: 'default' })
  const { user, host, web } = await written('cloud', 'online')
  expect(user.username).toBe('system:serviceaccount:default:default')
  expect(user.extra['authentication.kubernetes.io/pod-name']).toEqual(['online'])
  expect(user.extra['authentication.kubernetes.io/node-name']).toEqual(['edge-1'])
  expect(host).toBe('127.0.0.1')
  expect(web).toBe('tcp://10.96.0.77:80')
})

test('a program in Go does, with informers, and goes on while the edge is cut off', async (context) => {
  const program = await findInPodClient()
  skipUnless(context, program !== undefined, 'the Go program for pods', CLUSTER_HINT)
  const api = await fleet.api('cloud')
  await api.expect('POST', `${CORE}/pods`, clientPod('go-online', [program ?? '', 'go-online']))
  const { user, host, web } = await written('cloud', 'go-online')
  expect(user.username).toBe('system:serviceaccount:default:default')
  expect(user.extra['authentication.kubernetes.io/pod-name']).toEqual(['go-online'])
  expect([host.startsWith('https://127.0.0.1:'), web]).toEqual([true, 'tcp://10.96.0.77:80'])
})

test('on an edge that is cut off, the same client goes on, and a new pod begins', async () => {
  await written('edge-1', 'online')
  const sync = fleet.syncAddress()
  await cloud.stop()
  const edge = await fleet.api('edge-1')
  await edge.expect('POST', `${CORE}/pods`, clientPod('offline'))
  const late = await written('edge-1', 'offline')
  expect(late.user.extra['authentication.kubernetes.io/pod-name']).toEqual(['offline'])
  const program = await findInPodClient()
  const inGo = program === undefined ? [] : ['go-online', 'go-offline']
  if (program !== undefined)
    await edge.expect('POST', `${CORE}/pods`, clientPod('go-offline', [program, 'go-offline']))
  for (const name of inGo) await written('edge-1', name)
  await edge.expect('POST', `${CORE}/configmaps`, configMap('go', {}))
  for (const name of ['online', 'offline', ...inGo]) await written('edge-1', `${name}-again`)
  cloud = await fleet.startCloud(['--sync-address', sync])
  for (const name of ['online', 'offline', ...inGo]) await written('cloud', `${name}-again`)
})

test('a pod of an account that is not there is refused', async () => {
  const edge = await fleet.api('edge-1')
  const pod = clientPod('nobody') as { readonly spec: object }
  const named = { ...pod, spec: { ...pod.spec, serviceAccountName: 'nobody' } }
  const { status, body } = await edge.send('POST', `${CORE}/pods`, named)
  expect(status).toBe(403)
  expect(body['message']).toBe(
    'pods "nobody" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
  )
})

/** How long the tokens of the next test live. */
const SHORT_MS = 4_000

test('the token in a volume is replaced before it ends, and the authority of the node is added', async () => {
  let issued = 0
  const issue = (): { readonly token: string; readonly expiresAtMs: number } => {
    issued += 1
    return { token: `token ${issued}`, expiresAtMs: Date.now() + SHORT_MS }
  }
  const api = { host: '127.0.0.1', port: 6444, caPem: 'the node', issue }
  const place: EdgedPlace = await openPlace({ api })
  try {
    await place.create(configMap('kube-root-ca.crt', { 'ca.crt': 'the cloud\n' }))
    const script =
      'cd "$TIDEWAY_MOUNT_ACCESS"; cat ca.crt; while :; do cat token; echo; sleep 0.2; done'
    const access = {
      name: 'access',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt' } },
        ],
      },
    }
    const volumeMounts = [{ name: 'access', mountPath: '/tideway-access' }]
    await place.create(shellPod('main', script, { volumes: [access] }, { volumeMounts }))
    const log = await until('two tokens', async () => {
      const text = await place.log('main').catch(() => '')
      return /token [2-9]/.test(text) ? text : undefined
    })
    expect(log).toMatch(/^the node\nthe cloud\ntoken 1\n/)
  } finally {
    await place.dispose()
  }
})
