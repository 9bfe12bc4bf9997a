import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createEdged } from 'tideway/adapters/edged'
import type { OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { criRuntime } from 'tideway/adapters/runtime/cri'
import { expect, test } from 'vitest'
import {
  CONTAINERD_REASON,
  type Containerd,
  hasContainerd,
  withContainerd,
} from '../containers/containerd.ts'
import { SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { eventually, openTestReplica, openTestStore } from '../support/fleet.ts'
import { skipUnless } from '../support/skip.ts'
import { mainOf, type PodStatus } from './edged-place.ts'

const WAIT_MS = 60_000

test('on containerd: probes of an own address, hooks, and last words at their path', async (context) => {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  await withContainerd([shellImage()], (containerd) => withEdged(containerd, tellTheStory))
})

async function withEdged(
  { socket: socketPath, cgroupRoot, folder }: Containerd,
  use: (store: OpenObjectStore) => Promise<void>,
): Promise<void> {
  const common = { clock: systemClock, logger: consoleLogger('silent') }
  const runtime = await criRuntime({ ...common, socketPath, cgroupRoot })
  const replica = await openTestReplica()
  const store = await openTestStore(replica)
  const edged = createEdged({
    ...common,
    node: 'edge-1',
    store,
    runtime,
    directory: join(folder, 'node'),
    random: systemRandom,
    version: 'v1.36.3',
    addresses: ['127.0.0.1'],
  })
  try {
    await edged.ready
    await use(store)
  } finally {
    await edged.close()
    for (const sandbox of (await runtime.list()).sandboxes) await runtime.removeSandbox(sandbox.id)
    await runtime.close()
    await store.close()
    await replica.close()
  }
}

async function tellTheStory(store: OpenObjectStore): Promise<void> {
  const script = [
    `trap 'test -e /shared/over && echo after the hook > /dev/termination-log; exit 3' TERM`,
    // What the postStart hook has made is there before anything is served.
    'while ! test -e /tmp/www/ok; do sleep 0.05; done',
    'httpd -f -p 8080 -h /tmp/www & wait',
  ].join('\n')
  const exec = (command: string) => ({ exec: { command: ['sh', '-c', command] } })
  await store.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      nodeName: 'edge-1',
      volumes: [{ name: 'shared', emptyDir: {} }],
      containers: [
        {
          name: 'main',
          image: SHELL_IMAGE,
          command: ['sh', '-c', script],
          volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          ports: [{ name: 'web', containerPort: 8080 }],
          lifecycle: {
            postStart: exec('mkdir /tmp/www; touch /tmp/www/ok /tmp/www/well'),
            preStop: exec('touch /shared/over'),
          },
          startupProbe: { tcpSocket: { port: 'web' }, periodSeconds: 1, failureThreshold: 60 },
          readinessProbe: { httpGet: { path: '/ok', port: 'web' }, periodSeconds: 1 },
          // The first run is well for a moment only.
          livenessProbe: {
            ...exec('test -e /shared/over || rm /tmp/www/well'),
            periodSeconds: 1,
            failureThreshold: 2,
          },
        },
      ],
    },
  })
  const status = await eventually(() => {
    const found = statusOf(store, 'web')
    return mainOf(found)?.restartCount === 1 ? found : undefined
  }, WAIT_MS)
  expect(mainOf(status)?.lastState.terminated).toMatchObject({
    exitCode: 3,
    message: 'after the hook\n',
  })
  const events = store.list('events').items
  const told = events.map((event) => `${String(event['reason'])}: ${String(event['message'])}`)
  expect(told).toContain(
    "Unhealthy: Liveness probe failed: rm: can't remove '/tmp/www/well': No such file or directory\n",
  )
  expect(told).toContain('Killing: Container main failed liveness probe, will be restarted')
  await eventually(() => mainOf(statusOf(store, 'web'))?.ready === true, WAIT_MS)
}

function statusOf(store: OpenObjectStore, name: string): PodStatus {
  const pod = store.get({ resource: 'pods', namespace: 'default', name })
  // Only read by this test, which fails if it is anything else.
  return (pod?.['status'] ?? {}) as unknown as PodStatus
}
