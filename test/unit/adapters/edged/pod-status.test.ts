import { describe, expect, test } from 'vitest'
import { goDuration } from '../../../../src/adapters/edged/go-duration.ts'
import { asObjects, sameJson } from '../../../../src/adapters/edged/json.ts'
import { type PodFacts, podStatus } from '../../../../src/adapters/edged/pod-status.ts'
import { viewPod } from '../../../../src/adapters/edged/pod-view.ts'
import { PLAIN_HEALTH, type RunHealth } from '../../../../src/adapters/edged/probes/probe-state.ts'
import { ended, pod, run } from './pods.ts'

const always = pod()
const FACTS: PodFacts = {
  pod: always,
  runtimeName: 'process',
  observed: [],
  backoffs: new Map(),
  waiting: new Map(),
  initDone: true,
  isEnded: false,
  hasSandbox: true,
  health: new Map(),
  hostIPs: ['10.0.0.1'],
  podIPs: ['10.0.0.1'],
  nowMs: Date.parse('2026-01-01T00:00:10Z'),
}

function conditions(facts: Partial<PodFacts>): string {
  return asObjects(podStatus({ ...FACTS, ...facts })['conditions'])
    .map(({ type, status, reason }) => `${String(type)}=${String(status)}:${String(reason ?? '')}`)
    .join(' ')
}

test('a running pod, field by field', () => {
  expect(podStatus({ ...FACTS, observed: [run(always, 'main', { attempt: 2 })] })).toEqual({
    conditions: [
      'PodReadyToStartContainers',
      'Initialized',
      'Ready',
      'ContainersReady',
      'PodScheduled',
    ].map((type) => ({
      type,
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: '2026-01-01T00:00:10Z',
    })),
    containerStatuses: [
      {
        containerID: 'process://main-2',
        image: 'local/main',
        imageID: '',
        lastState: {},
        name: 'main',
        ready: true,
        resources: {},
        restartCount: 2,
        started: true,
        state: { running: { startedAt: '1970-01-01T00:00:01Z' } },
      },
    ],
    hostIP: '10.0.0.1',
    hostIPs: [{ ip: '10.0.0.1' }],
    phase: 'Running',
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }],
    qosClass: 'BestEffort',
    startTime: '2026-01-01T00:00:10Z',
  })
})

test('the same facts give the same status later, times of transition included', () => {
  const facts = { ...FACTS, observed: [run(always, 'main')] }
  const first = podStatus(facts)
  const seen = viewPod({ ...always.object, status: first })
  const second = podStatus({ ...facts, pod: seen, nowMs: FACTS.nowMs + 60_000 })
  expect(sameJson(first, second)).toBe(true)
})

const never = pod({ restartPolicy: 'Never' })
const served = pod({
  restartPolicy: 'Never',
  initContainers: [{ name: 'side', restartPolicy: 'Always' }],
})
const two = pod({ containers: [{ name: 'main' }, { name: 'other' }] })

describe('the phase', () => {
  test.each<[string, Partial<PodFacts>, string]>([
    ['nothing has run', {}, 'Pending'],
    ['one of two has run', { pod: two, observed: [run(two, 'main')] }, 'Pending'],
    ['both run', { pod: two, observed: [run(two, 'main'), run(two, 'other')] }, 'Running'],
    ['ended, to be restarted', { observed: [ended(always, 'main', 1)] }, 'Running'],
    ['ended well', { pod: never, observed: [ended(never, 'main', 0)], isEnded: true }, 'Succeeded'],
    ['ended badly', { pod: never, observed: [ended(never, 'main', 1)], isEnded: true }, 'Failed'],
    ['ended before it ran', { isEnded: true }, 'Failed'],
    [
      'a sidecar still runs',
      { pod: served, observed: [run(served, 'side'), ended(served, 'main', 0)] },
      'Running',
    ],
    [
      'a sidecar ended badly',
      {
        pod: served,
        observed: [ended(served, 'side', 137), ended(served, 'main', 0)],
        isEnded: true,
      },
      'Succeeded',
    ],
    [
      'a sidecar runs again',
      { pod: served, observed: [ended(served, 'side', 1), run(served, 'main')] },
      'Running',
    ],
  ])('%s', (_name, facts, phase) => {
    expect(podStatus({ ...FACTS, ...facts })['phase']).toBe(phase)
  })
})

