import { describe, expect, test } from 'vitest'
import { RESTART_BACKOFF } from '../../../../src/adapters/edged/backoff.ts'
import { type PlanInput, type PodPlan, planPod } from '../../../../src/adapters/edged/pod-plan.ts'
import type { PodView } from '../../../../src/adapters/edged/pod-view.ts'
import { PLAIN_HEALTH, type RunHealth } from '../../../../src/adapters/edged/probes/probe-state.ts'
import type { ContainerStatus, SandboxStatus } from '../../../../src/adapters/runtime/index.ts'
import { ended, pod, run } from './pods.ts'

const NOW = 3_000

function plan(
  of: PodView,
  observed: readonly ContainerStatus[],
  nowMs = NOW,
  health: PlanInput['health'] = new Map(),
  sandboxes: PlanInput['sandboxes'] = [],
): PodPlan {
  return planPod({ pod: of, observed, sandboxes, backoff: RESTART_BACKOFF, nowMs, health })
}

/** A plan in a few words. */
function words(of: PodView, observed: readonly ContainerStatus[], nowMs = NOW): string {
  const { starts, stops, removes, backoffs, isEnded } = plan(of, observed, nowMs)
  return [
    ...stops.map((stop) => `stop ${stop.container.id} ${stop.why}`),
    ...starts.map((start) => `start ${start.container.name} ${start.attempt}`),
    ...removes.map((old) => `remove ${old.id}`),
    ...[...backoffs].map(([name, wait]) => `wait ${name} ${wait.untilMs}`),
    ...(isEnded ? ['ended'] : []),
  ].join(', ')
}

const always = pod()
const onFailure = pod({ restartPolicy: 'OnFailure' })
const never = pod({ restartPolicy: 'Never' })
const deleted = pod({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })
const init = (name: string) => ({ name, image: 'x', command: ['run'] })
const withInit = pod({ initContainers: [init('one'), init('two')] })
const withInitNever = pod({ initContainers: [init('one'), init('two')], restartPolicy: 'Never' })
const looked = pod({ initContainers: [init('one')], ephemeralContainers: [init('look')] })
const lookedNever = pod({ restartPolicy: 'Never', ephemeralContainers: [init('look')] })
const sidecar = { ...init('side'), restartPolicy: 'Always' }
const withSidecar = pod({ initContainers: [sidecar], restartPolicy: 'Never' })

