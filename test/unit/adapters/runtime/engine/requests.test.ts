import { expect, test } from 'vitest'
import type { Dialect } from '../../../../../src/adapters/runtime/engine/dialect.ts'
import { updateCall } from '../../../../../src/adapters/runtime/engine/dialect.ts'
import { engineOf } from '../../../../../src/adapters/runtime/engine/index.ts'
import {
  cgroupParentOf,
  containerRequest,
  resourcesOf,
  sandboxRequest,
} from '../../../../../src/adapters/runtime/engine/requests.ts'
import { securityPart, userText } from '../../../../../src/adapters/runtime/engine/security.ts'
import { RuntimeError } from '../../../../../src/adapters/runtime/index.ts'

const DOCKER: Dialect = {
  name: 'docker',
  writesLogs: false,
  sharesHostname: true,
  readsSeccomp: false,
  writableAnyway: [],
  tellsOom: true,
  oomScoreMin: -1000,
  hasSlices: false,
}
const PODMAN: Dialect = {
  ...DOCKER,
  name: 'podman',
  writesLogs: true,
  sharesHostname: false,
  readsSeccomp: true,
  writableAnyway: ['/run', '/tmp'],
}
const PLACE = { dialect: DOCKER, owner: 'me', cgroupRoot: 'pods', network: 'bridge' }
const SANDBOX = { namespace: 'n', name: 'p', uid: 'uid-1', hostname: 'p', directory: '/d' }
const SPEC = {
  name: 'main',
  attempt: 1,
  image: 'app:1',
  command: [],
  args: [],
  env: { A: '1' },
  mounts: [],
  limits: {},
  logPath: '/logs/main.log',
  labels: {},
}
const CONTAINER = {
  ...PLACE,
  sandboxId: 'pause-1',
  sandbox: SANDBOX,
  imageUser: '',
  logConfig: { Type: 'json-file', Config: {} },
}

test('two ports of the machine may lead to one of the pod', async () => {
  const ports = [
    { protocol: 'TCP', containerPort: 80, hostPort: 8080 },
    { protocol: 'TCP', containerPort: 80, hostPort: 8081, hostIp: '127.0.0.1' },
    { protocol: 'UDP', containerPort: 53, hostPort: 53 },
  ] as const
  const { HostConfig, ExposedPorts } = await sandboxRequest(
    { ...SANDBOX, ports },
    'pause',
    0,
    PLACE,
  )
  expect(HostConfig.PortBindings).toEqual({
    '80/tcp': [
      { HostIp: '', HostPort: '8080' },
      { HostIp: '127.0.0.1', HostPort: '8081' },
    ],
    '53/udp': [{ HostIp: '', HostPort: '53' }],
  })
  expect(Object.keys(ExposedPorts ?? {})).toEqual(['80/tcp', '53/udp'])
})

test('a pod with the network of the machine has its name, and no ports of its own', async () => {
  const ports = [{ protocol: 'TCP', containerPort: 80, hostPort: 80 }] as const
  const namespaces = { network: 'host' } as const
  const request = await sandboxRequest({ ...SANDBOX, ports, namespaces }, 'pause', 0, PLACE)
  expect(request.HostConfig).toMatchObject({ NetworkMode: 'host', PortBindings: {} })
  expect(request.Hostname).toBeUndefined()
})

test('containers are in the namespaces of their sandbox', async () => {
  const docker = await containerRequest(SPEC, CONTAINER)
  const { PidMode, ...host } = docker.HostConfig
  expect(host).toMatchObject({ NetworkMode: 'container:pause-1', IpcMode: 'container:pause-1' })
  expect([PidMode, docker.Hostname]).toEqual([undefined, undefined])
  const podman = await containerRequest(SPEC, { ...CONTAINER, dialect: PODMAN })
  expect(podman.Hostname).toBe('p')
  const namespaces = { pid: 'pod' } as const
  const shared = { ...CONTAINER, sandbox: { ...SANDBOX, namespaces } }
  expect((await containerRequest(SPEC, shared)).HostConfig.PidMode).toBe('container:pause-1')
  const beside = { ...SPEC, besideProcessesOf: 'other' }
  expect((await containerRequest(beside, CONTAINER)).HostConfig.PidMode).toBe('container:other')
})

test('what an engine would lay over a root that cannot be written cannot be either', async () => {
  const place = { ...CONTAINER, dialect: PODMAN }
  const mount = { volume: 'a', source: '/a', path: '/tmp/', readOnly: false }
  const spec = { ...SPEC, mounts: [mount], security: { readOnlyRoot: true } }
  expect((await containerRequest(spec, place)).HostConfig.Tmpfs).toEqual({ '/run': 'ro' })
  expect((await containerRequest(SPEC, place)).HostConfig).not.toHaveProperty('Tmpfs')
  expect((await containerRequest(spec, CONTAINER)).HostConfig).not.toHaveProperty('Tmpfs')
})

