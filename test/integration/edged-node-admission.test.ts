import { afterEach, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { shellImage } from '../containers/images.ts'
import { skipUnless } from '../support/skip.ts'
import { openContainedPlace } from './edged-contained-place.ts'
import { type EdgedPlace, openPlace, shellPod } from './edged-place.ts'

const places: EdgedPlace[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
})

test('a pod that asks for a port of the machine that another one has is refused', async () => {
  const place = await openPlace()
  places.push(place)
  const ports = [{ containerPort: 80, hostPort: 31_999, protocol: 'TCP' }]
  await place.create(shellPod('first', 'sleep 1000', {}, { ports }))
  await place.podWhere('first', (status) => status.phase === 'Running', 60_000)
  await place.create(shellPod('second', 'sleep 1000', {}, { ports }))
  const refused = await place.podWhere('second', (status) => status.phase === 'Failed', 60_000)
  expect(refused).toMatchObject({
    reason: 'NodePorts',
    message:
      "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  })
  expect((await place.runtime.list()).containers).toHaveLength(1)
}, 90_000)

test('a group beside a user that only the image knows by name', async (context) => {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  const image = shellImage('localhost/named:1', { User: 'app' })
  // A container that ends as soon as it has begun may be told to run until the next list.
  const place = await openContainedPlace({ relistMs: 2_000 }, [image])
  try {
    const main = {
      name: 'main',
      image: 'localhost/named:1',
      imagePullPolicy: 'IfNotPresent',
      command: ['sh', '-c', 'echo "$(id -u) $(id -g)" > /dev/termination-log'],
      securityContext: { runAsGroup: 3000 },
    }
    await place.store.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'named', namespace: 'default' },
      spec: { nodeName: 'edge-1', restartPolicy: 'Never', containers: [main] },
    })
    const status = await place.podWhere('named', ({ phase }) => phase === 'Succeeded')
    expect(status.containerStatuses?.[0]?.state.terminated?.message).toBe('1000 3000\n')
  } finally {
    await place.close()
  }
}, 90_000)