describe('what to do next', () => {
  test.each<[string, PodView, readonly ContainerStatus[], string]>([
    ['a new pod', always, [], 'start main 0'],
    ['a running one', always, [run(always, 'main')], ''],
    [
      'one of which nobody knows',
      never,
      [run(never, 'main', { state: 'unknown' })],
      'stop main-0 unknown',
    ],
    ['made but not started', always, [run(always, 'main', { state: 'created' })], 'start main 0'],
    ['the first end, policy Always', always, [ended(always, 'main', 0)], 'start main 1'],
    ['success, policy OnFailure', onFailure, [ended(onFailure, 'main', 0)], 'ended'],
    ['failure, policy OnFailure', onFailure, [ended(onFailure, 'main', 1)], 'start main 1'],
    ['failure, policy Never', never, [ended(never, 'main', 1)], 'ended'],
    [
      'the second end',
      always,
      [ended(always, 'main', 1), ended(always, 'main', 1, { attempt: 1, backoffMs: 10_000 })],
      'wait main 12000',
    ],
    [
      'old runs',
      always,
      [
        ended(always, 'main', 1),
        ended(always, 'main', 1, { attempt: 1 }),
        run(always, 'main', { attempt: 2 }),
      ],
      'remove main-0',
    ],
    ['another definition', always, [run(always, 'main', { labels: {} })], 'stop main-0 changed'],
    [
      'another definition, stopped',
      never,
      [ended(never, 'main', 137, { labels: {} })],
      'start main 1',
    ],
    [
      'a container that the pod lacks',
      always,
      [run(always, 'main'), run(always, 'gone')],
      'stop gone-0 changed',
    ],
    ['deleted while it runs', deleted, [run(deleted, 'main')], 'stop main-0 deleted'],
    ['deleted and stopped', deleted, [ended(deleted, 'main', 0)], 'ended'],
    ['deleted before it ran', deleted, [], 'ended'],
    ['added: as soon as there is a pod', looked, [], 'start look 0, start one 0'],
    ['added: beside init', looked, [run(looked, 'one'), run(looked, 'look')], ''],
    ['added: never again', looked, [run(looked, 'one'), ended(looked, 'look', 1)], ''],
    [
      'added: nobody waits for it',
      lookedNever,
      [ended(lookedNever, 'main', 0), run(lookedNever, 'look')],
      'stop look-0 finished',
    ],
    ['init: the first', withInit, [], 'start one 0'],
    ['init: running', withInit, [run(withInit, 'one')], ''],
    ['init: the second', withInit, [ended(withInit, 'one', 0)], 'start two 0'],
    ['init: failed', withInit, [ended(withInit, 'one', 1)], 'start one 1'],
    ['init: failed, policy Never', withInitNever, [ended(withInitNever, 'one', 1)], 'ended'],
    [
      'init: done',
      withInit,
      [ended(withInit, 'one', 0), ended(withInit, 'two', 0)],
      'start main 0',
    ],
    ['init: not again once the others ran', withInit, [run(withInit, 'main')], ''],
    ['a sidecar is running before the others start', withSidecar, [], 'start side 0'],
    [
      'a sidecar that runs lets the others start',
      withSidecar,
      [run(withSidecar, 'side')],
      'start main 0',
    ],
    [
      'a sidecar that ended runs again',
      withSidecar,
      [ended(withSidecar, 'side', 0), run(withSidecar, 'main')],
      'start side 1',
    ],
    [
      'a sidecar is stopped when the others have ended',
      withSidecar,
      [run(withSidecar, 'side'), ended(withSidecar, 'main', 0)],
      'stop side-0 finished',
    ],
  ])('%s', (_name, of, observed, expected) => {
    expect(words(of, observed)).toBe(expected)
  })

  test('a wait that is over is a start', () => {
    const observed = [ended(always, 'main', 1, { attempt: 1, backoffMs: 10_000 })]
    expect(words(always, observed, 12_000)).toBe('start main 2')
  })

  test('a clock that was set back does not make a wait longer', () => {
    const finishedAtMs = 3_600_000
    const observed = [ended(always, 'main', 1, { attempt: 1, backoffMs: 10_000, finishedAtMs })]
    expect(words(always, observed)).toBe('start main 2')
  })

  test('a pod that has ended stays ended when its containers are forgotten', () => {
    const done = pod({ restartPolicy: 'Always' }, {}, { phase: 'Failed' })
    expect(words(done, [])).toBe('ended')
    expect(words(done, [run(done, 'main')])).toBe('stop main-0 finished')
  })

  test('restart counts go on when the runtime has lost its state', () => {
    const state = { terminated: { exitCode: 1 } }
    const status = {
      containerStatuses: [{ name: 'main', containerID: 'p://x', restartCount: 4, state }],
    }
    expect(words(pod({}, {}, status), [])).toBe('start main 5')
    expect(words(pod({ restartPolicy: 'Never' }, {}, status), [])).toBe('ended')
  })

  test('the grace of a deletion overrides that of the pod', () => {
    const spec = { terminationGracePeriodSeconds: 60 }
    const over = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 1 }
    const short = pod(spec, over)
    expect(plan(short, [run(short, 'main')]).stops[0]?.graceMs).toBe(1_000)
    expect(plan(deleted, [run(deleted, 'main')]).stops[0]?.graceMs).toBe(30_000)
  })

  test('deciding twice on the same gives the same', () => {
    const observed = [ended(always, 'main', 1, { attempt: 3, backoffMs: 40_000 })]
    expect(plan(always, observed)).toEqual(plan(always, observed))
  })
})

describe('what probes and hooks change', () => {
  const health = (over: Partial<RunHealth>): PlanInput['health'] =>
    new Map([
      ['main-0', { ...PLAIN_HEALTH, ...over }],
      ['side-0', { ...PLAIN_HEALTH, ...over }],
    ])
  const stopsOf = (found: PodPlan): string =>
    found.stops.map(({ container, graceMs, why }) => `${container.id} ${graceMs} ${why}`).join()

  test('a run that failed is stopped with the grace of its probe, or of its pod', () => {
    const runs = [run(always, 'main')]
    const found = plan(always, runs, NOW, health({ failed: 'liveness', graceMs: 5 }))
    expect(stopsOf(found)).toBe('main-0 5 liveness')
    expect(stopsOf(plan(always, runs, NOW, health({ failed: 'startup' })))).toBe(
      'main-0 30000 startup',
    )
  })

  test('it is started again although it went with success, unless the policy is Never', () => {
    const failed = health({ failed: 'liveness' })
    const again = plan(onFailure, [ended(onFailure, 'main', 0)], NOW, failed)
    expect(again.starts.map((step) => step.attempt)).toEqual([1])
    expect(plan(never, [ended(never, 'main', 0)], NOW, failed).isEnded).toBe(true)
  })

  test('a sidecar lets the others go once it has started', () => {
    const runs = [run(withSidecar, 'side')]
    const early = plan(withSidecar, runs, NOW, health({ isStarted: false }))
    expect([early.starts.length, early.initDone]).toEqual([0, false])
    const late = plan(withSidecar, runs, NOW, health({}))
    expect([late.starts.length, late.initDone]).toEqual([1, true])
  })

  test('containers after one with a postStart hook wait for it', () => {
    const hooked = { ...init('main'), lifecycle: { postStart: { exec: { command: ['x'] } } } }
    const two = pod({ containers: [init('first'), hooked, init('last')] })
    expect(words(two, [])).toBe('start first 0, start main 0')
    const runs = [run(two, 'first'), run(two, 'main')]
    expect(plan(two, runs, NOW, health({ isStarting: true, isStarted: false })).starts).toEqual([])
    expect(words(two, runs)).toBe('start last 0')
  })
})

