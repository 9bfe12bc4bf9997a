import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { consoleLogger, type Replica, systemClock, systemRandom } from 'tideway'
import { createEdged, type Edged, type EdgedOptions } from 'tideway/adapters/edged'
import type { JsonObject, KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { criRuntime } from 'tideway/adapters/runtime/cri'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  CONTAINERD_REASON,
  type Containerd,
  hasContainerd,
  startContainerd,
} from '../containers/containerd.ts'
import { type Image, imageOf } from '../containers/image.ts'
import { PAUSE_IMAGE, SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { eventually, openTestReplica, openTestStore } from '../support/fleet.ts'
import { skipUnless } from '../support/skip.ts'
import { type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { type PodStatus, shellPod } from './edged-place.ts'

const MI = 2 ** 20
const WAIT_MS = 60_000
const SPARE_IMAGE = 'localhost/spare:1'
const SPARE_BYTES = 12 * MI
const DISK_BYTES = 128 * MI

/** What a node has whose images are on a disk that is soon full. */
interface Place {
  readonly disk: SmallDisk
  readonly containerd: Containerd
  readonly runtime: PodRuntime
  readonly replica: Replica
  readonly store: OpenObjectStore
  readonly nodeDisk: SmallDisk
  edged: Edged | undefined
}

let place: Place | undefined

/** Nobody runs it. */
function spareImage(): Image {
  const entries = [{ name: 'ballast', body: randomBytes(SPARE_BYTES) }]
  return imageOf({ name: SPARE_IMAGE, entries, config: {} })
}

beforeEach(async () => {
  const disk = hasContainerd() ? await smallDisk(DISK_BYTES) : undefined
  const nodeDisk = disk === undefined ? undefined : await smallDisk(DISK_BYTES)
  if (disk === undefined || nodeDisk === undefined) return
  // Everything of containerd is where temporary files are.
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = disk.directory
  const starting = startContainerd([shellImage(), spareImage()])
  if (before === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = before
  const containerd = await starting
  const { socket: socketPath, cgroupRoot } = containerd
  const common = { clock: systemClock, logger: consoleLogger('silent') }
  const runtime = await criRuntime({ ...common, socketPath, cgroupRoot })
  const replica = await openTestReplica()
  const store = await openTestStore(replica)
  place = { disk, nodeDisk, containerd, runtime, replica, store, edged: undefined }
})

afterEach(async () => {
  if (place === undefined) return
  const { disk, nodeDisk, containerd, runtime, replica, store, edged } = place
  place = undefined
  await edged?.close()
  for (const sandbox of (await runtime.list()).sandboxes) await runtime.removeSandbox(sandbox.id)
  await runtime.close()
  await store.close()
  await replica.close()
  await containerd.close()
  await disk.close()
  await nodeDisk.close()
})

async function up(where: Place, options: Partial<EdgedOptions>): Promise<void> {
  where.edged = createEdged({
    ...{ clock: systemClock, logger: consoleLogger('silent'), random: systemRandom },
    ...{ node: 'edge-1', store: where.store, runtime: where.runtime, version: 'v1.36.3' },
    ...{ directory: join(where.nodeDisk.directory, 'node'), addresses: ['127.0.0.1'] },
    ...options,
  })
  await where.edged.ready
}

async function imagesOf({ runtime }: Place): Promise<readonly string[]> {
  return ((await runtime.images?.images()) ?? []).flatMap(({ tags }) => tags).sort()
}

function pod(name: string, script: string, spec: object = {}, main: object = {}): KubeObject {
  return shellPod(name, script, spec, { image: SHELL_IMAGE, imagePullPolicy: 'Never', ...main })
}

async function statusWhere(
  { store }: Place,
  name: string,
  fits: (status: PodStatus & { readonly reason?: string }) => boolean,
): Promise<JsonObject> {
  let last: KubeObject | undefined
  try {
    return await eventually(() => {
      last = store.get({ resource: 'pods', namespace: 'default', name })
      const status = last?.['status'] as unknown as PodStatus | undefined
      return status !== undefined && fits(status) ? (last?.['status'] as JsonObject) : undefined
    }, WAIT_MS)
  } catch {
    throw new Error(`pod ${name} is not so: ${JSON.stringify(last?.['status'])}`)
  }
}

function hasReason({ store }: Place, reason: string): boolean {
  return store.list('events').items.some((event) => event['reason'] === reason)
}

function hasDiskPressure({ store }: Place): boolean {
  const node = store.get({ resource: 'nodes', name: 'edge-1' })
  const { conditions } = (node?.['status'] ?? {}) as { readonly conditions?: readonly JsonObject[] }
  return conditions?.find(({ type }) => type === 'DiskPressure')?.['status'] !== 'False'
}

test('images that nobody uses go when their disk is full, and none that is needed', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  const where = place as Place
  await up(where, {})
  await where.store.create(pod('user', 'exec sleep 1000'))
  await statusWhere(where, 'user', ({ phase }) => phase === 'Running')
  expect(await imagesOf(where)).toEqual([PAUSE_IMAGE, SHELL_IMAGE, SPARE_IMAGE])
  await where.edged?.close()
  const { bavail, blocks } = await statfs(where.disk.directory)
  const highPercent = Math.floor((1 - bavail / blocks) * 100)
  const quick = { ageMsMin: 0, periodMs: 500 }
  await up(where, { imageCollection: { ...quick, highPercent, lowPercent: highPercent - 3 } })
  await expect.poll(() => imagesOf(where), { timeout: WAIT_MS }).toEqual([PAUSE_IMAGE, SHELL_IMAGE])
  await where.edged?.close()

  // There is nothing left that could go.
  await up(where, { imageCollection: { ...quick, highPercent: 1, lowPercent: 0 } })
  await eventually(() => hasReason(where, 'FreeDiskSpaceFailed'), WAIT_MS)
  await eventually(() => hasReason(where, 'ImageGCFailed'), WAIT_MS)
  expect(await imagesOf(where)).toEqual([PAUSE_IMAGE, SHELL_IMAGE])
  const status = await statusWhere(where, 'user', () => true)
  expect(status['phase']).toBe('Running')
})

test('what nobody needs goes before a pod does, and one that fills the disk of images goes then', async (context) => {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  const where = place as Place
  const eviction = { periodMs: 500, diskPeriodMs: 500, transitionMs: 0 }
  const hard = { 'imagefs.available': '35%' }
  const imageCollection = { ageMsMin: 0, highPercent: 100 }
  await up(where, { eviction: { ...eviction, hard }, imageCollection })
  const requests = { 'ephemeral-storage': '64Mi' }
  await where.store.create(pod('quiet', 'exec sleep 1000', {}, { resources: { requests } }))
  const once = 'dd if=/dev/zero of=/file bs=1M count=20'
  await where.store.create(pod('done', once, { restartPolicy: 'Never' }))
  await statusWhere(where, 'done', ({ phase }) => phase === 'Succeeded')
  await statusWhere(where, 'quiet', ({ phase }) => phase === 'Running')
  // With what the two above may leave it is enough, but only then.
  const grow = 'dd if=/dev/zero of=/file bs=1M count=40 && echo written; exec sleep 1000'
  await where.store.create(pod('large', grow, {}, { resources: { requests } }))
  await expect.poll(() => imagesOf(where), { timeout: WAIT_MS }).toEqual([PAUSE_IMAGE, SHELL_IMAGE])
  await expect
    .poll(async () => (await where.runtime.list()).sandboxes.map(({ name }) => name).sort(), {
      timeout: WAIT_MS,
    })
    .toEqual(['large', 'quiet'])
  const done = await statusWhere(where, 'done', () => true)
  const [ended] = done['containerStatuses'] as unknown as [{ readonly state: JsonObject }]
  expect(ended.state['terminated']).toMatchObject({ exitCode: 0, reason: 'Completed' })
  await statusWhere(where, 'large', ({ phase }) => phase === 'Running')

  await eventually(() => !hasDiskPressure(where), WAIT_MS)
  const more = 'dd if=/dev/zero of=/file bs=1M count=60; exec sleep 1000'
  await where.store.create(pod('hog', more))
  const evicted = await statusWhere(where, 'hog', ({ reason }) => reason === 'Evicted')
  expect(evicted['message']).toMatch(
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: /,
  )
  for (const name of ['large', 'quiet'])
    expect((await statusWhere(where, name, () => true))['phase']).toBe('Running')
})
