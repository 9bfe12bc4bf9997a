import { describe, expect, test } from 'vitest'
import { RESTART_BACKOFF } from '../../../../src/adapters/edged/backoff.ts'
import { stopMessage } from '../../../../src/adapters/edged/hooks/stop-message.ts'
import { podPhase } from '../../../../src/adapters/edged/pod-phase.ts'
import { planPod } from '../../../../src/adapters/edged/pod-plan.ts'
import { allContainers } from '../../../../src/adapters/edged/pod-view.ts'
import { isRestartable, restarts } from '../../../../src/adapters/edged/restart-policy.ts'
import type { JsonObject } from '../../../../src/adapters/kubernetes/objects/types.ts'
import type { ContainerStatus } from '../../../../src/adapters/runtime/index.ts'
import { ended, pod } from './pods.ts'

function rule(operator: string, values: readonly number[], action = 'Restart'): JsonObject {
  return { action, exitCodes: { operator, values } }
}

/** A pod whose container `main` has these fields. */
function podWith(restartPolicy: string, main: JsonObject, spec: JsonObject = {}) {
  const containers = [{ name: 'main', image: 'x', command: ['run'], ...main }]
  return pod({ restartPolicy, containers, ...spec })
}

const never42 = { restartPolicy: 'Never', restartPolicyRules: [rule('In', [42, 43])] }
const neverBut1 = { restartPolicy: 'Never', restartPolicyRules: [rule('NotIn', [1])] }

describe('whether a container runs again', () => {
  test.each<[string, string, JsonObject, number, boolean]>([
    ['the policy of the pod', 'Always', {}, 0, true],
    ['the policy of the pod', 'OnFailure', {}, 0, false],
    [
      'its own policy counts before that of the pod',
      'Always',
      { restartPolicy: 'Never' },
      1,
      false,
    ],
    ['its own policy counts before that of the pod', 'Never', { restartPolicy: 'Always' }, 0, true],
    ['its own OnFailure, failed', 'Never', { restartPolicy: 'OnFailure' }, 1, true],
    ['its own OnFailure, done', 'Always', { restartPolicy: 'OnFailure' }, 0, false],
    ['a code that a rule names', 'Never', never42, 42, true],
    ['the second code of a rule', 'Never', never42, 43, true],
    ['a code that no rule names', 'Never', never42, 1, false],
    ['a success that no rule names', 'Always', never42, 0, false],
    ['a code that is not among those of a rule', 'Never', neverBut1, 0, true],
    ['a code that is', 'Never', neverBut1, 1, false],
    ['rules without a policy', 'Never', { restartPolicyRules: [rule('In', [42])] }, 42, false],
    [
      'rules of actions that are not known',
      'Never',
      { restartPolicy: 'Never', restartPolicyRules: [rule('In', [42], 'Dance')] },
      42,
      false,
    ],
    [
      'operators that are not known',
      'Never',
      { restartPolicy: 'Never', restartPolicyRules: [rule('Above', [1])] },
      42,
      false,
    ],
    [
      'what matches no rule falls to the policy',
      'Never',
      { restartPolicy: 'OnFailure', restartPolicyRules: [rule('In', [42])] },
      1,
      true,
    ],
  ])('%s (%s)', (_name, policy, main, exitCode, expected) => {
    const of = podWith(policy, main)
    const [container] = allContainers(of)
    if (container === undefined) throw new Error('no container')
    expect(restarts(of, container, { exitCode, isSuccess: exitCode === 0 })).toBe(expected)
  })

  test.each<[string, string, JsonObject, number, boolean]>([
    ['one of a pod that never restarts', 'Never', {}, 1, false],
    ['one that may', 'Never', { restartPolicy: 'OnFailure' }, 1, true],
    ['one that may not', 'Always', { restartPolicy: 'Never' }, 1, false],
    ['one that a rule lets', 'Never', never42, 42, true],
    ['one that is done, whatever rules say', 'Never', neverBut1, 0, false],
  ])('init: %s', (_name, policy, init, exitCode, expected) => {
    const initContainers = [{ name: 'init', image: 'x', command: ['run'], ...init }]
    const of = podWith(policy, {}, { initContainers })
    const [container] = allContainers(of)
    if (container === undefined) throw new Error('no container')
    expect(restarts(of, container, { exitCode, isSuccess: exitCode === 0 })).toBe(expected)
  })

  test('who may ever do so', () => {
    const of = (policy: string, main: JsonObject): boolean => {
      const view = podWith(policy, main)
      const [container] = allContainers(view)
      return container !== undefined && isRestartable(view, container)
    }
    expect(of('Never', {})).toBe(false)
    expect(of('Always', { restartPolicy: 'Never' })).toBe(false)
    expect(of('Never', never42)).toBe(true)
    expect(of('Never', { restartPolicyRules: [rule('In', [42])] })).toBe(false)
  })
})

test('a pod goes on while one of its containers does, and ends by what the others came to', () => {
  const of = podWith('Always', { restartPolicy: 'Never' })
  const words = (observed: readonly ContainerStatus[]): string => {
    const plan = planPod({
      ...{ pod: of, observed, sandboxes: [], backoff: RESTART_BACKOFF, nowMs: 3_000 },
      health: new Map(),
    })
    return plan.isEnded ? 'ended' : plan.starts.map(({ attempt }) => `start ${attempt}`).join()
  }
  expect(words([])).toBe('start 0')
  expect(words([ended(of, 'main', 0)])).toBe('ended')
  const status = (exitCode: number): JsonObject => ({
    name: 'main',
    state: { terminated: { exitCode } },
  })
  expect(podPhase(of, [], [status(0)], false)).toBe('Succeeded')
  expect(podPhase(of, [], [status(1)], false)).toBe('Failed')
  const ruled = podWith('Never', never42)
  expect(podPhase(ruled, [], [status(42)], false)).toBe('Running')
  expect(podPhase(ruled, [], [status(1)], false)).toBe('Failed')
})

test('whether a container will come back is told when it is stopped', () => {
  expect(stopMessage(podWith('Never', {}), 'main', 'liveness', false)).toBe(
    'Container main failed liveness probe',
  )
  expect(stopMessage(podWith('Never', never42), 'main', 'liveness', true)).toBe(
    'Container main failed liveness probe, will be restarted',
  )
  const of = podWith('Always', { restartPolicy: 'Never' })
  expect(stopMessage(of, 'main', 'startup', true)).toBe('Stopping container main')
})
