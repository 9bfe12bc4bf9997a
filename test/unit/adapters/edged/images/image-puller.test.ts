import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Occurrence } from '../../../../../src/adapters/edged/events/event-record.ts'
import {
  type ImageNeed,
  ImagePuller,
} from '../../../../../src/adapters/edged/images/image-puller.ts'
import { pullSecrets } from '../../../../../src/adapters/edged/images/pull-secrets.ts'
import type { PodView } from '../../../../../src/adapters/edged/pod-view.ts'
import type { OpenObjectStore } from '../../../../../src/adapters/kubernetes/objects/index.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import {
  type ImageStatus,
  type RegistryLogin,
  RuntimeError,
  type RuntimeImages,
} from '../../../../../src/adapters/runtime/index.ts'
import type { Replica } from '../../../../../src/index.ts'
import { eventually, openTestReplica, openTestStore } from '../../../../support/fleet.ts'
import { ManualClock } from '../../reconciler/manual-clock.ts'
import { pod } from '../pods.ts'

/** A registry and what was pulled from it. A pull ends when the test says so. */
class ShelfOfImages implements RuntimeImages {
  readonly here = new Map<string, ImageStatus>()
  readonly pulls: {
    reference: string
    logins: readonly RegistryLogin[]
    end(ok: boolean): void
  }[] = []

  image(reference: string): Promise<ImageStatus | undefined> {
    return Promise.resolve(this.here.get(reference))
  }

  pullImage(reference: string, logins: readonly RegistryLogin[]): Promise<ImageStatus> {
    return new Promise((resolve, reject) => {
      const end = (ok: boolean): void => {
        if (!ok) return reject(new RuntimeError('PullFailed', 'manifest unknown'))
        const image = { id: `sha256:${reference}`, tags: [reference], digests: [], sizeBytes: 7 }
        this.here.set(reference, image)
        resolve(image)
      }
      this.pulls.push({ reference, logins, end })
    })
  }

  images(): Promise<readonly ImageStatus[]> {
    return Promise.resolve([...this.here.values()])
  }

  removeImage(): Promise<void> {
    return Promise.resolve()
  }

  inUse(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set())
  }

  usage(): Promise<{ directory: string; usedBytes: number }> {
    return Promise.resolve({ directory: '/', usedBytes: 0 })
  }
}

let replica: Replica
let store: OpenObjectStore
let clock: ManualClock
let shelf: ShelfOfImages
let puller: ImagePuller
let told: Occurrence[]
let hints: string[]

beforeEach(async () => {
  replica = await openTestReplica()
  store = await openTestStore(replica)
  clock = new ManualClock()
  shelf = new ShelfOfImages()
  told = []
  hints = []
  const closed = new AbortController().signal
  const record = (occurrence: Occurrence): void => void told.push(occurrence)
  const hint = (uid: string): void => void hints.push(uid)
  puller = new ImagePuller({ store, clock, record, hint, closed }, shelf)
})

afterEach(async () => {
  await store.close()
  await replica.close()
})

function of(main: JsonObject, uid = 'u-1', spec: JsonObject = {}): PodView {
  return pod({ ...spec, containers: [{ name: 'main', ...main }] }, { uid })
}

async function ensure(view: PodView, attempt = 0): Promise<ImageNeed> {
  const [container] = view.containers
  if (container === undefined) throw new Error('the pod has no container')
  return await puller.ensure(view, container, attempt)
}

/** Ends the newest pull, and waits until the puller has noticed. */
async function endPull(ok: boolean): Promise<void> {
  const before = hints.length
  shelf.pulls.at(-1)?.end(ok)
  await eventually(() => hints.length > before)
}

function reasonOf(need: ImageNeed): string | undefined {
  return need.type === 'ready' ? undefined : need.waiting.reason
}