test('the image decides what is not asked for', async () => {
  const request = await containerRequest(SPEC, CONTAINER)
  for (const field of ['Entrypoint', 'Cmd', 'WorkingDir', 'User'])
    expect(request).not.toHaveProperty(field)
  expect((await containerRequest({ ...SPEC, args: ['x'] }, CONTAINER)).Cmd).toEqual(['x'])
  // Not with the arguments of the image.
  const command = await containerRequest({ ...SPEC, command: ['sh'] }, CONTAINER)
  expect([command.Entrypoint, command.Cmd]).toEqual([['sh'], []])
})

test('a group needs a user: the one of the image, or root', () => {
  expect(userText({ gid: 5 }, 'app:7')).toBe('app:5')
  expect(userText({ gid: 5 }, '')).toBe('0:5')
  expect(userText({ uid: 3, gid: 5 }, 'app')).toBe('3:5')
  expect(userText({ uid: 3 }, 'app')).toBe('3')
  expect(userText(undefined, 'app')).toBeUndefined()
})

test('without a filter of system calls there is none; one from a file has to be there', async () => {
  expect((await securityPart(undefined, DOCKER)).SecurityOpt).toEqual(['seccomp=unconfined'])
  const seccomp = { type: 'Localhost', path: '/nowhere/filter.json' } as const
  await expect(securityPart({ seccomp }, DOCKER)).rejects.toThrow('/nowhere/filter.json')
  await expect(securityPart({ seccomp }, DOCKER)).rejects.toBeInstanceOf(RuntimeError)
  const podman = await securityPart({ seccomp }, PODMAN)
  expect(podman.SecurityOpt).toEqual(['seccomp=/nowhere/filter.json'])
  const open = { procMount: 'Unmasked' } as const
  expect(await securityPart(open, DOCKER)).toMatchObject({ MaskedPaths: [], ReadonlyPaths: [] })
  expect((await securityPart(open, PODMAN)).SecurityOpt).toContain('unmask=ALL')
})

test('limits are in the words of each engine', () => {
  const resources = resourcesOf({ memoryBytes: 64, cpuMillis: 500, cpuRequestMillis: 250 })
  expect(resources).toEqual({
    CpuShares: 256,
    CpuPeriod: 100_000,
    CpuQuota: 50_000,
    Memory: 64,
    MemorySwap: 64,
  })
  expect(updateCall(DOCKER, 'a', resources).body).toEqual(resources)
  expect(updateCall(PODMAN, 'a', resources).body).toEqual({
    memory: { limit: 64, swap: 64 },
    cpu: { shares: 256, period: 100_000, quota: 50_000 },
  })
})

test('systemd has names of its own for cgroups', () => {
  expect(cgroupParentOf(PLACE, 'u')).toBe('/pods/podu')
  const slices = { ...PLACE, dialect: { ...DOCKER, hasSlices: true } }
  expect(cgroupParentOf(slices, 'u')).toBe('pods.slice')
})

test('an engine tells what it is, and is refused when it will not do', () => {
  const docker = { Version: '28.2.2', ApiVersion: '1.50', MinAPIVersion: '1.24' }
  expect(engineOf(docker, { CgroupDriver: 'systemd' }, '/s', true)).toMatchObject({
    dialect: { name: 'docker', hasSlices: true, writesLogs: false },
    prefix: '/v1.47',
    survives: false,
  })
  const newer = { Version: '40.0.0', ApiVersion: '1.60', MinAPIVersion: '1.50' }
  expect(engineOf(newer, {}, '/s', true).prefix).toBe('/v1.50')
  const Components = [{ Name: 'Podman Engine' }]
  const podman = { Version: '4.3.1', ApiVersion: '1.41', Components }
  expect(engineOf(podman, {}, '/s', true)).toMatchObject({
    dialect: { name: 'podman' },
    survives: true,
  })
  expect(engineOf(podman, {}, '/s', true).supports.resize).toBe(true)
  expect(engineOf({ ...podman, Version: '4.2.0' }, {}, '/s', true).supports.resize).toBe(false)
  const old = { Version: '19.3.0', ApiVersion: '1.40' }
  expect(engineOf(docker, {}, '/s', true).supports.security.has('privileged')).toBe(true)
  expect(engineOf(docker, {}, '/s', false).supports.security.has('privileged')).toBe(false)
  expect(() => engineOf(old, {}, '/s', true)).toThrow('docker 19.3.0 at /s will not do')
  const rootless = { SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'] }
  expect(() => engineOf(docker, rootless, '/s', true)).toThrow('it has to run as root')
})
