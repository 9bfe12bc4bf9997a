import { describe, expect, test } from 'vitest'
import { refusalOf } from '../../../../../src/adapters/edged/eviction/admission.ts'
import {
  isCritical,
  requestOf,
  storageLimitOf,
} from '../../../../../src/adapters/edged/eviction/pod-resources.ts'
import {
  candidateOf,
  diskPartsOf,
  overuseOf,
  type PodUse,
} from '../../../../../src/adapters/edged/eviction/pod-use.ts'
import {
  type PodDisk,
  storageExcess,
} from '../../../../../src/adapters/edged/eviction/storage-limits.ts'
import { thresholdsOf } from '../../../../../src/adapters/edged/eviction/thresholds.ts'
import { inEvictionOrder } from '../../../../../src/adapters/edged/eviction/victims.ts'
import {
  byteText,
  evictionMessage,
  volumeMessage,
} from '../../../../../src/adapters/edged/eviction/words.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

const MI = 2 ** 20

function container(name: string, requests: JsonObject, limits: JsonObject = {}): JsonObject {
  return { name, image: 'x', resources: { requests, limits } }
}

function usage(name: string, memoryBytes: number, processes = 1) {
  return { id: name, podUid: 'u-1', name, startedAtMs: 0, cpuNanos: 0, memoryBytes, processes }
}

const files = (bytes: Readonly<Record<string, number>>): PodDisk['logs'] =>
  new Map(Object.entries(bytes).map(([name, each]) => [name, { bytes: each, inodes: 1 }]))
const NO_DISK: PodDisk = { volumes: new Map(), logs: new Map(), roots: new Map() }

describe('who goes first', () => {
  const order = (...all: readonly [string, number, number | undefined, number | undefined][]) =>
    inEvictionOrder(
      all.map(([uid, priority, used, requested]) => ({ uid, priority, used, requested })),
    ).map(({ uid }) => uid)

  test('use above the request, then priority, then how much it is above', () => {
    expect(
      order(
        ['within, little', 0, 10, 100],
        ['within, low priority', -5, 10, 100],
        ['over, important', 100, 500, 100],
        ['over, a little', 0, 110, 100],
        ['over, much', 0, 900, 100],
        ['not begun', 1000, undefined, 100],
        ['within, nearly all', 0, 100, 100],
      ),
    ).toEqual([
      'not begun',
      'over, much',
      'over, a little',
      'over, important',
      'within, low priority',
      'within, nearly all',
      'within, little',
    ])
  })

  test('of what cannot be asked for, priority and use alone decide', () => {
    expect(
      order(['many', 1, 900, undefined], ['few', 0, 3, undefined], ['some', 0, 30, undefined]),
    ).toEqual(['some', 'few', 'many'])
  })

  test('what counts of a disk depends on where images are', () => {
    expect(diskPartsOf('nodefs.available', false)).toEqual(['roots', 'logs', 'volumes'])
    expect(diskPartsOf('imagefs.inodesFree', false)).toEqual(['roots', 'logs', 'volumes'])
    expect(diskPartsOf('nodefs.available', true)).toEqual(['logs', 'volumes'])
    expect(diskPartsOf('imagefs.available', true)).toEqual(['roots'])
    const disk = { volumes: files({ v: 5 }), logs: files({ a: 7 }), roots: files({ a: 11 }) }
    const use: PodUse = { containers: [usage('a', 13, 3)], disk }
    const of = pod({ containers: [container('a', { 'ephemeral-storage': '4' })], priority: 9 })
    const parts = diskPartsOf('nodefs.available', true)
    const found = candidateOf(of, use, 'ephemeral-storage', parts)
    expect(found).toMatchObject({ used: 12, requested: 4, priority: 9 })
    expect(candidateOf(of, use, 'inodes', parts)).toMatchObject({ used: 2, requested: 0 })
    expect(candidateOf(of, use, 'memory', parts)).toMatchObject({ used: 13, requested: 0 })
    expect(candidateOf(of, use, 'pids', parts)).toMatchObject({ used: 3, requested: undefined })
    const unknown: PodUse = { containers: undefined, disk: NO_DISK }
    expect(candidateOf(of, unknown, 'memory', parts).used).toBeUndefined()
  })

  test('a pod asks for its containers together, or for its greatest step of starting', () => {
    const sidecar = { ...container('s', { memory: '3' }), restartPolicy: 'Always' }
    const spec = {
      initContainers: [container('i', { memory: '9' }), sidecar, container('j', { memory: '4' })],
      containers: [container('a', { memory: '1' }), container('b', {}, { memory: '2' })],
    }
    expect(requestOf(pod(spec), 'memory')).toBe(9)
    expect(requestOf(pod({ ...spec, overhead: { memory: '5' } }), 'memory')).toBe(14)
    expect(requestOf(pod({ ...spec, initContainers: [sidecar] }), 'memory')).toBe(6)
  })
})

