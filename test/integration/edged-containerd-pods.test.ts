import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject, KubeObject } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { SHELL_IMAGE } from '../containers/images.ts'
import { eventually } from '../support/fleet.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'
import { type ContainedPlace, openContainedPlace } from './edged-contained-place.ts'
import { mainOf } from './edged-place.ts'

// What is tried on plain processes elsewhere, on containerd, and what needs the cgroups of an engine.

const WAIT_MS = 60_000
const PROCESSES_MAX = 100
const CAPACITY = { cpu: '2', memory: '4Gi', pods: '50' }

let place: ContainedPlace | undefined
let here: ContainedPlace

beforeAll(async () => {
  if (!hasContainerd()) return
  place = await openContainedPlace({
    // A container that ends as soon as it has begun may be told to run until the next list.
    ...{ relistMs: 2_000, capacity: CAPACITY, podProcessesMax: PROCESSES_MAX },
    restartBackoff: { firstMs: 100, maxMs: 100, resetAfterMs: 600_000 },
  })
  here = place
}, 120_000)

afterAll(async () => {
  await place?.close()
}, 120_000)

beforeEach((context) => skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON))

const POD = { apiVersion: 'v1', kind: 'Pod' } as const

function shell(name: string, script: string, more: JsonObject = {}): JsonObject {
  const image = { image: SHELL_IMAGE, imagePullPolicy: 'IfNotPresent' }
  return { name, ...image, command: ['sh', '-c', script], ...more }
}

function podOf(name: string, containers: readonly JsonObject[], spec: JsonObject = {}): KubeObject {
  const own = { nodeName: 'edge-1', terminationGracePeriodSeconds: 30, containers, ...spec }
  return { ...POD, metadata: { name, namespace: 'default' }, spec: own }
}

function keyOf(name: string) {
  return { resource: 'pods', namespace: 'default', name }
}

function shared(path: string): JsonObject {
  return { volumes: [{ name: 'shared', hostPath: { path, type: 'DirectoryOrCreate' } }] }
}

const MOUNT = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }

/** Says when it begins, is asked to end, and ends. */
function telling(name: string): string {
  const end = `echo ${name} asked >> /shared/story; echo ${name} ended >> /shared/story; exit 0`
  return `trap '${end}' TERM; echo ${name} runs >> /shared/story; while true; do sleep 0.05; done`
}

describe('sidecars in containers', () => {
  test('start in order, hold the others up until they have started, and end last', async () => {
    const folder = join(here.containerd.folder, 'sidecars')
    const story = (): readonly string[] => {
      const path = join(folder, 'story')
      return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
    }
    const startupProbe = {
      exec: { command: ['test', '-e', '/shared/go'] },
      ...{ periodSeconds: 1, failureThreshold: 1_000 },
    }
    const readinessProbe = { exec: { command: ['test', '-e', '/shared/go'] }, periodSeconds: 1 }
    const restartPolicy = 'Always'
    const initContainers = [
      shell('one', telling('one'), { ...MOUNT, restartPolicy, startupProbe, readinessProbe }),
      shell('setup', 'echo setup runs >> /shared/story', MOUNT),
      shell('two', telling('two'), { ...MOUNT, restartPolicy }),
    ]
    const main = shell('main', telling('main'), MOUNT)
    const spec = { ...shared(folder), initContainers, shareProcessNamespace: false }
    await here.store.create(podOf('sidecars', [main], spec))
    const early = await here.podWhere(
      'sidecars',
      (status) => status.initContainerStatuses?.[0]?.state.running !== undefined,
    )
    expect(early.phase).toBe('Pending')
    expect(early.initContainerStatuses?.[0]).toMatchObject({ ready: false, started: false })
    await eventually(() => story().includes('one runs'), WAIT_MS)
    expect(story()).toEqual(['one runs'])
    const [sandbox] = (await here.runtime.list()).sandboxes
    const one = (await here.runtime.list(sandbox?.uid)).containers.find(
      ({ name }) => name === 'one',
    )
    const command = ['sh', '-c', ': > /shared/go']
    await here.runtime.run(one?.id ?? '', { command, timeoutMs: WAIT_MS, outputBytesMax: 100 })
    const late = await here.podWhere(
      'sidecars',
      ({ phase, conditions }) =>
        phase === 'Running' &&
        conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
    )
    expect(late.initContainerStatuses?.map(({ ready }) => ready)).toEqual([true, true, true])
    await eventually(() => story().includes('main runs'), WAIT_MS)
    expect(story()).toEqual(['one runs', 'setup runs', 'two runs', 'main runs'])
    await here.store.delete(keyOf('sidecars'))
    await eventually(() => here.store.get(keyOf('sidecars')) === undefined, WAIT_MS)
    expect(story().slice(4)).toEqual([
      ...['main asked', 'main ended', 'two asked', 'two ended', 'one asked', 'one ended'],
    ])
  }, 120_000)
})

