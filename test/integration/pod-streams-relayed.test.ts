import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { podsAt } from '../../examples/demo/cluster-view.ts'
import { kubectlFor, type RunKubectl } from '../support/api-server.ts'
import { findKubectls, KUBECTL_HINT } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'
import { TestFleet, until } from './fleet-programs.ts'

/** One that speaks SPDY, and one of today. */
const SPOKEN = ['v1.29.', 'v1.36.']
const kubectls = (await findKubectls()).filter(({ version }) =>
  SPOKEN.some((start) => version.startsWith(start)),
)
const BIG_BYTES = 10 * 1024 * 1024

test('there is a kubectl to test with', (context) => {
  skipUnless(context, kubectls.length > 0, 'kubectl', KUBECTL_HINT)
  expect(kubectls.length).toBeGreaterThan(0)
})

const PODS = '/api/v1/namespaces/default/pods'
let fleet: TestFleet
let port = 0

beforeAll(async () => {
  fleet = await TestFleet.create()
  await fleet.startCloud()
  await fleet.joinEdge('edge-1')
  const api = await fleet.api('cloud')
  port = await steadyPort()
  const web = `require('node:http').createServer((q, s) => s.end('hello ' + q.url)).listen(${port}, '127.0.0.1')`
  await api.expect('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'shell', namespace: 'default' },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 0,
      containers: [
        { name: 'main', image: 'shell', command: ['sh', '-c', 'while :; do sleep 1; done'] },
        { name: 'web', image: 'node', command: [process.execPath, '-e', web] },
      ],
    },
  })
  const site = {
    directory: fleet.data('cloud'),
    kubeconfig: fleet.kubeconfig('cloud'),
    api,
  }
  await until('the pod is ready', async () => (await podsAt(site)).get('shell')?.ready)
})

afterAll(() => fleet?.close())

describe.each(kubectls)('kubectl $version', ({ path, version }) => {
  test.each(['cloud', 'edge-1'])('reaches into a pod of a node through %s', async (place) => {
    const folder = fleet.data(place)
    const kubeconfig = fleet.kubeconfig(place)
    const kubectl: RunKubectl = kubectlFor({ folder, kubeconfig }, path)
    const result = await kubectl([
      'exec',
      'shell',
      '-c',
      'main',
      '--',
      'sh',
      '-c',
      'echo out; exit 7',
    ])
    expect(result).toMatchObject({ code: 7, stdout: 'out\n' })
    const echoed = await kubectl(['exec', '-i', 'shell', '-c', 'main', '--', 'cat'], {
      input: 'one\ntwo\n',
    })
    expect(echoed, JSON.stringify(echoed)).toMatchObject({ code: 0, stdout: 'one\ntwo\n' })

    const page = await kubectl(['get', '--raw', `${PODS}/shell:${port}/proxy/page`])
    expect(page, JSON.stringify(page)).toMatchObject({ code: 0, stdout: 'hello /page' })

    const bytes = randomBytes(BIG_BYTES)
    const file = join(folder, `there-${version}`)
    await writeFile(file, bytes)
    const far = join(folder, `far-${version}`)
    expect(await kubectl(['cp', '-c', 'main', file, `shell:${far}`])).toMatchObject({ code: 0 })
    expect(hash(await readFile(far))).toBe(hash(bytes))
    const back = join(folder, `back-${version}`)
    expect(await kubectl(['cp', '-c', 'main', `shell:${far}`, back])).toMatchObject({ code: 0 })
    expect(hash(await readFile(back))).toBe(hash(bytes))
  })
})

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
