import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import {
  type Controller,
  createGarbageCollector,
  createReplicaSetController,
  createVolumeProtection,
} from 'tideway/adapters/kubernetes/controllers'
import type { KubeObject, ObjectKey } from 'tideway/adapters/kubernetes/objects'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  kubectlFor,
  type RunKubectl,
  startTestApiServer,
  type TestApiServer,
} from '../support/api-server.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { untilGone, untilListed } from '../support/until-shown.ts'

let target: TestApiServer
let controllers: readonly Controller[] = []
let run: RunKubectl | undefined
beforeAll(async () => {
  target = await startTestApiServer()
  const parts = {
    store: target.store,
    clock: systemClock,
    random: systemRandom,
    logger: consoleLogger('silent'),
  }
  controllers = [
    createGarbageCollector(parts),
    createReplicaSetController({ ...parts, runs: () => true }),
    createVolumeProtection(parts),
  ]
  const found = await newestKubectl()
  if (found !== undefined) run = kubectlFor(target, found.path)
})
afterAll(async () => {
  for (const controller of controllers) await controller.close()
  await target.close()
})
beforeEach((context) => skipUnless(context, run !== undefined, 'kubectl', KUBECTL_HINT))

async function kubectl(...args: readonly string[]): Promise<string> {
  const result = await run?.(args)
  if (result?.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result?.stderr ?? ''}`)
  return result.stdout
}

const set = (name: string): ObjectKey => ({
  resource: 'replicasets.apps',
  namespace: 'default',
  name,
})
const podsOf = (name: string): readonly KubeObject[] =>
  target.store.list('pods').items.filter((pod) => pod.metadata.labels?.['app'] === name)

/** Makes a replica set of two pods, and waits for them. */
async function makeSet(name: string): Promise<void> {
  const labels = { app: name }
  const spec = { containers: [{ name: 'c', image: 'i' }] }
  const body = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec },
    },
  }
  const file = join(target.folder, `${name}.json`)
  await writeFile(file, JSON.stringify(body))
  await kubectl('apply', '-f', file)
  await untilListed(target.store, 'pods', 'default', () => podsOf(name).length === 2)
}

test('kubectl delete takes the pods of a replica set along', async () => {
  await makeSet('plain')
  await kubectl('delete', 'rs', 'plain')
  await untilListed(target.store, 'pods', 'default', () => podsOf('plain').length === 0)
})

test('--cascade=foreground returns when the pods are gone', async () => {
  await makeSet('first')
  await kubectl('delete', 'rs', 'first', '--cascade=foreground')
  expect(podsOf('first')).toEqual([])
  expect(target.store.get(set('first'))).toBeUndefined()
})

test('--cascade=orphan leaves the pods, which a new set does not count', async () => {
  await makeSet('left')
  await kubectl('delete', 'rs', 'left', '--cascade=orphan')
  await untilGone(target.store, set('left'))
  const left = podsOf('left')
  expect(left).toHaveLength(2)
  expect(left.flatMap((pod) => pod.metadata.ownerReferences ?? [])).toEqual([])
})

test('a claim and a volume go when they are deleted and nobody uses them', async () => {
  const file = join(target.folder, 'volumes.json')
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  }
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: '/srv/disk' },
    },
  }
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [claim, volume] }))
  await kubectl('apply', '-f', file)
  // Waits until both are gone.
  await kubectl('delete', '-f', file, '--timeout=30s')
  expect(await kubectl('get', 'pv,pvc', '-o', 'name')).toBe('')
})

test('many at once are asked to go as one is', async () => {
  await makeSet('many-one')
  await makeSet('many-two')
  await kubectl('delete', 'rs', '--all', '--cascade=foreground')
  expect(target.store.list('replicasets.apps').items).toEqual([])
  expect([...podsOf('many-one'), ...podsOf('many-two')]).toEqual([])
})