describe('who stays', () => {
  test('critical pods, and those that are not from the API', () => {
    const annotated = (annotations: JsonObject) => pod({}, { annotations })
    expect(isCritical(pod({ priority: 1_999_999_999 }))).toBe(false)
    expect(isCritical(pod({ priority: 2_000_000_000 }))).toBe(true)
    expect(isCritical(annotated({ 'kubernetes.io/config.source': 'file' }))).toBe(true)
    expect(isCritical(annotated({ 'kubernetes.io/config.source': 'api' }))).toBe(false)
    expect(isCritical(annotated({ 'kubernetes.io/config.mirror': 'x' }))).toBe(true)
  })

  test('under memory pressure only those are refused that ask for nothing', () => {
    const plain = pod()
    const burstable = pod({ containers: [container('a', { memory: '1Mi' })] })
    const key = 'node.kubernetes.io/memory-pressure'
    const tolerant = pod({ tolerations: [{ key, operator: 'Exists', effect: 'NoSchedule' }] })
    expect(refusalOf(plain, [])).toBeUndefined()
    expect(refusalOf(plain, ['MemoryPressure'])).toBe('The node had condition: [MemoryPressure]. ')
    expect(refusalOf(burstable, ['MemoryPressure'])).toBeUndefined()
    expect(refusalOf(tolerant, ['MemoryPressure'])).toBeUndefined()
    expect(refusalOf(pod({ tolerations: [{ operator: 'Exists' }] }), ['MemoryPressure'])).toBe(
      undefined,
    )
    for (const each of [plain, burstable, tolerant]) {
      expect(refusalOf(each, ['MemoryPressure', 'DiskPressure'])).toBe(
        'The node had condition: [MemoryPressure DiskPressure]. ',
      )
      expect(refusalOf(each, ['PIDPressure'])).toBe('The node had condition: [PIDPressure]. ')
    }
    expect(refusalOf(pod({ priority: 2_000_001_000 }), ['DiskPressure'])).toBeUndefined()
  })
})

describe('limits of storage', () => {
  const limited = (limits: JsonObject, extra: JsonObject = {}) =>
    pod({ containers: [container('a', {}, limits), container('b', {})], ...extra })

  test('a volume, all together, and one container', () => {
    const volumes = [{ name: 'cache', emptyDir: { sizeLimit: '1Mi' } }]
    const full = { ...NO_DISK, volumes: files({ cache: MI + 1 }) }
    expect(storageExcess(limited({}, { volumes }), full, false)).toBe(
      'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
    )
    const level = { ...NO_DISK, volumes: files({ cache: MI }) }
    expect(storageExcess(limited({}, { volumes }), level, false)).toBeUndefined()
    const inMemory = [{ name: 'cache', emptyDir: { sizeLimit: '1Mi', medium: 'Memory' } }]
    expect(storageExcess(limited({}, { volumes: inMemory }), full, false)).toBeUndefined()

    const limits = { 'ephemeral-storage': '1Mi' }
    const spread = { volumes: files({ v: MI / 2 }), logs: files({ b: MI }), roots: new Map() }
    expect(storageExcess(limited(limits), spread, false)).toBe(
      'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ',
    )
    const both = pod({ containers: [container('a', {}, limits), container('b', {}, limits)] })
    const own = { ...NO_DISK, logs: files({ a: MI }), roots: files({ a: 1 }) }
    expect(storageExcess(both, own, false)).toBe(
      'Container a exceeded its local ephemeral storage limit "1Mi". ',
    )
    expect(storageExcess(both, own, true)).toBeUndefined()
    expect(storageExcess(pod(), own, false)).toBeUndefined()
  })

  test('an init container may have more than all others together', () => {
    const init = [container('i', {}, { 'ephemeral-storage': '9Mi' })]
    expect(storageLimitOf(limited({ 'ephemeral-storage': '1Mi' }, { initContainers: init }))).toBe(
      '9Mi',
    )
    expect(storageLimitOf(limited({}))).toBeUndefined()
  })
})

test('messages are those of kubelet', () => {
  expect([0, 1000, 1023, 1024, 1025, 3 * MI, 1000 * MI].map(byteText)).toEqual([
    ...['0', '1k', '1023', '1Ki', '1025', '3Mi', '1000Mi'],
  ])
  const spec = { containers: [container('a', { memory: '4Mi' }), container('b', {})] }
  const use = { containers: [usage('a', 8 * MI), usage('b', 4096)], disk: NO_DISK }
  const overuse = overuseOf(pod(spec), use, 'memory')
  const [threshold] = thresholdsOf({})
  if (threshold === undefined) throw new Error('there is none')
  expect(evictionMessage('memory', threshold, { available: 95 * MI, capacity: 9e9 }, overuse)).toBe(
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 95Mi. Container a was using 8Mi, request is 4Mi, has larger consumption of memory. Container b was using 4Ki, request is 0, has larger consumption of memory. ',
  )
  const [part] = thresholdsOf({ hard: { 'nodefs.inodesFree': '50%' } })
  if (part === undefined) throw new Error('there is none')
  expect(evictionMessage('inodes', part, { available: 1000, capacity: 4096 }, [])).toBe(
    'The node was low on resource: inodes. Threshold quantity: 2Ki, available: 1k. ',
  )
  expect(overuseOf(pod(spec), use, 'pids')).toEqual([])
  expect(volumeMessage('a', '1Mi')).toMatch(/\. $/)
})
