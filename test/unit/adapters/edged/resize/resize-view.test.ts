import { describe, expect, test } from 'vitest'
import { specHash, toLabels } from '../../../../../src/adapters/edged/labels.ts'
import { allContainers, type PodView } from '../../../../../src/adapters/edged/pod-view.ts'
import {
  type ResizeView,
  type Room,
  toldSizes,
  viewSize,
} from '../../../../../src/adapters/edged/resize/resize-view.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import type { ContainerStatus } from '../../../../../src/adapters/runtime/index.ts'
import { pod, run } from '../pods.ts'

const SMALL = { requests: { cpu: '100m', memory: '32Mi' }, limits: { memory: '64Mi' } }
const LARGE = { requests: { cpu: '200m', memory: '32Mi' }, limits: { memory: '128Mi' } }
const RESTART = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }]
const ROOM: Room = { canResize: true, problem: () => undefined }
const FULL: Room = { canResize: true, problem: () => 'no room' }

/** A pod that wants LARGE, and whose status says what it had. */
function resized(
  resizePolicy: readonly JsonObject[] = [],
  told: JsonObject | undefined = {},
): PodView {
  const containers = [{ name: 'main', image: 'x', resources: LARGE, resizePolicy }]
  const status = {
    name: 'main',
    containerID: 'process://main-0',
    allocatedResources: SMALL.requests,
    resources: SMALL,
    state: { running: {} },
    ...told,
  }
  return pod({ containers }, {}, told === undefined ? {} : { containerStatuses: [status] })
}

function view(of: PodView, runs: readonly ContainerStatus[], room = ROOM): ResizeView {
  return viewSize(of, runs, new Map(), room)
}

function resourcesOf({ pod: of }: ResizeView): unknown {
  return of.containers[0]?.json['resources']
}

describe('a pod that is to have another size', () => {
  test('has it once there is room, and what runs is changed', () => {
    const found = view(resized(), [run(resized(), 'main')])
    expect(resourcesOf(found)).toEqual(LARGE)
    expect(found).toMatchObject({ pending: undefined, isInProgress: true, restarts: new Set() })
    expect(toldSizes(found).get('main')).toEqual({
      resources: SMALL,
      allocatedResources: LARGE.requests,
    })
  })

  test('is told that it never fits', () => {
    const small = { ...FULL, excess: () => 'too little of a node' }
    const found = view(resized(), [run(resized(), 'main')], small)
    expect(resourcesOf(found)).toEqual(SMALL)
    expect(found.pending).toEqual({ reason: 'Infeasible', message: 'too little of a node' })
  })

  test('keeps what it has as long as there is none', () => {
    const found = view(resized(), [run(resized(), 'main')], FULL)
    expect(resourcesOf(found)).toEqual(SMALL)
    expect(found.pending).toEqual({ reason: 'Deferred', message: 'no room' })
    expect(toldSizes(found).get('main')).toEqual({
      resources: SMALL,
      allocatedResources: SMALL.requests,
    })
  })

  test('cannot have it where nothing that runs can be changed', () => {
    const found = view(resized(), [run(resized(), 'main')], { ...ROOM, canResize: false })
    expect(found.pending).toEqual({
      reason: 'Infeasible',
      message: 'In-place pod resize is not supported on this node',
    })
  })

  test('needs no room where room has been made before', () => {
    const made = resized([], { allocatedResources: LARGE.requests })
    expect(view(made, [run(made, 'main')], FULL).isInProgress).toBe(true)
  })

  test('is started anew where its policy says so, and only for that resource', () => {
    const of = resized(RESTART)
    expect(view(of, [run(of, 'main')]).restarts).toEqual(new Set(['main-0']))
    const cpu = resized([{ resourceName: 'cpu', restartPolicy: 'NotRequired' }])
    expect(view(cpu, [run(cpu, 'main')]).restarts.size).toBe(0)
  })

  test('has been stopped for it: the run that was told to run counts, one told to have ended does not', () => {
    const of = resized(RESTART)
    const over = run(of, 'main', { state: 'exited', exitCode: 0 })
    expect(view(of, [over]).restarts).toEqual(new Set(['main-0']))
    const ended = resized(RESTART, { state: { terminated: { exitCode: 0 } } })
    expect(view(ended, [over]).restarts.size).toBe(0)
  })

  test('has it when it was started with it, whatever its status says of the run before', () => {
    const of = resized()
    const [container] = allContainers(of)
    if (container === undefined) throw new Error('no container')
    const labels = toLabels({
      ...{ hash: specHash(container), backoffMs: 0, graceMs: 0 },
      resources: LARGE,
    })
    const found = view(of, [run(of, 'main', { attempt: 1, labels })], FULL)
    expect(found).toMatchObject({ isInProgress: false })
  })

  test('has it once the runtime has taken it', () => {
    const actuated = new Map([['main-0', LARGE]])
    const found = viewSize(resized(), [run(resized(), 'main')], actuated, ROOM)
    expect(found.isInProgress).toBe(false)
    expect(toldSizes(found).get('main')?.resources).toEqual(LARGE)
  })
})

test('the same amount in other words is the same size', () => {
  const told = {
    allocatedResources: { cpu: '0.2', memory: '32768Ki' },
    resources: { requests: { cpu: '0.2', memory: '32768Ki' }, limits: { memory: '134217728' } },
  }
  const of = resized([], told)
  expect(view(of, [run(of, 'main')], FULL)).toMatchObject({
    pending: undefined,
    isInProgress: false,
  })
})

test('a pod that ends is not resized', () => {
  const of = resized()
  const gone = { ...of, isDeleted: true }
  expect(view(gone, [run(of, 'main')], FULL)).toMatchObject({
    pending: undefined,
    isInProgress: false,
  })
})
