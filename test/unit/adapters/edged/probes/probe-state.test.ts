import { describe, expect, test } from 'vitest'
import {
  type ProbeSpec,
  type ProbeType,
  portNumber,
  probesOf,
} from '../../../../../src/adapters/edged/probes/probe-spec.ts'
import {
  afterLook,
  firstLookMs,
  healthFrom,
  newHistory,
  type ProbeOutcome,
} from '../../../../../src/adapters/edged/probes/probe-state.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

function container(json: JsonObject) {
  const [main] = pod({ containers: [{ name: 'main', image: 'x', ...json }] }).containers
  if (main === undefined) throw new Error('no container')
  return main
}

describe('what a probe says after some looks', () => {
  /** `+` for a look that succeeded, `-` for one that failed, `?` for one that could not be made. */
  const outcomes: Readonly<Record<string, ProbeOutcome>> = {
    '+': 'success',
    '-': 'failure',
    '?': 'error',
  }
  test.each<[ProbeType, string, number, number, string]>([
    ['readiness', '', 1, 3, 'failure'],
    ['readiness', '+', 1, 3, 'success'],
    ['readiness', '+', 2, 3, 'failure'],
    ['readiness', '++', 2, 3, 'success'],
    ['readiness', '+-+', 2, 3, 'failure'],
    ['readiness', '+--', 1, 3, 'success'],
    ['readiness', '+---', 1, 3, 'failure'],
    ['readiness', '+--?-', 1, 3, 'failure'],
    ['readiness', '+---+', 1, 3, 'success'],
    ['liveness', '', 1, 3, 'success'],
    ['liveness', '--', 1, 3, 'success'],
    ['liveness', '--+--', 1, 3, 'success'],
    ['liveness', '---', 1, 3, 'failure over'],
    ['liveness', '---+', 1, 3, 'failure over'],
    ['liveness', '??????', 1, 3, 'success'],
    ['startup', '', 1, 3, 'unknown'],
    ['startup', '--', 1, 3, 'unknown'],
    ['startup', '--+', 1, 3, 'success over'],
    ['startup', '+---', 1, 3, 'success over'],
    ['startup', '---', 1, 3, 'failure over'],
  ])('%s, %j, thresholds %i and %i: %s', (type, looks, success, failure, expected) => {
    const spec = { type, successThreshold: success, failureThreshold: failure }
    const history = [...looks].reduce(
      (before, look) => afterLook(before, outcomes[look] ?? 'error', spec),
      newHistory(type),
    )
    expect(`${history.result}${history.isOver ? ' over' : ''}`).toBe(expected)
  })
})

test('the health of a run is what its probes say together', () => {
  const look = { exec: { command: ['true'] } }
  const specs = probesOf(
    container({
      startupProbe: look,
      readinessProbe: look,
      livenessProbe: { ...look, terminationGracePeriodSeconds: 7 },
    }),
  )
  const health = (startup: string, liveness: string, readiness: string) => {
    const results: Readonly<Record<string, string>> = { startup, liveness, readiness }
    const probes = specs.map((spec) => ({
      spec,
      history: newHistory(spec.type, results[spec.type] as 'success' | 'failure' | 'unknown'),
    }))
    const { isStarted, isReady, failed, graceMs } = healthFrom(probes)
    return { isStarted, isReady, failed, graceMs }
  }
  const fine = { isStarted: true, isReady: true, failed: undefined, graceMs: undefined }
  expect(health('success', 'success', 'success')).toEqual(fine)
  expect(health('unknown', 'success', 'success')).toEqual({
    ...fine,
    isStarted: false,
    isReady: false,
  })
  expect(health('success', 'failure', 'success')).toEqual({
    ...fine,
    failed: 'liveness',
    graceMs: 7_000,
  })
  expect(health('failure', 'success', 'failure')).toMatchObject({ failed: 'startup' })
  expect(health('success', 'success', 'failure')).toEqual({ ...fine, isReady: false })
})

