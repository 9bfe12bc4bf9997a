import { expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { SHELL_IMAGE } from '../containers/images.ts'
import { skipUnless } from '../support/skip.ts'
import { type ContainedPlace, openContainedPlace } from './edged-contained-place.ts'
import { mainOf } from './edged-place.ts'

test('on containerd: probes of an own address, hooks, and last words at their path', async (context) => {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  const place = await openContainedPlace()
  try {
    await tellTheStory(place)
  } finally {
    await place.close()
  }
})

async function tellTheStory({ store, podWhere, events }: ContainedPlace): Promise<void> {
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
  const status = await podWhere('web', (each) => mainOf(each)?.restartCount === 1)
  expect(mainOf(status)?.lastState.terminated).toMatchObject({
    exitCode: 3,
    message: 'after the hook\n',
  })
  const told = events('web').map(({ reason, message }) => `${reason}: ${message}`)
  expect(told).toContain(
    "Unhealthy: Liveness probe failed: rm: can't remove '/tmp/www/well': No such file or directory\n",
  )
  expect(told).toContain('Killing: Container main failed liveness probe, will be restarted')
  await podWhere('web', (each) => mainOf(each)?.ready === true)
}
