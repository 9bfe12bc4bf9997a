import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EvictionOptions } from 'tideway/adapters/edged'
import type { JsonObject, KubeObject } from 'tideway/adapters/kubernetes/objects'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { skipUnless } from '../support/skip.ts'
import { SMALL_DISK_REASON, type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

const MI = 2 ** 20
const WAIT_MS = 60_000
const DISK_BYTES = 48 * MI
/** Fast enough for a test; nothing waits for these times. */
const QUICK: EvictionOptions = { periodMs: 200, diskPeriodMs: 200, transitionMs: 0 }

let place: EdgedPlace | undefined
let disk: SmallDisk | undefined

afterEach(async () => {
  await place?.dispose()
  await disk?.close()
  place = undefined
  disk = undefined
})

/** A pod that writes to its volume and stays. */
function writer(name: string, megabytes: number, spec: object = {}, main: object = {}): KubeObject {
  const write = `dd if=/dev/zero of=$TIDEWAY_MOUNT_DATA/file bs=1M count=${megabytes}`
  const volumes = [{ name: 'data', emptyDir: {} }]
  const volumeMounts = [{ name: 'data', mountPath: '/tideway-eviction' }]
  const script = `${write} 2>/dev/null && echo written; exec sleep 1000`
  return shellPod(name, script, { volumes, ...spec }, { volumeMounts, ...main })
}

async function isWritten(where: EdgedPlace, name: string): Promise<void> {
  await where.podWhere(name, (each) => mainOf(each)?.state.running !== undefined, WAIT_MS)
  await expect.poll(() => where.log(name), { timeout: WAIT_MS }).toBe('written\n')
}

function conditionOf(where: EdgedPlace, type: string): JsonObject | undefined {
  const node = where.store.get({ resource: 'nodes', name: 'edge-1' })
  const { conditions } = (node?.['status'] ?? {}) as { readonly conditions?: readonly JsonObject[] }
  return conditions?.find((condition) => condition['type'] === type)
}

async function conditionIs(where: EdgedPlace, type: string, status: string): Promise<void> {
  await eventually(() => conditionOf(where, type)?.['status'] === status, WAIT_MS)
}

function reasonsOf(where: EdgedPlace, name: string): readonly string[] {
  return where.store
    .list('events')
    .items.filter((event) => (event['involvedObject'] as JsonObject)['name'] === name)
    .map((event) => String(event['reason']))
}

async function isEvicted(where: EdgedPlace, name: string): Promise<JsonObject> {
  await where.podWhere(name, (each) => each.phase === 'Failed', WAIT_MS)
  return where.pod(name)?.['status'] as JsonObject
}

test('a pod that fills the disk goes, the others stay, and the node recovers', async (context) => {
  disk = await smallDisk(DISK_BYTES)
  skipUnless(context, disk !== undefined, 'mounts', SMALL_DISK_REASON)
  const directory = disk?.directory ?? ''
  const hard = { 'nodefs.available': '30%' }
  place = await openPlace({ directory, eviction: { ...QUICK, hard } })
  const requests = { 'ephemeral-storage': '8Mi' }
  await place.create(writer('critical', 6, { priority: 2_000_000_000 }))
  await place.create(writer('modest', 4, {}, { resources: { requests } }))
  await isWritten(place, 'critical')
  await isWritten(place, 'modest')
  expect(conditionOf(place, 'DiskPressure')).toMatchObject({
    status: 'False',
    reason: 'KubeletHasNoDiskPressure',
  })
  const seen: JsonObject[] = []
  const cancel = place.store.watch('nodes', {}, () => {
    const now = place === undefined ? undefined : conditionOf(place, 'DiskPressure')
    if (now !== undefined) seen.push(now)
  })
  await place.create(writer('hog', 27, { restartPolicy: 'Always' }))
  const status = await isEvicted(place, 'hog')
  const words =
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: \d+\w*, available: \d+\w*\. /
  expect(status['reason']).toBe('Evicted')
  expect(status['message']).toMatch(words)
  const disrupted = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' }
  const { conditions } = status as unknown as { readonly conditions: readonly object[] }
  expect(conditions).toContainEqual(expect.objectContaining(disrupted))
  await conditionIs(place, 'DiskPressure', 'False')
  cancel()
  expect(seen).toContainEqual(
    expect.objectContaining({ status: 'True', reason: 'KubeletHasDiskPressure' }),
  )
  for (const name of ['critical', 'modest']) {
    expect((await place.podWhere(name, () => true)).phase).toBe('Running')
  }
  await eventually(() => reasonsOf(place as EdgedPlace, 'hog').includes('Evicted'), WAIT_MS)
  for (const reason of ['EvictionThresholdMet', 'NodeHasDiskPressure', 'NodeHasNoDiskPressure'])
    await eventually(() => reasonsOf(place as EdgedPlace, 'edge-1').includes(reason), WAIT_MS)
  // What it is said to have ended as stays, also for the next agent.
  await place.down()
  await place.up()
  expect(place.pod('hog')?.['status']).toEqual(status)
})

test('while the disk is full no pod begins but critical ones, and all others go in order', async (context) => {
  disk = await smallDisk(DISK_BYTES)
  skipUnless(context, disk !== undefined, 'mounts', SMALL_DISK_REASON)
  const directory = disk?.directory ?? ''
  const hard = { 'nodefs.available': '50%' }
  place = await openPlace({ directory, eviction: { ...QUICK, hard } })
  const where = place
  const requests = { 'ephemeral-storage': '8Mi' }
  const names = ['important', 'plain', 'greedy', 'modest']
  await where.create(writer('critical', 1, { priority: 2_000_000_000 }))
  await where.create(writer('important', 4, { priority: 100 }))
  await where.create(writer('plain', 1))
  await where.create(writer('greedy', 3))
  await where.create(writer('modest', 2, { priority: -5 }, { resources: { requests } }))
  for (const name of ['critical', ...names]) await isWritten(where, name)
  const ended: string[] = []
  const cancel = where.store.watch('pods', {}, ({ object }) => {
    const { name } = object.metadata
    const { reason } = object['status'] as JsonObject
    if (reason === 'Evicted' && !ended.includes(name)) ended.push(name)
  })
  await writeFile(join(directory, 'ballast'), Buffer.alloc(DISK_BYTES * 0.75, 1))
  for (const name of names) await isEvicted(where, name)
  cancel()
  expect(ended).toEqual(['greedy', 'plain', 'important', 'modest'])
  expect((await where.podWhere('critical', () => true)).phase).toBe('Running')

  await where.create(writer('late', 1))
  const refused = await isEvicted(where, 'late')
  expect(refused).toMatchObject({
    reason: 'Evicted',
    message: 'Pod was rejected: The node had condition: [DiskPressure]. ',
  })
  expect(refused['containerStatuses']).toBeUndefined()
  await where.create(writer('vital', 1, { priority: 2_000_001_000 }))
  await isWritten(where, 'vital')
  await rm(join(directory, 'ballast'))
  await conditionIs(where, 'DiskPressure', 'False')
  await where.create(writer('later', 1))
  await isWritten(where, 'later')
  await where.store.delete({ resource: 'pods', namespace: 'default', name: 'late' })
  await eventually(() => where.pod('late') === undefined, WAIT_MS)
})

test('pods that pass their own limits of storage go, whatever the disk has left', async () => {
  place = await openPlace({ eviction: { ...QUICK, hard: {} } })
  const where = place
  const limited = { volumes: [{ name: 'data', emptyDir: { sizeLimit: '2Mi' } }] }
  const resources = { limits: { 'ephemeral-storage': '1Mi' } }
  const log = 'dd if=/dev/zero bs=1k count=2000 2>/dev/null | tr "\\000" x | fold; exec sleep 1000'
  await where.create(writer('within', 1, limited))
  await where.create(writer('volume', 3, limited))
  await where.create(shellPod('logs', log, {}, { resources }))
  expect(await isEvicted(where, 'volume')).toMatchObject({
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "data" exceeds the limit "2Mi". ',
  })
  expect(await isEvicted(where, 'logs')).toMatchObject({
    reason: 'Evicted',
    message: 'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ',
  })
  const { conditions } = (where.pod('volume')?.['status'] ?? {}) as { conditions: JsonObject[] }
  expect(conditions.map(({ type }) => type)).not.toContain('DisruptionTarget')
  expect((await where.podWhere('within', () => true)).phase).toBe('Running')
})

test('short of memory, those go that use more than they asked for, one at a time', async () => {
  const options = { eviction: { ...QUICK, hard: {} } as EvictionOptions }
  place = await openPlace(options)
  const where = place
  const requests = { memory: '512Mi' }
  const idle = 'echo written; exec sleep 1000'
  await where.create(shellPod('modest', idle, {}, { resources: { requests } }))
  // It takes longer to end than it would get for a hard threshold.
  const slow = 'trap "sleep 2; echo bye; exit 0" TERM; echo written; while :; do sleep 0.1; done'
  await where.create(shellPod('plain', slow, { terminationGracePeriodSeconds: 100 }))
  await where.create(shellPod('critical', idle, { priority: 2_000_000_000 }))
  for (const name of ['modest', 'plain', 'critical']) await isWritten(where, name)
  await where.down()
  // More than any machine has: it is always too little.
  const soft = { 'memory.available': '1Ei' }
  const grace = { softGraceMs: { 'memory.available': 300 }, podGraceMsMax: 60_000 }
  options.eviction = { ...QUICK, hard: {}, soft, ...grace }
  await where.up()
  expect(conditionOf(where, 'MemoryPressure')).toMatchObject({
    status: 'True',
    reason: 'KubeletHasInsufficientMemory',
  })
  const plain = await isEvicted(where, 'plain')
  expect(plain).toMatchObject({ reason: 'Evicted' })
  expect(plain['message']).toMatch(
    /^The node was low on resource: memory\. Threshold quantity: 1Ei, available: \d+\w*\. Container main was using \d+\w*, request is 0, has larger consumption of memory\. $/,
  )
  expect(await where.log('plain')).toContain('bye\n')
  const modest = await isEvicted(where, 'modest')
  expect(modest['message']).not.toContain('has larger consumption')
  const finishedMs = (status: JsonObject): number => {
    const [main] = status['containerStatuses'] as unknown as [
      { state: { terminated: { finishedAt: string } } },
    ]
    return Date.parse(main.state.terminated.finishedAt)
  }
  expect(finishedMs(plain)).toBeLessThanOrEqual(finishedMs(modest))
  expect((await where.podWhere('critical', () => true)).phase).toBe('Running')
  await where.create(shellPod('late', idle))
  expect(await isEvicted(where, 'late')).toMatchObject({
    message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
  })
})
