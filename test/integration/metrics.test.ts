import { spawn } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { parseQuantity } from '../../src/adapters/kubernetes/objects/quantity.ts'
import { KUBECTL_HINT, type Kubectl, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { TestFleet, until } from './fleet-programs.ts'

// What nodes and pods use, from the processes of an edge to `kubectl top` at both ends.

const CORE = '/api/v1/namespaces/default'
const METRICS = '/apis/metrics.k8s.io/v1beta1'
/** The first measure comes a second after the start, the next ones every 15 seconds. */
const PATIENT_MS = 60_000

/** Burns half of a core, and holds some memory. */
const BUSY = `
  const held = Buffer.alloc(40 * 2 ** 20, 1)
  setInterval(() => { const end = Date.now() + 50; while (Date.now() < end) held[0] ^= 1 }, 100)
`

let fleet: TestFleet
let edge: RunningProgram
let kubectl: Kubectl | undefined

beforeAll(async () => {
  kubectl = await newestKubectl()
  fleet = await TestFleet.create()
  await fleet.startCloud()
  edge = await fleet.joinEdge('edge-1')
  const api = await fleet.api('cloud')
  const command = [process.execPath, '-e', BUSY]
  await api.expect('POST', `${CORE}/pods`, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'busy', labels: { app: 'busy' } },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'node', command }],
    },
  })
})
afterAll(() => fleet.close())

function run(where: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const flags = ['--kubeconfig', fleet.kubeconfig(where), '--cache-dir', fleet.data('cache')]
    const child = spawn(kubectl?.path ?? 'kubectl', [...flags, ...args])
    let output = ''
    child.stdout.on('data', (piece) => {
      output += String(piece)
    })
    child.stderr.on('data', (piece) => {
      output += String(piece)
    })
    child.once('error', reject)
    child.once('close', () => resolve(output))
  })
}

interface Item {
  readonly metadata: { readonly name: string; readonly labels?: object }
  readonly window: string
  readonly usage?: Record<string, string>
  readonly containers?: readonly { readonly name: string; readonly usage: Record<string, string> }[]
}

async function itemsOf(where: string, path: string): Promise<readonly Item[]> {
  const api = await fleet.api(where)
  const { items } = await api.expect('GET', `${METRICS}/${path}`)
  return items as unknown as readonly Item[]
}

for (const where of ['edge-1', 'cloud']) {
  test(`the usage of the pod and of its node is served, at ${where}`, async () => {
    const pod = await until(
      'the usage of the pod',
      async () => (await itemsOf(where, 'pods?labelSelector=app%3Dbusy'))[0],
      PATIENT_MS,
    )
    expect(pod.metadata).toMatchObject({ name: 'busy', labels: { app: 'busy' } })
    const [container] = pod.containers ?? []
    expect(container?.name).toBe('main')
    expect(container?.usage['cpu']).toMatch(/^[1-9]\d*[num]?$/)
    expect(parseQuantity(container?.usage['memory'])).toBeGreaterThan(40 * 2 ** 20)
    expect(await itemsOf(where, 'pods?labelSelector=app%3Dnone')).toEqual([])
    const [node] = await itemsOf(where, 'nodes')
    expect(node?.metadata.name).toBe('edge-1')
    expect(node?.usage?.['cpu']).toMatch(/^[1-9]\d*[num]?$/)
    expect(node?.window).toMatch(/^\d+(\.\d+)?s$/)
  })

  test(`kubectl top shows both, at ${where}`, async (context) => {
    skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
    const pods = await run(where, ['top', 'pods', '--containers'])
    expect(pods).toMatch(
      /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) *\nbusy +main +\d+m +\d+Mi *\n$/,
    )
    expect(await run(where, ['top', 'nodes'])).toMatch(/\nedge-1 +\d+m +\d+% +\d+Mi +\d+% *\n$/)
    expect(await run(where, ['get', 'pods.metrics.k8s.io'])).toMatch(
      /^NAME +CPU +MEMORY +WINDOW *\nbusy +\d+[num]? +\d+[KM]i +\S+s *\n$/,
    )
    const resources = await run(where, [
      'api-resources',
      '--api-group=metrics.k8s.io',
      '-o',
      'name',
    ])
    expect(resources).toBe('nodes.metrics.k8s.io\npods.metrics.k8s.io\n')
  })
}

test('who may view a namespace may see what is used in it', async () => {
  const api = await fleet.api('cloud')
  const view = await until('the role', async () => {
    const role = await api.expect('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/view')
    return JSON.stringify(role['rules']).includes('metrics.k8s.io') ? role : undefined
  })
  expect(view['rules']).toContainEqual({
    apiGroups: ['metrics.k8s.io'],
    resources: ['pods', 'nodes'],
    verbs: ['get', 'list', 'watch'],
  })
})

test('nothing else can be done with what is only measured', async () => {
  const api = await fleet.api('cloud')
  const { status } = await api.send('DELETE', `${METRICS}/namespaces/default/pods/busy`)
  expect(status).toBe(405)
  const missing = await api.send('GET', `${METRICS}/namespaces/default/pods/nobody`)
  expect(missing.status).toBe(404)
  expect(missing.body['message']).toBe('pods.metrics.k8s.io "nobody" not found')
})

test('what an edge told is gone from the cloud when the edge is away', async () => {
  await edge.stop()
  await until('no usage', async () => (await itemsOf('cloud', 'nodes')).length === 0)
  expect(await itemsOf('cloud', 'pods')).toEqual([])
})
