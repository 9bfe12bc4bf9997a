import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAccess } from '../../examples/shared/api-client.ts'
import { type CommandResult, kubectlFor, type RunKubectl } from '../support/api-server.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

// What a node may with the certificate that it got when it joined, at the APIs of cloud and node.

const CORE = '/api/v1/namespaces/default'
const path = (await newestKubectl())?.path

let fleet: TestFleet
beforeAll(async () => {
  fleet = await TestFleet.create()
  await fleet.startCloud()
  await fleet.joinEdge('edge-1')
  // One that has joined and does not run.
  const token = await fleet.token('edge-2')
  const joined = await runCli('edgecore', [
    ...['join', '--token', token, '--data', fleet.data('edge-2')],
  ])
  if (joined.code !== 0) throw new Error(joined.stderr)
  const api = await fleet.api('cloud')
  for (const name of ['needed', 'unneeded']) {
    await api.expect('POST', `${CORE}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      stringData: { word: name },
    })
  }
  await api.expect('POST', `${CORE}/pods`, pod('mine', 'edge-1', 'needed'))
  await api.expect('POST', `${CORE}/pods`, pod('theirs', 'edge-2'))
  const edge = await fleet.api('edge-1')
  const needed = `${CORE}/secrets/needed`
  await until('the secret', async () => (await edge.send('GET', needed)).status === 200)
  await until('the pod', async () => (await edge.send('GET', `${CORE}/pods/mine`)).status === 200)
})
afterAll(() => fleet?.close())

function pod(name: string, nodeName: string, secret?: string): object {
  const envFrom = secret === undefined ? [] : [{ secretRef: { name: secret } }]
  const command = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1; done']
  const containers = [{ name: 'main', image: 'shell', command, envFrom }]
  const spec = { nodeName, terminationGracePeriodSeconds: 1, containers }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
}

/** kubectl at a program, with nothing but the certificate of a node. */
async function kubectlOf(node: string, place: string): Promise<RunKubectl> {
  const { server, ca } = await readAccess(fleet.data(place), 'cloudcore')
  const identity = JSON.parse(await readFile(join(fleet.data(node), 'identity.json'), 'utf8')) as {
    readonly certificate: string
    readonly key: string
  }
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const user = {
    'client-certificate-data': base64(identity.certificate),
    'client-key-data': base64(identity.key),
  }
  const kubeconfig = join(fleet.directory, `${node}-at-${place}`)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }
  await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 })
  return kubectlFor({ folder: fleet.directory, kubeconfig }, path ?? 'kubectl')
}

function refusedWith(result: CommandResult, why: string): void {
  expect(result, JSON.stringify(result)).toMatchObject({ code: 1 })
  expect(result.stderr).toContain(why)
}

test('there is a kubectl to test with', (context) => {
  skipUnless(context, path !== undefined, 'kubectl', KUBECTL_HINT)
  expect(path).toBeDefined()
})

describe.runIf(path !== undefined).each(['cloud', 'edge-1'])('at %s', (place) => {
  let kubectl: RunKubectl
  beforeAll(async () => {
    kubectl = await kubectlOf('edge-1', place)
  })

  test('a node is who its certificate says', async () => {
    const { stdout } = await kubectl(['auth', 'whoami', '-o', 'json'])
    expect(JSON.parse(stdout)).toMatchObject({
      status: {
        userInfo: {
          username: 'system:node:edge-1',
          groups: ['system:nodes', 'system:authenticated'],
        },
      },
    })
  })

  test('it reads what is its own and what its pods refer to', async () => {
    expect(await kubectl(['get', 'node', 'edge-1'])).toMatchObject({ code: 0 })
    expect(await kubectl(['get', 'pod', 'mine'])).toMatchObject({ code: 0 })
    const secret = await kubectl(['get', 'secret', 'needed', '-o', 'jsonpath={.data.word}'])
    expect(secret, secret.stderr).toMatchObject({ stdout: 'bmVlZGVk' })
    const unrelated = "no relationship found between node 'edge-1' and this object"
    refusedWith(await kubectl(['get', 'secret', 'unneeded']), unrelated)
    refusedWith(await kubectl(['get', 'secrets']), 'is forbidden')
    refusedWith(await kubectl(['get', 'node', 'edge-2']), 'is forbidden')
    refusedWith(await kubectl(['create', 'configmap', 'x']), 'is forbidden')
    const by = ['--as', 'admin', '--as-group', 'system:masters']
    refusedWith(await kubectl(['get', 'secrets', ...by]), 'cannot impersonate')
  })

  test('it writes what is its own', async () => {
    const label = `from-${place}=yes`
    const own = await kubectl(['label', 'node', 'edge-1', label])
    expect(own, own.stderr).toMatchObject({ code: 0 })
    const kept = 'node-restriction.kubernetes.io/zone=a'
    refusedWith(await kubectl(['label', 'node', 'edge-1', kept]), 'is not allowed to modify labels')
    refusedWith(await kubectl(['label', 'pod', 'mine', 'a=b']), 'is forbidden')
    const run = ['run', 'new', '--image=x', '--restart=Never']
    refusedWith(await kubectl(run), 'can only create mirror pods')
  })
})

test('a certificate counts where the node that has it is known, until it is taken back', async (context) => {
  skipUnless(context, path !== undefined, 'kubectl', KUBECTL_HINT)
  const who = ['auth', 'whoami']
  const unauthorized = 'You must be logged in to the server'
  refusedWith(await (await kubectlOf('edge-2', 'edge-1'))(who), unauthorized)
  const atCloud = await kubectlOf('edge-2', 'cloud')
  expect(await atCloud(who)).toMatchObject({ code: 0 })
  refusedWith(await atCloud(['delete', 'pod', 'mine']), 'spec.nodeName set to itself')
  const api = await fleet.api('cloud')
  await api.expect('DELETE', '/api/v1/namespaces/kube-system/secrets/node-certificate-edge-2')
  refusedWith(await atCloud(who), unauthorized)
})
