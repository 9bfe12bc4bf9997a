import { readFile, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli, TestFleet, until } from './fleet-programs.ts'

let fleet: TestFleet
beforeAll(async () => {
  fleet = await TestFleet.create()
})
afterAll(() => fleet.close())

const FREE_PORTS = ['--api-address', '127.0.0.1:0', '--sync-address', '127.0.0.1:0']

test('it starts with what every cluster has, private files, and stops in good order', async () => {
  const cloud = await fleet.startCloud(['--fleet', 'north'])
  const ready = await cloud.line('ready')
  expect(ready['fleet']).toBe('north')
  for (const name of ['kubeconfig', 'endpoints.json', 'admin-token', 'pki/ca.key']) {
    const { mode } = await stat(join(fleet.data('cloud'), name))
    expect(mode & 0o777, name).toBe(0o600)
  }
  expect((await stat(fleet.data('cloud'))).mode & 0o777).toBe(0o700)
  const api = await fleet.api('cloud')
  const { items } = await api.expect('GET', '/api/v1/namespaces')
  const names = (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)
  expect(names).toEqual(['default', 'kube-node-lease', 'kube-public', 'kube-system'])
  await api.expect('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  })
  await until('the service account of a new namespace', async () => {
    const account = await api.send('GET', '/api/v1/namespaces/shop/serviceaccounts/default')
    return account.status === 200
  })
  expect(await cloud.stop()).toEqual({ code: 0, signal: null })
})

test('the second process on a data directory says why it cannot start', async () => {
  const cloud = await fleet.startCloud()
  const second = await runCli('cloudcore', ['--data', fleet.data('cloud'), ...FREE_PORTS])
  expect(second.code).toBe(3)
  expect(second.stderr).toContain('DATA_DIRECTORY_LOCKED')
  const api = await fleet.api('cloud')
  expect((await api.send('GET', '/readyz')).status).toBe(200)
  await cloud.stop()
})

test('the data directory of another fleet, and that of a node, are refused', async () => {
  const other = await runCli('cloudcore', [
    '--data',
    fleet.data('cloud'),
    '--fleet',
    'south',
    ...FREE_PORTS,
  ])
  expect(other.code).toBe(3)
  expect(other.stderr).toContain('is that of the fleet north, not south')
})

test('an address that is taken is named', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const taken = ['--api-address', `127.0.0.1:${port}`, '--sync-address', '127.0.0.1:0']
  const result = await runCli('cloudcore', ['--data', fleet.data('cloud'), ...taken])
  server.close()
  expect(result.code).toBe(5)
  expect(result.stderr).toContain(`cannot listen at 127.0.0.1:${port}: EADDRINUSE`)
})

test('settings come from the file and the environment too, and mistakes end it before it starts', async () => {
  const file = join(fleet.directory, 'cloudcore.yaml')
  await writeFile(file, 'api-address: 127.0.0.1:0\nsync-address: 127.0.0.1:0\nlog-format: text\n')
  const env = { TIDEWAY_CLOUDCORE_DATA: '/dev/null/nowhere' }
  const unusable = await runCli('cloudcore', ['--config', file], env)
  expect(unusable.code).toBe(3)
  expect(unusable.stderr).toContain('the data directory /dev/null/nowhere cannot be used: ENOTDIR')
  await writeFile(file, 'api-adress: 127.0.0.1:0\n')
  const misspelt = await runCli('cloudcore', ['--config', file])
  expect(misspelt.code).toBe(2)
  expect(misspelt.stderr).toContain(
    `api-adress in ${file}: there is no such setting; allowed: data, api-address`,
  )
})

test('help teaches: purpose, first commands, options with defaults, exit codes', async () => {
  const { code, stdout } = await runCli('cloudcore', ['--help'])
  expect(code).toBe(0)
  const words = [
    'Try first:',
    'cloudcore token create --node edge-1',
    '--sync-address <HOST:PORT>',
    '127.0.0.1:10000',
    'Exit codes:',
  ]
  for (const word of words) expect(stdout).toContain(word)
  const unknown = await runCli('cloudcore', ['--bogus'])
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain("unknown option '--bogus'")
})

test('what was written survives kill -9', async () => {
  const cloud = await fleet.startCloud()
  const api = await fleet.api('cloud')
  await api.expect('POST', '/api/v1/namespaces/default/configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kept' },
    data: { a: '1' },
  })
  await cloud.kill()
  const again = await fleet.startCloud()
  const kept = await (await fleet.api('cloud')).expect(
    'GET',
    '/api/v1/namespaces/default/configmaps/kept',
  )
  expect(kept['data']).toEqual({ a: '1' })
  const { pid } = JSON.parse(
    await readFile(join(fleet.data('cloud'), 'endpoints.json'), 'utf8'),
  ) as { pid: number }
  expect(pid).toBe(again.pid)
  await again.stop()
})
