import { expect, test } from 'vitest'
import {
  containerConfig,
  linuxResources,
} from '../../../../../src/adapters/runtime/cri/container-config.ts'
import { sandboxConfig } from '../../../../../src/adapters/runtime/cri/sandbox-config.ts'
import { keptContainerOf, sandboxSpecOf } from '../../../../../src/adapters/runtime/identity.ts'
import type { ContainerSpec, SandboxSpec } from '../../../../../src/adapters/runtime/index.ts'

const POD: SandboxSpec = {
  namespace: 'shop',
  name: 'web',
  uid: 'u-1',
  hostname: 'web-host',
  directory: '/pods/u-1',
  logDirectory: '/logs/u-1',
}
const PLACE = { owner: 'node-1', cgroupRoot: 'tideway', attempt: 2 }
const CONTAINER: ContainerSpec = {
  name: 'main',
  attempt: 3,
  image: 'registry.example/web:1',
  command: ['serve'],
  args: ['--all'],
  env: { A: '1' },
  mounts: [{ volume: 'v', source: '/from', path: '/to', readOnly: true }],
  limits: {},
  logPath: '/logs/u-1/main/3.log',
  labels: { hash: 'abc' },
}

test('a sandbox is named by its pod, and its spec comes back from what is kept with it', () => {
  const config = sandboxConfig(POD, PLACE)
  expect(config.metadata).toEqual({ name: 'web', uid: 'u-1', namespace: 'shop', attempt: 2 })
  expect(config.hostname).toBe('web-host')
  expect(config.linux.cgroupParent).toBe('/tideway/podu-1')
  expect(config.linux.securityContext.namespaceOptions).toEqual({
    network: 'POD',
    pid: 'CONTAINER',
    ipc: 'POD',
  })
  expect(sandboxSpecOf(config.annotations)).toEqual(POD)
  expect(sandboxSpecOf({})).toBeUndefined()
  expect(sandboxSpecOf({ 'tideway.io/spec': '{' })).toBeUndefined()
})

test('with the network of the machine a pod has its name and no ports of its own', () => {
  const ports = [{ protocol: 'TCP', containerPort: 80, hostPort: 8080 }] as const
  const own = sandboxConfig({ ...POD, ports }, PLACE)
  expect(own.portMappings).toEqual([{ ...ports[0], hostIp: '' }])
  const host = sandboxConfig({ ...POD, ports, namespaces: { network: 'host' } }, PLACE)
  expect(host).toMatchObject({ hostname: '', portMappings: [] })
  expect(host.linux.securityContext.namespaceOptions.network).toBe('NODE')
})

test('a container says where its log is below that of its pod, and what its status tells again', () => {
  const config = containerConfig('node-1', POD, CONTAINER)
  expect(config.logPath).toBe('main/3.log')
  expect(config.mounts).toEqual([
    {
      hostPath: '/from',
      containerPath: '/to',
      readonly: true,
      propagation: 'PROPAGATION_PRIVATE',
    },
  ])
  expect(config.labels).toMatchObject({
    'io.kubernetes.pod.uid': 'u-1',
    'io.kubernetes.container.name': 'main',
    'tideway.io/owner': 'node-1',
  })
  expect(keptContainerOf(config.annotations)).toEqual({
    image: CONTAINER.image,
    labels: { hash: 'abc' },
    logPath: CONTAINER.logPath,
  })
})

test('what is not asked for is as kubelet leaves it: no filter, masked paths, nothing privileged', () => {
  const { securityContext } = containerConfig('node-1', POD, CONTAINER).linux
  expect(securityContext.runAsUser).toBeUndefined()
  expect(securityContext.seccomp).toEqual({ profileType: 'Unconfined' })
  expect(securityContext.maskedPaths).toContain('/proc/kcore')
  const security = { privileged: true, uid: 7, gid: 8, groups: [9] }
  const free = containerConfig('node-1', POD, { ...CONTAINER, security }).linux.securityContext
  expect(free).toMatchObject({
    privileged: true,
    runAsUser: { value: 7 },
    runAsGroup: { value: 8 },
    supplementalGroups: [9],
    maskedPaths: [],
  })
})

test.each([
  [{}, { cpuShares: 2 }],
  [{ cpuRequestMillis: 250 }, { cpuShares: 256 }],
  [{ cpuMillis: 500 }, { cpuShares: 2, cpuPeriod: 100_000, cpuQuota: 50_000 }],
  [{ cpuMillis: 1 }, { cpuShares: 2, cpuPeriod: 100_000, cpuQuota: 1_000 }],
  [
    { memoryBytes: 1 << 20, oomScoreAdjust: 900 },
    {
      cpuShares: 2,
      memoryLimitInBytes: 1 << 20,
      memorySwapLimitInBytes: 1 << 20,
      oomScoreAdj: 900,
    },
  ],
])('limits %j are %j', (limits, resources) => {
  expect(linuxResources(limits)).toEqual(resources)
})
