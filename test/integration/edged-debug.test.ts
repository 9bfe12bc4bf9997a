import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { SHELL_IMAGE } from '../containers/images.ts'
import { kubectlFor, type RunKubectl } from '../support/api-server.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { onTerminal } from '../support/live-command.ts'
import { skipUnless } from '../support/skip.ts'
import { type ContainedPlace, openContainedPlace } from './edged-contained-place.ts'

// What `kubectl debug` adds to a pod that runs.

let place: ContainedPlace | undefined

beforeAll(async () => {
  if (hasContainerd()) place = await openContainedPlace()
})

afterAll(async () => {
  await place?.close()
})

const IMAGE = [
  '--image',
  SHELL_IMAGE,
  '--image-pull-policy',
  'IfNotPresent',
  '--profile',
  'general',
]

/** As kubectl would: what the API fills in is there. */
async function startPod(kubectl: RunKubectl, name: string): Promise<void> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'edge-1', terminationGracePeriodSeconds: 0, containers: [shell('main')] },
  }
  const { code, stderr } = await kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  await place?.podWhere(name, (status) => status.phase === 'Running')
}

test('a shell beside a container sees its processes, and is never started again', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  const kubectl = await newestKubectl()
  skipUnless(context, kubectl !== undefined, 'kubectl', KUBECTL_HINT)
  if (place === undefined || kubectl === undefined) return
  const run = kubectlFor(place.api, kubectl.path)
  await startPod(run, 'web')
  const { HOME, KUBECONFIG } = { HOME: place.api.folder, KUBECONFIG: place.api.kubeconfig }
  const words = ['debug', '-it', 'web', ...IMAGE, '--target', 'main', '-c', 'look']
  const line = [kubectl.path, ...words, '--', 'sh'].join(' ')
  const shell = onTerminal(line, { HOME, KUBECONFIG })
  await shell.says(/pressing enter/)
  shell.type('ps | grep "sleep 3141[5]"; echo seen $((6 * 7)); exit 3\n')
  await shell.says(/sleep 31415[\s\S]*seen 42/)
  await shell.ended
  const status = await place.podWhere(
    'web',
    (each) => each.ephemeralContainerStatuses?.[0]?.state.terminated !== undefined,
  )
  expect(status.phase).toBe('Running')
  expect(status.ephemeralContainerStatuses).toMatchObject([
    {
      name: 'look',
      image: SHELL_IMAGE,
      ready: false,
      restartCount: 0,
      lastState: {},
      state: { terminated: { exitCode: 3, reason: 'Error' } },
    },
  ])
  expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')
  expect((await run(['logs', 'web', '-c', 'look'])).stdout).toContain('seen 42')

  // One more, for which the pod is looked at anew: the first stays as it ended.
  const more = [
    'debug',
    'web',
    ...IMAGE,
    '-c',
    'again',
    '--',
    'sh',
    '-c',
    'ps > /tmp/all; cat /tmp/all',
  ]
  expect(await run(more)).toMatchObject({ code: 0 })
  const after = await place.podWhere(
    'web',
    (each) => each.ephemeralContainerStatuses?.[1]?.state.terminated !== undefined,
  )
  expect(after.ephemeralContainerStatuses?.map((each) => each.restartCount)).toEqual([0, 0])
  // Without a target it sees nobody else.
  expect((await run(['logs', 'web', '-c', 'again'])).stdout).not.toContain('31415')
  const { containers } = await place.runtime.list()
  expect(containers.map(({ name }) => name).sort()).toEqual(['again', 'look', 'main'])
}, 120_000)

test('a target that does not run is named, and waited for', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  const pod = { resource: 'pods', namespace: 'default', name: 'slow' }
  await place?.store.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'slow', namespace: 'default' },
    spec: {
      nodeName: 'edge-1',
      terminationGracePeriodSeconds: 0,
      initContainers: [{ ...shell('setup'), command: ['sleep', '100000'] }],
      containers: [shell('main')],
    },
  })
  await place?.podWhere(
    'slow',
    (status) => status.initContainerStatuses?.[0]?.state.running !== undefined,
  )
  const added = [{ ...shell('look'), targetContainerName: 'main' }]
  await place?.store.update(
    pod,
    (object) => ({
      ...object,
      spec: { ...(object['spec'] as object), ephemeralContainers: added },
    }),
    { part: 'desired', author: 'test' },
  )
  const status = await place?.podWhere(
    'slow',
    (each) => each.ephemeralContainerStatuses?.[0]?.state.waiting?.message !== undefined,
  )
  expect(status?.ephemeralContainerStatuses?.[0]?.state.waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message: 'unable to find target container main',
  })
}, 120_000)

function shell(name: string) {
  return { name, image: SHELL_IMAGE, imagePullPolicy: 'IfNotPresent', command: ['sleep', '31415'] }
}
