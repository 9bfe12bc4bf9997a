import { describe, expect, test } from 'vitest'
import { mergeConditions } from '../../../../src/adapters/edged/conditions.ts'
import {
  aggregationKey,
  newEvent,
  type Occurrence,
  repeatedEvent,
  surplusEvents,
} from '../../../../src/adapters/edged/events/event-record.ts'
import { LogPrinter, parseEntry } from '../../../../src/adapters/edged/logs/cri-log.ts'
import { type NodeFacts, nodeStatus } from '../../../../src/adapters/edged/node/node-status.ts'
import { qosClass } from '../../../../src/adapters/edged/qos.ts'
import { pod } from './pods.ts'

const SECOND = 1_000

describe('events', () => {
  const started: Occurrence = {
    kind: 'Pod',
    namespace: 'shop',
    name: 'web',
    uid: 'u-1',
    type: 'Normal',
    reason: 'Started',
    message: 'Started container main',
    fieldPath: 'spec.containers{main}',
  }

  test('the same again is counted', () => {
    const event = repeatedEvent(newEvent(started, 'ff', 'edge-1', 0), 5 * SECOND)
    expect(event).toMatchObject({
      count: 2,
      firstTimestamp: '1970-01-01T00:00:00Z',
      lastTimestamp: '1970-01-01T00:00:05Z',
      involvedObject: { kind: 'Pod', uid: 'u-1', fieldPath: 'spec.containers{main}' },
    })
  })

  test('what differs in any part is another event', () => {
    const key = aggregationKey(started)
    expect(aggregationKey({ ...started })).toBe(key)
    for (const over of [
      { uid: 'u-2' },
      { reason: 'X' },
      { message: 'x' },
      { fieldPath: undefined },
    ]) {
      expect(aggregationKey({ ...started, ...over })).not.toBe(key)
    }
  })

  test('the oldest past the number, and those past the age, have to go', () => {
    const events = [0, 10, 20, 30].map((at) => newEvent(started, String(at), 'edge-1', at * SECOND))
    const gone = (countMax: number, ageMsMax: number) =>
      surplusEvents(events, { countMax, ageMsMax }, 30 * SECOND).map((event) => event.metadata.name)
    expect(gone(4, 60 * SECOND)).toEqual([])
    expect(gone(2, 60 * SECOND)).toEqual(['web.10', 'web.0'])
    expect(gone(4, 15 * SECOND)).toEqual(['web.10', 'web.0'])
  })
})

describe('conditions', () => {
  const old = { type: 'A', status: 'True', lastTransitionTime: 'before', reason: 'R', extra: 1 }

  test('a transition has a time, anything else keeps it', () => {
    const merge = (status: 'True' | 'False', reason?: string) =>
      mergeConditions([old], [{ type: 'A', status, reason }], 0)[0]
    expect(merge('True', 'R')).toEqual(old)
    expect(merge('True', 'Q')).toEqual({ ...old, reason: 'Q' })
    expect(merge('False')).toEqual({
      type: 'A',
      status: 'False',
      extra: 1,
      lastTransitionTime: '1970-01-01T00:00:00Z',
    })
  })

  test('those of others stay, and are told first', () => {
    const other = { type: 'B', status: 'Unknown' }
    expect(mergeConditions([other], [{ type: 'A', status: 'True' }], 0)[0]).toEqual(other)
    const ours = { type: 'DisruptionTarget', status: 'True' }
    expect(mergeConditions([ours], [{ type: 'A', status: 'True' }], 0)[1]).toEqual(ours)
  })
})

test('a node says the same of itself until something changes', () => {
  const facts: NodeFacts = {
    name: 'edge-1',
    addresses: ['10.0.0.1'],
    capacity: { cpu: '2', memory: '1Ki', pods: '110' },
    allocatable: { cpu: '2', memory: '1Ki', pods: '110' },
    systemUUID: 'uuid',
    swapBytes: 0,
    os: 'linux',
    arch: 'amd64',
    kernelVersion: 'k',
    osImage: 'o',
    machineID: 'm',
    bootID: 'b',
    runtimeVersion: 'process://1',
    version: 'v1',
    pressure: { memory: false, disk: false, pid: false },
  }
  const first = nodeStatus({}, facts, 0)
  expect(nodeStatus(first, facts, 60 * SECOND)).toEqual(first)
  const pressed = nodeStatus(
    first,
    { ...facts, pressure: { ...facts.pressure, disk: true } },
    SECOND,
  )
  expect(JSON.stringify(pressed['conditions'])).toContain('KubeletHasDiskPressure')
})

test.each([
  [{}, {}, 'BestEffort'],
  [{ cpu: '1' }, {}, 'Burstable'],
  [{}, { cpu: '1', memory: '1Gi' }, 'Guaranteed'],
  [{ cpu: '1', memory: '1Gi' }, { cpu: '1', memory: '1Gi' }, 'Guaranteed'],
  [{ cpu: '500m', memory: '1Gi' }, { cpu: '1', memory: '1Gi' }, 'Burstable'],
  [{}, { memory: '1Gi' }, 'Burstable'],
])('requests %j and limits %j are %s', (requests, limits, expected) => {
  const containers = [{ name: 'main', resources: { requests, limits } }]
  expect(qosClass(pod({ containers }))).toBe(expected)
})

describe('a log', () => {
  const lines = [
    '2026-01-01T00:00:00.000000000Z stdout F one',
    '2026-01-01T00:00:01.000000000Z stderr P two ',
    '2026-01-01T00:00:01.000000000Z stderr F parts',
    'damaged',
    '2026-01-01T00:00:02.000000000Z stdout F ',
  ].map((line) => Buffer.from(line))
  const print = (filter: Partial<ConstructorParameters<typeof LogPrinter>[0]>) => {
    const all = { timestamps: false, sinceMs: undefined, limitBytes: undefined, ...filter }
    return Buffer.from(new LogPrinter(all).print(lines)).toString()
  }

  test.each([
    [{}, 'one\ntwo parts\n\n'],
    [{ limitBytes: 6 }, 'one\ntw'],
    [{ sinceMs: Date.parse('2026-01-01T00:00:01Z') }, 'two parts\n\n'],
    [
      { timestamps: true, sinceMs: Date.parse('2026-01-01T00:00:01Z') },
      '2026-01-01T00:00:01.000000000Z two parts\n2026-01-01T00:00:02.000000000Z \n',
    ],
  ])('printed with %j', (filter, text) => {
    expect(print(filter)).toBe(text)
  })

  test.each(['', 'x', 'a b', 'a b c d', 'a stdout X text'])('%j is no entry', (line) => {
    expect(parseEntry(Buffer.from(line))).toBeUndefined()
  })
})
