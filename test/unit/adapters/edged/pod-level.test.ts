import { describe, expect, test } from 'vitest'
import { asAllocated, lacksOf } from '../../../../src/adapters/edged/admission/node-room.ts'
import { requestOf } from '../../../../src/adapters/edged/eviction/pod-resources.ts'
import { oomScoreAdjust } from '../../../../src/adapters/edged/oom-score.ts'
import type { PodContext } from '../../../../src/adapters/edged/pod-context.ts'
import {
  limitsIn,
  memoryBeyond,
  podLimits,
  wholeLimits,
} from '../../../../src/adapters/edged/pod-level.ts'
import type { ContainerView, PodView } from '../../../../src/adapters/edged/pod-view.ts'
import { qosClass } from '../../../../src/adapters/edged/qos.ts'
import { toldWhole, viewSize } from '../../../../src/adapters/edged/resize/resize-view.ts'
import { Resizer } from '../../../../src/adapters/edged/resize/resizer.ts'
import {
  takesFromWhole,
  wholeBelowUse,
  widest,
} from '../../../../src/adapters/edged/resize/whole-size.ts'
import type { JsonObject } from '../../../../src/adapters/kubernetes/objects/types.ts'
import { pod, run } from './pods.ts'

const MIB = 1024 * 1024
const SMALL = { requests: { cpu: '200m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } }
const LARGE = { requests: { cpu: '400m', memory: '64Mi' }, limits: { cpu: '1', memory: '256Mi' } }
const main = { name: 'main', image: 'x' }
const side = {
  name: 'side',
  image: 'x',
  resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { memory: '32Mi' } },
}

/** A pod of two containers that is said to have these resources as a whole. */
function whole(resources: JsonObject | undefined, status: JsonObject = {}): PodView {
  const containers = [main, side]
  return pod({ containers, ...(resources === undefined ? {} : { resources }) }, {}, status)
}

function named(of: PodView, name: string): ContainerView {
  const found = of.containers.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no container ${name}`)
  return found
}

describe('resources of a pod as a whole', () => {
  test('limit its cgroup, and a container that says nothing of its own', () => {
    const of = whole(SMALL)
    const limits = { memoryBytes: 128 * MIB, cpuMillis: 1_000, cpuRequestMillis: 200 }
    expect(podLimits(of, undefined)).toEqual(limits)
    expect(podLimits(of, 100)).toEqual({ ...limits, processes: 100 })
    expect(limitsIn(of, named(of, 'main'))).toEqual({
      ...{ memoryBytes: 128 * MIB, cpuMillis: 1_000, cpuRequestMillis: 1_000 },
    })
    expect(limitsIn(of, named(of, 'side'))).toEqual({
      ...{ memoryBytes: 32 * MIB, cpuMillis: 1_000, cpuRequestMillis: 50 },
    })
    expect(wholeLimits(of)).toEqual({ cpu: '1', memory: '128Mi' })
  })

  test('without any a pod only has the share of what its containers ask for', () => {
    const of = whole(undefined)
    expect(podLimits(of, undefined)).toEqual({ cpuRequestMillis: 50 })
    expect(podLimits(pod(), undefined)).toEqual({ cpuRequestMillis: 0 })
    expect(limitsIn(of, named(of, 'main'))).toEqual({})
    expect([memoryBeyond(of), wholeLimits(of)]).toEqual([0, {}])
  })

  test('decide its quality, its score and its room', () => {
    const even = { requests: SMALL.requests, limits: SMALL.requests }
    expect(qosClass(whole(even))).toBe('Guaranteed')
    expect(qosClass(whole(SMALL))).toBe('Burstable')
    expect(qosClass(whole({ requests: {}, limits: {} }))).toBe('Burstable')
    const of = whole(SMALL)
    // What is left of 64Mi beside the 16Mi of one container goes to both of them alike.
    expect(memoryBeyond(of)).toBe(24 * MIB)
    const capacity = 1_000 * MIB
    expect(oomScoreAdjust(of, named(of, 'main'), capacity)).toBe(1_000 - 24)
    expect(oomScoreAdjust(of, named(of, 'side'), capacity)).toBe(1_000 - 40)
    expect(requestOf(of, 'memory')).toBe(64 * MIB)
    const [lack] = lacksOf(of.object, [], { cpu: '100m' })
    expect(lack).toMatchObject({ resource: 'cpu', requested: 200, capacity: 100 })
  })
})

describe('another size of a pod as a whole', () => {
  const told = { resources: SMALL, allocatedResources: SMALL.requests }
  const room = { canResize: true, problem: (): undefined => undefined }
  const changed = whole(LARGE, told)
  const running = [run(changed, 'main'), run(changed, 'side')]

  test('is given to what runs once there is room', () => {
    const view = viewSize(changed, running, new Map(), room)
    expect(view).toMatchObject({ pending: undefined, isInProgress: true })
    expect(view.whole).toMatchObject({ wanted: LARGE, actual: SMALL, isChanged: true })
    expect(toldWhole(view)).toEqual({ resources: SMALL, allocatedResources: LARGE.requests })
    // The one has what its pod may have, the other a limit of its own.
    expect(takesFromWhole(named(changed, 'main'), view.whole)).toBe(true)
    expect(takesFromWhole(named(changed, 'side'), view.whole)).toBe(false)
    const done = viewSize(changed, running, new Map(), room, true, LARGE)
    expect(done.isInProgress).toBe(false)
    expect(toldWhole(done)).toEqual({ resources: LARGE, allocatedResources: LARGE.requests })
  })

  test('waits as long as there is none, and counts as what it has', () => {
    const full = { canResize: true, problem: () => 'no room' }
    const view = viewSize(changed, running, new Map(), full)
    expect(view.pending).toEqual({ reason: 'Deferred', message: 'no room' })
    expect(podLimits(view.pod, undefined).memoryBytes).toBe(128 * MIB)
    expect(toldWhole(view)).toEqual(told)
    const counted = asAllocated(changed.object)
    expect(lacksOf(counted, [], { cpu: '300m' })).toEqual([])
  })

  test('is no change where the status does not know it yet', () => {
    expect(viewSize(whole(LARGE), running, new Map(), room)).toMatchObject({ isInProgress: false })
    expect(toldWhole(viewSize(whole(undefined), running, new Map(), room))).toEqual({})
  })

  test('passes through the wider of both, and is refused below what is in use', () => {
    expect(widest({ memoryBytes: 1, cpuMillis: 4 }, { memoryBytes: 2, cpuMillis: 3 })).toEqual({
      ...{ memoryBytes: 2, cpuMillis: 4 },
    })
    expect(widest({ memoryBytes: 1 }, { cpuMillis: 3, processes: 9 })).toEqual({ processes: 9 })
    const less = viewSize(
      whole(SMALL, { resources: LARGE, allocatedResources: LARGE.requests }),
      running,
      new Map(),
      room,
    )
    const usage = (memoryBytes: number) => [
      { id: 'a', podUid: 'u-1', name: 'main', startedAtMs: 0, cpuNanos: 0, memoryBytes },
    ]
    expect(wholeBelowUse(less.pod, less.whole, usage(100 * MIB))).toBeUndefined()
    expect(wholeBelowUse(less.pod, less.whole, usage(200 * MIB))).toBe(
      'cannot decrease memory limits: attempting to set pod memory limit (134217728) below current usage (209715200)',
    )
  })

  test('that was asked for while the pod began is one, although its status says nothing yet', () => {
    const resizer = new Resizer({ runtime: { supports: { resize: true } } } as PodContext)
    resizer.begins(whole(SMALL))
    const view = resizer.view(whole(LARGE), [])
    expect(view.isInProgress).toBe(true)
    expect(toldWhole(view)).toMatchObject({ resources: SMALL })
  })
})