describe('pods that the node refuses', () => {
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'kubernetes.io/os', operator: 'In', values: ['windows'] }] },
        ],
      },
    },
  }
  const ask = (requests: JsonObject): JsonObject =>
    shell('main', 'sleep 1000', { resources: { requests } })

  test.each<[string, KubeObject, string]>([
    [
      'selector',
      podOf('selector', [shell('main', 'sleep 1000')], { nodeSelector: { disk: 'fast' } }),
      'NodeAffinity',
    ],
    ['affinity', podOf('affinity', [shell('main', 'sleep 1000')], { affinity }), 'NodeAffinity'],
    ['cpu', podOf('cpu', [ask({ cpu: '3' })]), 'OutOfcpu'],
    ['memory', podOf('memory', [ask({ memory: '100Gi' })]), 'OutOfmemory'],
    [
      'whole',
      podOf('whole', [shell('main', 'sleep 1000')], { resources: { requests: { cpu: '3' } } }),
      'OutOfcpu',
    ],
    [
      'os',
      podOf('os', [shell('main', 'sleep 1000')], { os: { name: 'windows' } }),
      'PodOSNotSupported',
    ],
  ])('%s', async (name, pod, reason) => {
    await here.store.create(pod)
    const refused = await here.podWhere(name, ({ phase }) => phase === 'Failed')
    expect(refused.reason).toBe(reason)
    const uid = here.store.get(keyOf(name))?.metadata.uid
    expect((await here.runtime.list(uid)).sandboxes).toEqual([])
  })

  test('a port of the machine that another pod has', async () => {
    const ports = [{ containerPort: 80, hostPort: await steadyPort(), protocol: 'TCP' }]
    await here.store.create(podOf('port', [shell('main', 'sleep 1000', { ports })]))
    await here.podWhere('port', ({ phase }) => phase === 'Running')
    await here.store.create(podOf('taken', [shell('main', 'sleep 1000', { ports })]))
    const refused = await here.podWhere('taken', ({ phase }) => phase === 'Failed')
    expect(refused.reason).toBe('NodePorts')
  }, 90_000)
})

test('a container runs again by the rules for its exit code, and else as its own policy says', async () => {
  const folder = join(here.containerd.folder, 'rules')
  const script =
    'n=$(cat /shared/n 2>/dev/null || echo 0); echo $((n+1)) > /shared/n; exit $((42+n/2))'
  const restartPolicyRules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }]
  const ruled = shell('main', script, { ...MOUNT, restartPolicy: 'Never', restartPolicyRules })
  const spec = { ...shared(folder), restartPolicy: 'Always' }
  await here.store.create(podOf('rules', [ruled], spec))
  // Twice 42, then 43: which no rule names.
  const status = await here.podWhere('rules', ({ phase }) => phase === 'Failed')
  expect(mainOf(status)).toMatchObject({
    restartCount: 2,
    state: { terminated: { exitCode: 43 } },
  })
}, 90_000)

describe('a pod as a whole', () => {
  const cgroupOf = (name: string): string => {
    const uid = here.store.get(keyOf(name))?.metadata.uid ?? ''
    return `${here.containerd.cgroupRoot}/pod${uid}`
  }
  const read = (name: string, split: string, unified: string): string => {
    const root = '/sys/fs/cgroup'
    const isUnified = existsSync(join(root, 'cgroup.controllers'))
    const [controller = '', file = ''] = split.split('/')
    const path = isUnified
      ? join(root, cgroupOf(name), unified)
      : join(root, controller, cgroupOf(name), file)
    return readFileSync(path, 'utf8').trim()
  }

  test('has limits, a share and a number of processes, and gets others while it runs', async () => {
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } }
    await here.store.create(podOf('sized', [shell('main', 'sleep 1000')], { resources }))
    const before = await here.podWhere('sized', ({ phase }) => phase === 'Running')
    expect(before).toMatchObject({ qosClass: 'Burstable', resources })
    expect(read('sized', 'memory/memory.limit_in_bytes', 'memory.max')).toBe(String(128 * 2 ** 20))
    expect(read('sized', 'pids/pids.max', 'pids.max')).toBe(String(PROCESSES_MAX))
    expect(read('sized', 'cpu/cpu.shares', 'cpu.weight')).toMatch(/^(?:102|4)$/)
    const larger = { requests: { cpu: '200m', memory: '64Mi' }, limits: { memory: '192Mi' } }
    await here.store.update(
      keyOf('sized'),
      (pod) => ({ ...pod, spec: { ...(pod['spec'] as JsonObject), resources: larger } }),
      { part: 'desired' },
    )
    const after = await here.podWhere(
      'sized',
      (status) =>
        JSON.stringify(status).includes('"allocatedResources":{"cpu":"200m"') &&
        status.conditions?.some(({ type }) => type === 'PodResizeInProgress') !== true,
    )
    expect(after).toMatchObject({ resources: larger })
    expect(mainOf(after)?.restartCount).toBe(0)
    expect(read('sized', 'memory/memory.limit_in_bytes', 'memory.max')).toBe(String(192 * 2 ** 20))
    const uid = here.store.get(keyOf('sized'))?.metadata.uid
    const [run] = (await here.runtime.list(uid)).containers
    const look = 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max'
    const command = ['sh', '-c', `${look} 2>/dev/null`]
    const own = { command, timeoutMs: WAIT_MS, outputBytesMax: 100 }
    const found = await here.runtime.run(run?.id ?? '', own)
    // The container says nothing of its own, so it may have what its pod may.
    expect(found.output.trim()).toBe(String(192 * 2 ** 20))
  }, 90_000)

  test('cannot have more processes than the node lets it', async () => {
    const script = `n=0; while [ $n -lt ${PROCESSES_MAX} ]; do sleep 1000 & n=$((n+1)); done`
    const spec = { restartPolicy: 'Never' }
    await here.store.create(podOf('many', [shell('main', script)], spec))
    const status = await here.podWhere('many', ({ phase }) => phase === 'Failed')
    expect(mainOf(status)?.state.terminated?.exitCode).not.toBe(0)
  }, 90_000)
})
