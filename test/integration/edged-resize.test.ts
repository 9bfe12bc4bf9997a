import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { SHELL_IMAGE } from '../containers/images.ts'
import { kubectlFor, type RunKubectl } from '../support/api-server.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { type ContainedPlace, openContainedPlace } from './edged-contained-place.ts'
import type { PodStatus } from './edged-place.ts'

// Cpu and memory of a pod that runs, changed with kubectl.

let place: ContainedPlace | undefined
let run: RunKubectl | undefined

beforeAll(async () => {
  if (!hasContainerd()) return
  place = await openContainedPlace({ capacity: { cpu: '2' } })
  const kubectl = await newestKubectl()
  if (kubectl !== undefined) run = kubectlFor(place.api, kubectl.path)
})

afterAll(async () => {
  await place?.close()
})

/** What a container says of its own limits: on either version of cgroups. */
const LIMITS =
  'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null'

async function startPod(kubectl: RunKubectl, name: string, container: object): Promise<void> {
  const main = {
    name: 'main',
    image: SHELL_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    command: ['sleep', '100000'],
    ...container,
  }
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'edge-1', terminationGracePeriodSeconds: 0, containers: [main] },
  }
  const created = await kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) })
  expect(created).toMatchObject({ code: 0 })
  await place?.podWhere(name, (status) => status.phase === 'Running')
}

async function resize(kubectl: RunKubectl, name: string, resources: object): Promise<void> {
  const patch = JSON.stringify({ spec: { containers: [{ name: 'main', resources }] } })
  const words = ['patch', 'pod', name, '--subresource', 'resize', '-p', patch]
  expect(await kubectl(words)).toMatchObject({ code: 0 })
}

function has(status: PodStatus, memory: string): boolean {
  const resources = status.containerStatuses?.[0]?.resources
  return resources?.limits?.['memory'] === memory
}

function reasons(name: string): readonly string[] {
  const events = place?.store.list('events').items ?? []
  return events
    .filter((event) => JSON.stringify(event['involvedObject']).includes(`"${name}"`))
    .map((event) => String(event['reason']))
}

test('memory and cpu change while a container runs, or with a restart, as its policy says', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  skipUnless(context, run !== undefined, 'kubectl', KUBECTL_HINT)
  if (place === undefined || run === undefined) return
  const small = {
    requests: { cpu: '100m', memory: '32Mi' },
    limits: { cpu: '200m', memory: '64Mi' },
  }
  const resizePolicy = [
    { resourceName: 'cpu', restartPolicy: 'NotRequired' },
    { resourceName: 'memory', restartPolicy: 'NotRequired' },
  ]
  await startPod(run, 'web', { resources: small, resizePolicy })
  const before = await place.podWhere('web', (status) => has(status, '64Mi'))
  expect(before.containerStatuses?.[0]).toMatchObject({
    allocatedResources: small.requests,
    resources: small,
  })
  await resize(run, 'web', { requests: { cpu: '150m' }, limits: { memory: '96Mi' } })
  const after = await place.podWhere('web', (status) => has(status, '96Mi'))
  expect(after.containerStatuses?.[0]).toMatchObject({
    allocatedResources: { cpu: '150m', memory: '32Mi' },
    resources: { requests: { cpu: '150m' }, limits: { cpu: '200m', memory: '96Mi' } },
    restartCount: 0,
  })
  const { stdout } = await run(['exec', 'web', '--', 'sh', '-c', LIMITS])
  expect(stdout.trim()).toBe(String(96 * 2 ** 20))
  expect(after.conditions?.map(({ type }) => type)).not.toContain('PodResizeInProgress')
  await expect.poll(() => reasons('web')).toContain('ResizeCompleted')

  const restart = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }]
  await startPod(run, 'anew', { resources: small, resizePolicy: restart })
  await resize(run, 'anew', { limits: { memory: '96Mi' } })
  const anew = await place.podWhere(
    'anew',
    (status) => has(status, '96Mi') && status.containerStatuses?.[0]?.restartCount === 1,
  )
  expect(anew.phase).toBe('Running')
  await expect.poll(() => reasons('anew')).toContain('ResizeCompleted')
}, 120_000)

test('a size that does not fit waits, and what runs keeps what it has', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  skipUnless(context, run !== undefined, 'kubectl', KUBECTL_HINT)
  if (place === undefined || run === undefined) return
  await startPod(run, 'big', { resources: { requests: { cpu: '100m' } } })
  await resize(run, 'big', { requests: { cpu: '3' } })
  const waits = await place.podWhere(
    'big',
    (status) => status.conditions?.some(({ type }) => type === 'PodResizePending') === true,
  )
  const pending = waits.conditions?.find(({ type }) => type === 'PodResizePending')
  expect(pending).toMatchObject({ status: 'True', reason: 'Infeasible' })
  expect(pending?.message).toBe(
    "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
  )
  expect(waits.containerStatuses?.[0]).toMatchObject({ allocatedResources: { cpu: '100m' } })
  await resize(run, 'big', { requests: { cpu: '200m' } })
  const done = await place.podWhere(
    'big',
    (status) => status.containerStatuses?.[0]?.allocatedResources?.['cpu'] === '200m',
  )
  expect(done.conditions?.map(({ type }) => type)).not.toContain('PodResizePending')
}, 120_000)

test('memory that is in use is not taken', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  skipUnless(context, run !== undefined, 'kubectl', KUBECTL_HINT)
  if (place === undefined || run === undefined) return
  // A variable of 40 MiB: memory that cannot be taken from the shell.
  const hold =
    'x=$(head -c 41943040 /dev/zero | tr "\\0" x); echo held; while true; do sleep 1; done'
  const resources = { requests: { memory: '16Mi' }, limits: { memory: '256Mi' } }
  await startPod(run, 'holds', { command: ['sh', '-c', hold], resources })
  const kubectl = run
  await expect
    .poll(async () => (await kubectl(['logs', 'holds'])).stdout, { timeout: 60_000 })
    .toContain('held')
  await resize(run, 'holds', { limits: { memory: '20Mi' } })
  const refused = await place.podWhere(
    'holds',
    (status) => status.conditions?.some(({ reason }) => reason === 'Error') === true,
  )
  const condition = refused.conditions?.find(({ type }) => type === 'PodResizeInProgress')
  expect(condition?.message).toMatch(
    /^cannot decrease memory limits: attempting to set container "main" memory limit \(20971520\) below current usage \(\d+\)$/,
  )
  expect(has(refused, '256Mi')).toBe(true)
  expect(refused.containerStatuses?.[0]?.restartCount).toBe(0)
  await expect.poll(() => reasons('holds')).toContain('ResizeError')
}, 120_000)