describe('a pod that may run for a while only', () => {
  const status = { startTime: '1970-01-01T00:00:01Z' }
  const limited = pod({ activeDeadlineSeconds: 4 }, {}, status)
  const job = pod({ activeDeadlineSeconds: 4, restartPolicy: 'Never' }, {}, status)

  test('is looked at again when its time is up', () => {
    expect(plan(limited, [run(limited, 'main')], 4_999)).toMatchObject({ wakeAtMs: 5_000 })
  })

  test('is ended then, and has failed even if its containers end well', () => {
    const over = plan(limited, [run(limited, 'main')], 5_000)
    expect(over).toMatchObject({ isOverdue: true, isEnded: false, starts: [] })
    expect(over.stops.map(({ why }) => why)).toEqual(['finished'])
    const late = ended(job, 'main', 0, { finishedAtMs: 5_001 })
    expect(plan(job, [late], 5_002)).toMatchObject({ isOverdue: true, isEnded: true })
  })

  test('has not failed when it had ended before', () => {
    const early = plan(job, [ended(job, 'main', 0)], 9_000)
    expect(early.isEnded).toBe(true)
    expect(early.isOverdue).toBeUndefined()
  })
})

describe('the sandbox has ended', () => {
  const box = (id: string, ready: boolean): SandboxStatus => ({
    ...{ id, ready, namespace: 'shop', name: 'web', uid: 'u-1', createdAtMs: 0, ip: undefined },
  })
  const lost = [box('u-1', false)]
  const again = [box('next', true), ...lost]

  function said(
    of: PodView,
    observed: readonly ContainerStatus[],
    sandboxes: readonly SandboxStatus[],
  ): string {
    const { stops, starts, isEnded } = plan(of, observed, NOW, new Map(), sandboxes)
    return [
      ...stops.map((stop) => `stop ${stop.container.id} ${stop.why}`),
      ...starts.map((start) => `start ${start.container.name} ${start.attempt}`),
      ...(isEnded ? ['ended'] : []),
    ].join(', ')
  }

  test.each<[string, PodView, readonly ContainerStatus[], readonly SandboxStatus[], string]>([
    ['what runs is stopped', always, [run(always, 'main')], lost, 'stop main-0 sandbox'],
    ['then it is started again', always, [ended(always, 'main', 137)], lost, 'start main 1'],
    ['nothing has run yet', always, [], lost, 'start main 0'],
    ['policy Never', never, [ended(never, 'main', 137)], lost, 'ended'],
    ['policy OnFailure, succeeded', onFailure, [ended(onFailure, 'main', 0)], lost, 'ended'],
    ['policy OnFailure, killed', onFailure, [ended(onFailure, 'main', 137)], lost, 'start main 1'],
    [
      'made but never started, in the one that ended',
      always,
      [run(always, 'main', { state: 'created' })],
      again,
      'start main 1',
    ],
    [
      'init containers run again',
      withInit,
      [ended(withInit, 'one', 0), ended(withInit, 'two', 0), ended(withInit, 'main', 137)],
      lost,
      'start one 1',
    ],
    [
      'one after the other',
      withInit,
      [
        ended(withInit, 'one', 0),
        ended(withInit, 'one', 0, { attempt: 1, sandboxId: 'next' }),
        ended(withInit, 'two', 0),
        ended(withInit, 'main', 137),
      ],
      again,
      'start two 1',
    ],
    [
      'and are over once the pod has got past them',
      withInit,
      [
        ended(withInit, 'one', 0),
        ended(withInit, 'two', 0),
        run(withInit, 'main', { attempt: 1, sandboxId: 'next' }),
      ],
      again,
      '',
    ],
  ])('%s', (_name, of, observed, sandboxes, expected) => {
    expect(said(of, observed, sandboxes)).toBe(expected)
  })
})
