import { describe, expect, test } from 'vitest'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import {
  scheduleProblem,
  timeZoneProblem,
} from '../../../../../src/adapters/kubernetes/server/kinds/cron-schedule.ts'
import { allocate } from '../../../../../src/adapters/kubernetes/server/kinds/service-addresses.ts'

function service(name: string, spec: JsonObject): KubeObject {
  const ports = [{ port: 80, protocol: 'TCP' }]
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'n' },
    spec: { type: 'ClusterIP', ports, ...spec },
  }
}
const specOf = (object: KubeObject): JsonObject => object['spec'] as JsonObject
const none = (): readonly KubeObject[] => []

describe('addresses of services', () => {
  test('follow from the name, alike on every replica', () => {
    const [a, b] = [1, 2].map(() => allocate(service('a', {}), undefined, none).service)
    expect(a).toEqual(b)
    expect(specOf(a as KubeObject)['clusterIP']).toMatch(/^10\.(9[6-9]|10\d|11[01])\./)
  })

  test('pass over what another service has', () => {
    const first = allocate(service('a', {}), undefined, none).service
    const taken = { ...specOf(first) }
    const other = service('b', { clusterIP: taken['clusterIP'] })
    const second = allocate(service('a', {}), undefined, () => [other]).service
    expect(specOf(second)['clusterIP']).not.toBe(taken['clusterIP'])
  })

  test('are kept by an update, and lost with the type that had them', () => {
    const before = allocate(service('a', { type: 'NodePort' }), undefined, none).service
    const nodePort = (specOf(before)['ports'] as readonly JsonObject[])[0]?.['nodePort']
    expect(nodePort).toBeGreaterThanOrEqual(30_000)
    const again = allocate(service('a', { type: 'NodePort' }), before, none).service
    expect(specOf(again)).toEqual(specOf(before))
    const closed = service('a', { ...specOf(before), type: 'ClusterIP' })
    const after = specOf(allocate(closed, before, none).service)
    expect(after['ports']).toEqual([{ port: 80, protocol: 'TCP' }])
    expect(after['clusterIP']).toBe(specOf(before)['clusterIP'])
  })

  test('differ for the ports of one service', () => {
    const ports = [1, 2, 3].map((port) => ({ port, protocol: 'TCP', name: `p${port}` }))
    const made = allocate(service('a', { type: 'NodePort', ports }), undefined, none).service
    const given = (specOf(made)['ports'] as readonly JsonObject[]).map((port) => port['nodePort'])
    expect(new Set(given).size).toBe(3)
  })
})

describe('cron schedules', () => {
  test.each([
    '* * * * *',
    '*/5 0-23/2 1,15 jan-mar MON',
    '0 0 ? * 0',
    '@hourly',
    '@every 1h30m',
    'TZ=Europe/Berlin 0 0 * * *',
  ])('%s is one', (text) => {
    expect(scheduleProblem(text)).toBeUndefined()
  })

  test.each([
    ['', 'expected exactly 5 fields, found 0: []'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ['@often', 'unrecognized descriptor: @often'],
  ])('%s is none', (text, problem) => {
    expect(scheduleProblem(text)).toBe(problem)
  })

  test('time zones are those that there are', () => {
    expect(timeZoneProblem('Europe/Berlin')).toBeUndefined()
    expect(timeZoneProblem('../etc')).toBe('unknown time zone ../etc')
    expect(timeZoneProblem('Mars/Base')).toBe('unknown time zone Mars/Base')
    expect(timeZoneProblem('Local')).toContain('explicit time zone')
  })
})
