import { execFile, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { KUBECTL_HINT, type Kubectl, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { TestFleet, until } from './fleet-programs.ts'

const run = promisify(execFile)

let fleet: TestFleet
let cloud: RunningProgram
let kubectl: Kubectl | undefined
beforeAll(async () => {
  kubectl = await newestKubectl()
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud()
  await fleet.joinEdge('edge-1')
  await fleet.joinEdge('edge-2')
})
afterAll(() => fleet.close())

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: {name: shared}
data: {cloud: "0", edge: "0"}
---
apiVersion: v1
kind: Secret
metadata: {name: needed}
stringData: {password: one}
---
apiVersion: v1
kind: Secret
metadata: {name: unneeded}
stringData: {password: two}
---
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  nodeName: edge-1
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: shell
    command: [/bin/sh, -c, 'trap "exit 0" TERM; n=0; while :; do n=$((n+1)); echo "line $n $PASSWORD"; sleep 0.2; done']
    env:
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: needed, key: password}}}
`

async function kube(site: string, ...args: readonly string[]): Promise<string> {
  const fixed = [
    '--kubeconfig',
    fleet.kubeconfig(site),
    '--cache-dir',
    join(fleet.directory, 'cache'),
  ]
  const { stdout } = await run(kubectl?.path ?? 'kubectl', [...fixed, ...args])
  return stdout.trim()
}

async function configOf(site: string): Promise<unknown> {
  const api = await fleet.api(site)
  return (await api.expect('GET', '/api/v1/namespaces/default/configmaps/shared'))['data']
}

async function secretsAt(site: string): Promise<readonly string[]> {
  const { items } = await (await fleet.api(site)).expect('GET', '/api/v1/secrets')
  return (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)
}

/** Ends cloudcore as a crash would, and gives what brings it back at the same address. */
async function killCloud(): Promise<() => Promise<void>> {
  const address = fleet.syncAddress()
  await cloud.kill()
  return async () => {
    cloud = await fleet.startCloud(['--sync-address', address])
  }
}

describe('the stock kubectl', () => {
  test('applies at the cloud, and reads at the cloud and at the edge', async (context) => {
    skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
    const file = join(fleet.directory, 'manifest.yaml')
    await writeFile(file, MANIFEST)
    expect(await kube('cloud', 'apply', '-f', file)).toContain('pod/talker created')
    await kube('cloud', 'wait', '--for=condition=Ready', 'pod/talker', '--timeout=30s')
    await kube('edge-1', 'wait', '--for=condition=Ready', 'pod/talker', '--timeout=30s')
    expect(await kube('edge-1', 'get', 'pod', 'talker', '-o', 'wide')).toContain('edge-1')
    expect(await kube('cloud', 'get', 'nodes')).toMatch(/edge-1 +Ready/)
  })

  test('a secret goes to the node whose pod needs it, and nowhere else', async (context) => {
    skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
    expect(await secretsAt('edge-1')).toEqual(['needed'])
    expect(await secretsAt('edge-2')).toEqual([])
    expect(await kube('edge-2', 'get', 'pods')).toBe('')
  })

  test('logs -f comes through the cloud while it is written, and ends when the reader leaves', async (context) => {
    skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
    const args = ['--kubeconfig', fleet.kubeconfig('cloud'), 'logs', '-f', 'talker', '--tail=1']
    const child = spawn(kubectl?.path ?? 'kubectl', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    const closed = new Promise((resolve) => {
      child.once('close', resolve)
    })
    await until('ten lines', () => text.split('\n').length > 10)
    child.kill()
    await closed
    const numbers = [...text.matchAll(/^line (\d+) one$/gm)].map((match) => Number(match[1]))
    expect(numbers.length).toBeGreaterThan(8)
    expect(
      numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1),
    ).toBe(true)
    expect(await kube('edge-1', 'logs', 'talker', '--tail=2')).toMatch(
      /^line \d+ one\nline \d+ one$/,
    )
  })

  test('edits of both sides merge while they are connected and after a crash of the cloud', async (context) => {
    skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
    await kube('edge-1', 'patch', 'configmap', 'shared', '-p', '{"data":{"edge":"1"}}')
    await until('the edit of the edge at the cloud', async () =>
      JSON.stringify(await configOf('cloud')).includes('"edge":"1"'),
    )
    await kube('cloud', 'patch', 'configmap', 'shared', '-p', '{"data":{"cloud":"1"}}')
    const bringBack = await killCloud()
    await kube('edge-1', 'patch', 'configmap', 'shared', '-p', '{"data":{"edge":"2"}}')
    await kube('edge-2', 'label', 'configmap', 'shared', 'seen-by=edge-2')
    await bringBack()
    await kube('cloud', 'patch', 'configmap', 'shared', '-p', '{"data":{"cloud":"2"}}')
    const wanted = { cloud: '2', edge: '2' }
    for (const site of ['cloud', 'edge-1', 'edge-2']) {
      await until(`everything at ${site}`, async () => {
        const api = await fleet.api(site)
        const object = await api.expect('GET', '/api/v1/namespaces/default/configmaps/shared')
        const { labels } = object['metadata'] as { readonly labels?: Record<string, string> }
        expect(object['data']).toEqual(wanted)
        return labels?.['seen-by'] === 'edge-2'
      })
    }
  })

  test('what the edge may not write is refused at once, offline or not', async (context) => {
    skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
    const refused = await kube('edge-1', 'create', 'namespace', 'no').catch((error: unknown) =>
      String(error),
    )
    expect(refused).toContain('Forbidden')
    expect(refused).toContain('use the API of the cloud')
    expect(await kube('edge-1', 'delete', 'pod', 'talker')).toContain('deleted')
    await until('the pod is gone at the cloud', async () => {
      const api = await fleet.api('cloud')
      return (await api.send('GET', '/api/v1/namespaces/default/pods/talker')).status === 404
    })
  })
})

test('a node gets no secret by making a pod that names it', async () => {
  const cloudApi = await fleet.api('cloud')
  const edge = await fleet.api('edge-2')
  const secrets = '/api/v1/namespaces/default/secrets'
  for (const name of ['given', 'kept']) {
    const metadata = { name }
    const object = { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { a: name } }
    await cloudApi.expect('POST', secrets, object)
  }
  await edge.expect('POST', PODS, podWith('curious', 'kept'))
  await until(
    'the pod at the cloud',
    async () => (await cloudApi.send('GET', `${PODS}/curious`)).status === 200,
  )
  await cloudApi.expect('POST', PODS, podWith('granted', 'given'))
  await until('the secret that was given', async () =>
    (await secretsAt('edge-2')).includes('given'),
  )
  const bringBack = await killCloud()
  await bringBack()
  await until('a write of the cloud after its restart', async () => {
    const metadata = { name: 'mark' }
    await (await fleet.api('cloud')).send('POST', CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
    })
    return (await edge.send('GET', `${CONFIG_MAPS}/mark`)).status === 200
  })
  expect(await secretsAt('edge-2')).toEqual(['given'])
  const changed = {
    metadata: { name: 'given' },
    apiVersion: 'v1',
    kind: 'Secret',
    stringData: { a: 'new' },
  }
  await (await fleet.api('cloud')).expect('PUT', `${secrets}/given`, changed)
  await until('the secret still follows the cloud', async () => {
    const secret = await edge.expect('GET', `${secrets}/given`)
    return JSON.stringify(secret['data']).includes(Buffer.from('new').toString('base64'))
  })
})

const PODS = '/api/v1/namespaces/default/pods'
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

function podWith(name: string, secret: string): object {
  const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: secret, key: 'a' } } }]
  const command = ['/bin/true']
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: 'edge-2',
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'shell', command, env }],
    },
  }
}

test('a pod made at an edge while the cloud was away shows up at the cloud', async () => {
  const bringBack = await killCloud()
  const edge = await fleet.api('edge-2')
  await edge.expect('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'local' },
    spec: {
      nodeName: 'edge-2',
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'shell', command: ['/bin/true'] }],
    },
  })
  await until('it has run at the edge', async () => {
    const pod = await edge.expect('GET', '/api/v1/namespaces/default/pods/local')
    return (pod['status'] as { readonly phase?: string } | undefined)?.phase === 'Succeeded'
  })
  await bringBack()
  await until('the cloud knows', async () => {
    const pod = await (await fleet.api('cloud')).expect(
      'GET',
      '/api/v1/namespaces/default/pods/local',
    )
    return (pod['status'] as { readonly phase?: string } | undefined)?.phase === 'Succeeded'
  })
})