describe('the conditions', () => {
  test.each<[string, Partial<PodFacts>, string]>([
    [
      'waiting',
      { hasSandbox: false },
      'PodReadyToStartContainers=False: Initialized=True: Ready=False:ContainersNotReady ' +
        'ContainersReady=False:ContainersNotReady PodScheduled=True:',
    ],
    [
      'succeeded',
      { pod: never, observed: [ended(never, 'main', 0)], isEnded: true },
      'PodReadyToStartContainers=False: Initialized=True:PodCompleted Ready=False:PodCompleted ' +
        'ContainersReady=False:PodCompleted PodScheduled=True:',
    ],
    [
      'failed',
      { pod: never, observed: [ended(never, 'main', 1)], isEnded: true },
      'PodReadyToStartContainers=False: Initialized=True: Ready=False:PodFailed ' +
        'ContainersReady=False:PodFailed PodScheduled=True:',
    ],
  ])('%s', (_name, facts, expected) => {
    expect(conditions(facts)).toBe(expected)
  })

  test('init containers that are not done are named', () => {
    const containers = [{ name: 'a' }, { name: 'b' }]
    const slow = pod({ initContainers: containers })
    const status = podStatus({
      ...FACTS,
      pod: slow,
      observed: [ended(slow, 'a', 0), run(slow, 'b')],
      initDone: false,
    })
    expect(asObjects(status['conditions'])[1]).toMatchObject({
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [b]',
    })
    expect(asObjects(status['containerStatuses'])[0]?.['state']).toEqual({
      waiting: { reason: 'PodInitializing' },
    })
  })

  test('a readiness gate that nobody has set keeps a pod from being ready', () => {
    const gated = pod({ readinessGates: [{ conditionType: 'example.com/gate' }] })
    const facts = { pod: gated, observed: [run(gated, 'main')] }
    expect(conditions(facts)).toContain('Ready=False:ReadinessGatesNotReady ContainersReady=True:')
    const open = { type: 'example.com/gate', status: 'True' }
    const set = viewPod({ ...gated.object, status: { conditions: [open] } })
    expect(conditions({ ...facts, pod: set })).toContain(' Ready=True: ')
  })
})

test('a container that was added to a pod counts for nothing', () => {
  const looked = pod({ ephemeralContainers: [{ name: 'look', image: 'local/look' }] })
  const observed = [run(looked, 'main'), ended(looked, 'look', 2)]
  const status = podStatus({ ...FACTS, pod: looked, observed })
  expect(status['phase']).toBe('Running')
  const [look] = asObjects(status['ephemeralContainerStatuses'])
  expect(look).toMatchObject({ name: 'look', ready: false, restartCount: 0 })
  expect(look).not.toHaveProperty('started')
  expect(conditions({ pod: looked, observed })).toContain('ContainersReady=True')
  // The runtime has forgotten it: it is not started again.
  const seen = viewPod({ ...looked.object, status })
  const later = podStatus({ ...FACTS, pod: seen, observed: [run(looked, 'main')] })
  expect(asObjects(later['ephemeralContainerStatuses'])[0]).toEqual(look)
})

test('a container that keeps ending waits with what ended it as its last state', () => {
  const observed = [ended(always, 'main', 3, { attempt: 1 })]
  const backoffs = new Map([['main', { untilMs: 0, delayMs: 20_000 }]])
  expect(
    asObjects(podStatus({ ...FACTS, observed, backoffs })['containerStatuses'])[0],
  ).toMatchObject({
    lastState: {
      terminated: {
        containerID: 'process://main-1',
        exitCode: 3,
        reason: 'Error',
        startedAt: '1970-01-01T00:00:01Z',
        finishedAt: '1970-01-01T00:00:02Z',
      },
    },
    ready: false,
    restartCount: 1,
    started: false,
    state: {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: 'back-off 20s restarting failed container=main pod=web_shop(u-1)',
      },
    },
  })
})

test.each([
  [10_000, '10s'],
  [400, '400ms'],
  [160_000, '2m40s'],
  [300_000, '5m0s'],
  [3_660_000, '1h1m0s'],
])('%i ms is %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text)
})

test('a container is started and ready as its probes say', () => {
  const observed = [run(always, 'main')]
  const main = (over: Partial<RunHealth>) => {
    const health = new Map([['main-0', { ...PLAIN_HEALTH, ...over }]])
    const status = podStatus({ ...FACTS, observed, health })
    const { ready, started, state } = asObjects(status['containerStatuses'])[0] ?? {}
    return { ready, started, state: Object.keys(state ?? {}), phase: status['phase'] }
  }
  const running = { state: ['running'], phase: 'Running' }
  expect(main({})).toEqual({ ...running, ready: true, started: true })
  expect(main({ isReady: false })).toEqual({ ...running, ready: false, started: true })
  const off = { isReady: false, isStarted: false }
  expect(main(off)).toEqual({ ...running, ready: false, started: false })
  expect(main({ ...off, isStarting: true })).toEqual({
    ready: false,
    started: false,
    state: ['waiting'],
    phase: 'Pending',
  })
})
