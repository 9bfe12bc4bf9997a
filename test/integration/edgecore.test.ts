import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRunning, pidsIn, podsAt } from '../../examples/demo/cluster-view.ts'
import type { Site } from '../../examples/demo/fleet.ts'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

let fleet: TestFleet
let cloud: RunningProgram
beforeAll(async () => {
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud()
})
afterAll(() => fleet.close())

async function site(name: string): Promise<Site> {
  return {
    directory: fleet.data(name),
    kubeconfig: fleet.kubeconfig(name),
    api: await fleet.api(name),
  }
}

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'steady', namespace: 'default' },
  spec: {
    nodeName: 'edge-1',
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'shell',
        command: [
          '/bin/sh',
          '-c',
          'echo "pid=$$$$"; trap "exit 0" TERM; while :; do sleep 1; done',
        ],
      },
    ],
  },
}

async function isReady(name: string, pod: string): Promise<boolean> {
  return (await podsAt(await site(name))).get(pod)?.ready === true
}

async function pidOf(): Promise<number> {
  const log = join(fleet.data('edge-1'), 'pods')
  const pods = await until('the log of the pod', async () => await logsBelow(log))
  return pidsIn(pods.replaceAll(/^\S+ stdout F /gm, '')).at(-1) ?? 0
}

async function logsBelow(directory: string): Promise<string | undefined> {
  const { readdir } = await import('node:fs/promises')
  const names = await readdir(directory, { recursive: true })
  const path = names.find((name) => name.endsWith('0.log'))
  return path === undefined ? undefined : await readFile(join(directory, path), 'utf8')
}

test('without a token it says what to do', async () => {
  const result = await runCli('edgecore', fleet.edgeArgs('nobody'))
  expect(result.code).toBe(2)
  expect(result.stderr).toContain('cloudcore token create --node NAME')
})

test('it joins, runs a pod of the cloud, and tells how it is', async () => {
  const edge = await fleet.joinEdge('edge-1')
  const api = await fleet.api('cloud')
  await api.expect('POST', '/api/v1/namespaces/default/pods', POD)
  await until('the pod is ready at the cloud', () => isReady('cloud', 'steady'))
  const { stdout, code } = await runCli('edgecore', ['status', '--data', fleet.data('edge-1')])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^cloud +connected$/m)
  expect(stdout).toMatch(/default\/steady {2}Running/)
  const second = await runCli('edgecore', fleet.edgeArgs('edge-1'))
  expect(second.code).toBe(3)
  expect(second.stderr).toContain('DATA_DIRECTORY_LOCKED')
  const busy = await runCli('edgecore', ['stop-pods', '--data', fleet.data('edge-1')])
  expect(busy.code).toBe(3)
  expect(await edge.stop()).toEqual({ code: 0, signal: null })
})

test('its pods go on running without it', async () => {
  expect(isRunning(await pidOf())).toBe(true)
  const status = await runCli('edgecore', ['status', '--data', fleet.data('edge-1')])
  expect(status.code).toBe(6)
  expect(status.stderr).toMatch(/last in sync at 20.*its pods may run all the same/)
})

test('a data directory is that of one node, with whatever says otherwise', async () => {
  const named = await runCli('edgecore', fleet.edgeArgs('edge-1', ['--name', 'edge-2']))
  expect(named.code).toBe(3)
  expect(named.stderr).toContain('is that of the node edge-1, not edge-2')
  const token = await fleet.token('edge-2')
  const joined = await runCli('edgecore', [
    'join',
    '--data',
    fleet.data('edge-1'),
    '--token',
    token,
  ])
  expect(joined.code).toBe(3)
  expect(joined.stderr).toContain('DATA_DIRECTORY_FOREIGN')
  const asCloud = await runCli('cloudcore', [
    '--data',
    fleet.data('edge-1'),
    '--api-address',
    '127.0.0.1:0',
  ])
  expect(asCloud.code).toBe(3)
  expect(asCloud.stderr).toContain('is that of edgecore; choose another with --data')
})

test('it starts while the cloud is away, with everything from its log', async () => {
  const before = await pidOf()
  await cloud.stop()
  const edge = await fleet.startEdge('edge-1')
  expect(await isReady('edge-1', 'steady')).toBe(true)
  expect(await pidOf()).toBe(before)
  expect(isRunning(before)).toBe(true)
  const { stdout } = await runCli('edgecore', ['status', '--data', fleet.data('edge-1')])
  expect(stdout).toMatch(/^cloud +(waiting|connecting): .*ECONNREFUSED/m)
  const api = await fleet.api('edge-1')
  const made = await api.send('POST', '/api/v1/namespaces/default/configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'from-the-edge' },
    data: { a: '1' },
  })
  expect(made.status).toBe(201)
  const refused = await api.send('POST', '/api/v1/namespaces/default/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'no' },
  })
  expect(refused.status).toBe(403)
  expect(String(refused.body['message'])).toContain('use the API of the cloud')
  await edge.stop()
})

test('a node whose certificate was revoked says so and ends; its pods run on', async () => {
  const pid = await pidOf()
  const { syncArgs } = await restartCloud()
  const edge = await fleet.startEdge('edge-1', syncArgs)
  await edge.line('connected to the cloud')
  const api = await fleet.api('cloud')
  await api.expect('DELETE', '/api/v1/namespaces/kube-system/secrets/node-certificate-edge-1')
  const { code } = await edge.exited
  expect(code).toBe(4)
  expect(edge.lines().some((line) => line['code'] === 'CREDENTIALS_REFUSED')).toBe(true)
  expect(isRunning(pid)).toBe(true)
  const token = await fleet.token('edge-1')
  const back = await fleet.startEdge('edge-1', ['--token', token, '--stop-pods-on-exit'])
  await back.line('connected to the cloud')
  await back.stop()
  expect(isRunning(pid)).toBe(false)
})

/** The cloud comes back on another port: edges are told with --server. */
async function restartCloud(): Promise<{ readonly syncArgs: readonly string[] }> {
  cloud = await fleet.startCloud()
  return { syncArgs: ['--server', fleet.syncAddress()] }
}

test('a damaged identity is told apart from none', async () => {
  await writeFile(join(fleet.data('edge-1'), 'identity.json'), '{"node":"edge-1"')
  const result = await runCli('edgecore', fleet.edgeArgs('edge-1'))
  expect(result.code).toBe(3)
  expect(result.stderr).toContain('is damaged; join again with a new token')
})