describe('the image of a container', () => {
  test('is pulled once for one run, and again for the next where the policy is Always', async () => {
    const web = of({ image: 'shop/web:1', imagePullPolicy: 'Always' })
    expect(reasonOf(await ensure(web))).toBe('ContainerCreating')
    expect(reasonOf(await ensure(web))).toBe('ContainerCreating')
    await endPull(true)
    const ready = await ensure(web)
    expect(ready).toMatchObject({ type: 'ready', reference: 'docker.io/shop/web:1' })
    puller.settle('u-1', 'main', 0)
    expect(shelf.pulls).toHaveLength(1)
    await ensure(web, 1)
    expect(shelf.pulls).toHaveLength(2)
    expect(told.map(({ reason }) => reason)).toEqual(['Pulling', 'Pulled', 'Pulling'])
    expect(told[1]?.message).toBe(
      'Successfully pulled image "shop/web:1" in 0s (0s including waiting). Image size: 7 bytes.',
    )
  })

  test('is not pulled when it is here and the policy allows it', async () => {
    shelf.here.set('docker.io/shop/web:1', { id: 'i', tags: [], digests: [], sizeBytes: 1 })
    expect((await ensure(of({ image: 'shop/web:1' }))).type).toBe('ready')
    expect(shelf.pulls).toEqual([])
    expect(told.map(({ message }) => message)).toEqual([
      'Container image "shop/web:1" already present on machine',
    ])
    // Without a tag it is the latest, and nobody knows which that is.
    shelf.here.set('docker.io/shop/web:latest', { id: 'i', tags: [], digests: [], sizeBytes: 1 })
    expect((await ensure(of({ image: 'shop/web' }, 'u-2'))).type).toBe('pulling')
  })

  test('waits after a failure, longer each time, and each wait is told once', async () => {
    const web = of({ image: 'shop/web:1' })
    await ensure(web)
    for (const delayMs of [10_000, 20_000, 40_000]) {
      await endPull(false)
      expect(await ensure(web)).toMatchObject({
        waiting: { reason: 'ErrImagePull', message: 'manifest unknown' },
      })
      expect(puller.wakeAfterMs('u-1')).toBe(3_000)
      clock.advance(3_000)
      for (const _ of [1, 2]) {
        expect(await ensure(web)).toMatchObject({
          waiting: {
            reason: 'ImagePullBackOff',
            message: 'Back-off pulling image "shop/web:1": ErrImagePull: manifest unknown',
          },
        })
      }
      expect(puller.wakeAfterMs('u-1')).toBe(delayMs - 3_000)
      clock.advance(delayMs - 3_000)
      expect((await ensure(web)).type).toBe('pulling')
    }
    expect(told.filter(({ reason }) => reason === 'BackOff')).toHaveLength(3)
    await endPull(true)
    expect((await ensure(web)).type).toBe('ready')
  })

  test('that was changed meanwhile is pulled for its new name', async () => {
    await ensure(of({ image: 'shop/web:1' }))
    expect((await ensure(of({ image: 'shop/web:2' }))).type).toBe('pulling')
    shelf.pulls[0]?.end(true)
    await endPull(true)
    expect(hints).toHaveLength(1)
    const need = await ensure(of({ image: 'shop/web:2' }))
    expect(need).toMatchObject({ type: 'ready', reference: 'docker.io/shop/web:2' })
  })

  test('is used again where its registry fails, by a container that has run before', async () => {
    const web = of({ image: 'shop/web:1', imagePullPolicy: 'Always' })
    shelf.here.set('docker.io/shop/web:1', { id: 'i', tags: [], digests: [], sizeBytes: 1 })
    await ensure(web)
    await endPull(false)
    expect(reasonOf(await ensure(web))).toBe('ErrImagePull')
    clock.advance(10_000)
    await ensure(web, 3)
    await endPull(false)
    expect((await ensure(web, 3)).type).toBe('ready')
  })

  test('is asked for with the logins of the pod', async () => {
    const data = { auths: { 'registry.example': { username: 'u', password: 'p' } } }
    await store.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'there', namespace: 'shop' },
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': Buffer.from(JSON.stringify(data)).toString('base64') },
    })
    const imagePullSecrets = [{ name: 'there' }, { name: 'gone' }]
    const web = of({ image: 'registry.example/web:1' }, 'u-1', { imagePullSecrets })
    await ensure(web)
    await eventually(() => shelf.pulls.length === 1)
    expect(shelf.pulls[0]?.logins).toEqual([{ username: 'u', password: 'p' }])
    expect(pullSecrets(store, web).problem).toEqual({
      reason: 'FailedToRetrieveImagePullSecret',
      message:
        'Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed.',
    })
  })

  test('waits for its turn when three are being pulled, and the pod of none waits for another', async () => {
    const views = Array.from({ length: 5 }, (_, index) =>
      of({ image: `i${index}:1` }, `u-${index}`),
    )
    for (const view of views) expect((await ensure(view)).type).toBe('pulling')
    await eventually(() => shelf.pulls.length === 3)
    shelf.pulls[0]?.end(true)
    await eventually(() => shelf.pulls.length === 4)
    shelf.pulls[1]?.end(false)
    await eventually(() => shelf.pulls.length === 5)
    expect(hints).toEqual(['u-0', 'u-1'])
  })

  test('of a pod that is gone is forgotten', async () => {
    await ensure(of({ image: 'shop/web:1' }))
    puller.forget('u-1')
    shelf.pulls[0]?.end(false)
    await eventually(() => told.some(({ reason }) => reason === 'Failed'))
    expect(puller.wakeAfterMs('u-1')).toBeUndefined()
    expect(hints).toEqual([])
  })

  test.each<[JsonObject, string, string]>([
    [
      { image: 'shop/web:1', imagePullPolicy: 'Never' },
      'ErrImageNeverPull',
      'Container image "shop/web:1" is not present with pull policy of Never',
    ],
    [
      { image: 'Shop:1' },
      'InvalidImageName',
      'Failed to apply default image tag "Shop:1": couldn\'t parse image name "Shop:1": invalid reference format: repository name (library/Shop) must be lowercase',
    ],
  ])('%j cannot be had: %s', async (main, reason, message) => {
    expect(await ensure(of(main))).toMatchObject({ type: 'failed', waiting: { reason, message } })
    expect(shelf.pulls).toEqual([])
  })
})