describe('the first look at a run', () => {
  const at = (
    type: ProbeType,
    initialDelayMs: number,
    ranMs: number,
    agentMs: number,
    fraction = 0.5,
  ): number =>
    firstLookMs({ spec: { type, initialDelayMs, periodMs: 10_000 }, ranMs, agentMs, fraction })

  test.each<[string, number, number]>([
    ['readiness at once', at('readiness', 0, 0, 60_000), 0],
    ['readiness after its delay', at('readiness', 4_000, 1_000, 60_000), 3_000],
    ['liveness after a period', at('liveness', 0, 500, 60_000), 9_500],
    ['startup after its delay', at('startup', 3_000, 0, 60_000), 3_000],
    ['a run older than the agent, at random', at('liveness', 0, 900_000, 20), 5_000],
    ['but not before its delay', at('liveness', 30_000, 21_000, 20), 9_000],
    ['an agent that has been there', at('readiness', 0, 900_000, 60_000), 0],
    ['another agent, elsewhere in the period', at('readiness', 0, 900_000, 20, 0.1), 1_000],
  ])('%s', (_name, found, expected) => expect(found).toBe(expected))
})

describe('what a probe is read as', () => {
  const read = (json: JsonObject): ProbeSpec | undefined =>
    probesOf(container({ livenessProbe: json }))[0]

  test('the defaults are those of Kubernetes', () => {
    expect(read({ httpGet: { port: 80 } })).toEqual({
      type: 'liveness',
      action: {
        type: 'http',
        host: undefined,
        port: 80,
        path: '/',
        isSecure: false,
        headers: [],
      },
      initialDelayMs: 0,
      timeoutMs: 1_000,
      periodMs: 10_000,
      successThreshold: 1,
      failureThreshold: 3,
      graceMs: undefined,
    })
  })

  test('every field counts', () => {
    const json = {
      grpc: { port: 9, service: 's' },
      initialDelaySeconds: 1,
      timeoutSeconds: 2,
      periodSeconds: 3,
      successThreshold: 4,
      failureThreshold: 5,
      terminationGracePeriodSeconds: 6,
    }
    expect(read(json)).toEqual({
      type: 'liveness',
      action: { type: 'grpc', port: 9, service: 's' },
      initialDelayMs: 1_000,
      timeoutMs: 2_000,
      periodMs: 3_000,
      successThreshold: 4,
      failureThreshold: 5,
      graceMs: 6_000,
    })
  })

  test.each<[string, JsonObject]>([
    ['nothing to do', { periodSeconds: 5 }],
    ['nothing at all', {}],
  ])('%s is no probe', (_name, json) => expect(read(json)).toBeUndefined())

  test('wild values count as absent', () => {
    const json = { tcpSocket: { port: 1, host: '' }, periodSeconds: -1, timeoutSeconds: 'soon' }
    expect(read(json)).toMatchObject({
      action: { type: 'tcp', host: undefined, port: 1 },
      periodMs: 10_000,
      timeoutMs: 1_000,
    })
  })

  test('plain init containers have none', () => {
    const init = { name: 'i', image: 'x', readinessProbe: { exec: { command: ['true'] } } }
    const of = pod({ initContainers: [init, { ...init, name: 's', restartPolicy: 'Always' }] })
    expect(of.initContainers.map((each) => probesOf(each).length)).toEqual([0, 1])
  })
})

test.each<[unknown, number | string]>([
  [80, 80],
  ['80', 80],
  ['web', 8080],
  ['other', 'strconv.Atoi: parsing "other": invalid syntax'],
  ['', 'strconv.Atoi: parsing "": invalid syntax'],
  [0, 'invalid port number: 0'],
  [65_536, 'invalid port number: 65536'],
  [undefined, 'invalid port number: 0'],
])('port %j is %j', (port, expected) => {
  const main = container({ ports: [{ name: 'web', containerPort: 8080 }] })
  expect(portNumber(port as never, main)).toBe(expected)
})
