import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { ENGINE_REASONS, hasEngine } from '../containers/engine.ts'
import { imageOf } from '../containers/image.ts'
import { type Registry, startRegistry } from '../containers/registry.ts'
import { fillDisk } from '../support/fill-disk.ts'
import { skipUnless } from '../support/skip.ts'
import { SMALL_DISK_REASON, type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { FaultPlace, isReady, livingPod, type SeenEvent } from './fault-place.ts'
import { until } from './fleet-programs.ts'

const MIB = 2 ** 20
const ENGINES = [
  {
    name: 'containerd',
    runtime: 'cri',
    isHere: hasContainerd(),
    why: CONTAINERD_REASON,
    diskBytes: 64 * MIB,
  },
  {
    name: 'docker',
    runtime: 'docker',
    isHere: hasEngine('docker'),
    why: ENGINE_REASONS.docker,
    diskBytes: 96 * MIB,
  },
  {
    name: 'podman',
    runtime: 'podman',
    isHere: hasEngine('podman'),
    why: ENGINE_REASONS.podman,
    diskBytes: 64 * MIB,
  },
] as const
/** Room for a sandbox, and not for the large image. */
const TIGHT_BYTES = MIB
const WAIT_MS = 90_000
const NO_ROOM = /no space left on device/

let disk: SmallDisk | undefined
let place: FaultPlace | undefined
let registry: Registry | undefined

afterEach(async () => {
  await place?.close()
  await disk?.close()
  await registry?.close()
  place = undefined
  disk = undefined
  registry = undefined
})

/** What was told of a pod with the reason that there is no room. */
async function toldOf(here: FaultPlace, pod: string, reason: string): Promise<SeenEvent> {
  const told = async (): Promise<SeenEvent | undefined> =>
    (await here.events(pod)).find((each) => each.reason === reason && NO_ROOM.test(each.message))
  return await until(`${reason} of ${pod}`, told, WAIT_MS)
}

for (const { name: engine, runtime, isHere, why, diskBytes } of ENGINES)
  test(`the disk of ${engine} is full: what runs runs on, the rest waits and says why`, async (context) => {
    skipUnless(context, isHere, engine, why)
    disk = await smallDisk(diskBytes)
    skipUnless(context, disk !== undefined, 'mounts', SMALL_DISK_REASON)
    const engineDisk = disk?.directory ?? ''
    const ballast = join(engineDisk, 'ballast')
    registry = await startRegistry()
    const entries = [
      { name: 'busybox', body: readFileSync('/usr/bin/busybox') },
      { name: 'ballast', body: randomBytes(4 * MIB) },
    ]
    const image = registry.publish('large', '1', imageOf({ name: 'large', entries, config: {} }))
    const here = await FaultPlace.open({
      runtime,
      args: ['--eviction-hard', ''],
      engineDisk,
    })
    place = here
    await here.create(livingPod(here, 'steady'))
    await here.create(livingPod(here, 'deleted'))
    await here.onlyReady(['deleted', 'steady'])
    await fillDisk(ballast)

    // None at all: not even the end of a pod can be written down.
    await here.create(livingPod(here, 'new'))
    await here.delete('deleted')
    const { message } = await toldOf(here, 'new', 'FailedCreatePodSandBox')
    expect(message).toMatch(/^Failed to create pod sandbox: /)
    const waits = await here.podWhere(
      'new',
      ({ status }) => status?.containerStatuses !== undefined,
    )
    expect(waits.status?.containerStatuses?.[0]?.state.waiting?.reason).toBe('ContainerCreating')
    expect(await here.lives('new')).toEqual({ begun: 0, overlaps: 0 })
    expect(isReady(await here.podWhere('steady', () => true))).toBe(true)

    // A little room: enough for a sandbox, and not for a large image.
    await truncate(ballast, (await stat(ballast)).size - TIGHT_BYTES)
    const main = { image, command: ['/busybox', 'sleep', '100000'], volumeMounts: [] }
    await here.create(livingPod(here, 'pulled', { main }))
    const pulled = await here.podWhere('pulled', ({ status }) => {
      const reason = status?.containerStatuses?.[0]?.state.waiting?.reason ?? ''
      return reason === 'ErrImagePull' || reason === 'ImagePullBackOff'
    })
    expect(pulled.status?.phase).toBe('Pending')
    expect((await toldOf(here, 'pulled', 'Failed')).message).toMatch(
      /^Failed to pull image "127.0.0.1:\d+\/large:1": /,
    )

    await rm(ballast)
    const pods = await here.onlyReady(['new', 'pulled', 'steady'])
    for (const { status } of pods) expect(status?.containerStatuses?.[0]?.restartCount).toBe(0)
    for (const name of ['new', 'steady', 'deleted'])
      expect(await here.lives(name)).toEqual({ begun: 1, overlaps: 0 })
    for (const name of ['new', 'pulled']) await here.delete(name)
    await here.gone('steady')
  }, 400_000)
