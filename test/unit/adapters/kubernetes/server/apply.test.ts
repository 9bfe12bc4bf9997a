import { describe, expect, test } from 'vitest'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import {
  applyConfiguration,
  recordUpdate,
} from '../../../../../src/adapters/kubernetes/server/apply/apply.ts'
import {
  pathsOf,
  setFromJson,
  setToJson,
} from '../../../../../src/adapters/kubernetes/server/apply/field-set.ts'
import { readManagers } from '../../../../../src/adapters/kubernetes/server/apply/managers.ts'
import { typedError } from '../../../../../src/adapters/kubernetes/server/apply/typed-errors.ts'
import { structType } from '../../../../../src/adapters/kubernetes/server/schema/schema.ts'
import { StatusError } from '../../../../../src/adapters/kubernetes/server/status.ts'
import { writerOf as by } from '../../../../support/field-writer.ts'

const map = structType('core.ConfigMap')
const podType = structType('core.Pod')
if (map === undefined || podType === undefined) throw new Error('the schema lacks its kinds')

const config = (data: Record<string, string>, labels?: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', ...(labels === undefined ? {} : { labels }) },
  data,
})
const owned = (object: KubeObject): Record<string, readonly string[]> =>
  Object.fromEntries(
    readManagers(object).map((manager) => [
      `${manager.name} ${manager.operation}`,
      pathsOf(manager.fields),
    ]),
  )

describe('server-side apply', () => {
  test('owns what it sets, and removes what it sets no more', () => {
    const first = applyConfiguration(
      map,
      undefined,
      config({ a: '1', b: '2' }, { l: 'x' }),
      by('one'),
      false,
    )
    expect(owned(first)).toEqual({ 'one Apply': ['.data.a', '.data.b', '.metadata.labels.l'] })
    const second = applyConfiguration(map, first, config({ a: '1' }), by('one'), false)
    expect(second['data']).toEqual({ a: '1' })
    expect(second.metadata.labels).toBeUndefined()
  })

  test('names each conflict, and takes over by force', () => {
    const live = applyConfiguration(map, undefined, config({ a: '1', b: '2' }), by('one'), false)
    const attempt = (): KubeObject =>
      applyConfiguration(map, live, config({ a: '9', b: '9' }), by('two'), false)
    expect(attempt).toThrow(StatusError)
    try {
      attempt()
    } catch (error) {
      expect(error).toMatchObject({
        code: 409,
        message: 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
        details: {
          causes: [
            { reason: 'FieldManagerConflict', field: '.data.a' },
            { reason: 'FieldManagerConflict', field: '.data.b' },
          ],
        },
      })
    }
    const forced = applyConfiguration(map, live, config({ a: '9' }), by('two'), true)
    expect(forced['data']).toEqual({ a: '9', b: '2' })
    expect(owned(forced)).toEqual({ 'one Apply': ['.data.b'], 'two Apply': ['.data.a'] })
  })

  test('equal values are owned together, and stay while one owns them', () => {
    const live = applyConfiguration(map, undefined, config({ a: '1' }), by('one'), false)
    const shared = applyConfiguration(map, live, config({ a: '1' }), by('two'), false)
    const left = applyConfiguration(
      map,
      shared,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } },
      by('one'),
      false,
    )
    expect(left['data']).toEqual({ a: '1' })
    expect(owned(left)).toEqual({ 'two Apply': ['.data.a'] })
  })

  test('list items belong to who named them', () => {
    const pod = (containers: readonly JsonObject[]): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers },
    })
    const one = applyConfiguration(
      podType,
      undefined,
      pod([{ name: 'a', image: '1' }]),
      by('one'),
      false,
    )
    const defaulted = {
      ...one,
      spec: { containers: [{ name: 'a', image: '1', terminationMessagePath: '/x' }] },
    }
    const two = applyConfiguration(
      podType,
      defaulted,
      pod([{ name: 'b', image: '2' }]),
      by('two'),
      false,
    )
    expect(two['spec']).toEqual({
      containers: [
        { name: 'a', image: '1', terminationMessagePath: '/x' },
        { name: 'b', image: '2' },
      ],
    })
    const gone = applyConfiguration(podType, two, pod([]), by('two'), false)
    expect(gone['spec']).toEqual({
      containers: [{ name: 'a', image: '1', terminationMessagePath: '/x' }],
    })
  })

  test('an object nobody owned is owned by somebody before the first apply', () => {
    const found = config({ a: '1' })
    expect(() => applyConfiguration(map, found, config({ a: '2' }), by('one'), false)).toThrow(
      /"before-first-apply" using v1: .data.a$/,
    )
  })

  test('repeating keeps the time', () => {
    const first = applyConfiguration(map, undefined, config({ a: '1' }), by('one'), false)
    const again = applyConfiguration(
      map,
      first,
      config({ a: '1' }),
      by('one', { time: '2027-01-01T00:00:00Z' }),
      false,
    )
    expect(again).toEqual(first)
  })
})

describe('updates', () => {
  test('take over what they change', () => {
    const applied = applyConfiguration(map, undefined, config({ a: '1', b: '2' }), by('one'), false)
    const after = recordUpdate(map, applied, { ...applied, data: { a: '9', c: '3' } }, by('edit'))
    expect(owned(after)).toEqual({ 'edit Update': ['.data.a', '.data.c'] })
  })

  test('a create owns everything that it brought, containers by name', () => {
    const pod: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'i', resources: {} }] },
    }
    const created = recordUpdate(podType, undefined, pod, by('create'))
    expect(created.metadata.managedFields?.[0]?.['fieldsV1']).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} },
        },
      },
    })
  })

  test('at most ten updaters are told apart', () => {
    let object = recordUpdate(map, undefined, config({}), by('start'))
    for (let index = 0; index < 15; index++) {
      const time = `2026-01-01T00:00:${String(index + 10)}Z`
      const next = {
        ...object,
        data: { ...(object['data'] as JsonObject), [`k${index}`]: 'v' },
      } as KubeObject
      object = recordUpdate(map, object, next, by(`m${index}`, { time }))
    }
    const names = readManagers(object).map((manager) => manager.name)
    expect(names.length).toBe(10)
    expect(names).toContain('ancient-changes')
  })
})

test('field sets survive their JSON form', () => {
  const json = {
    'f:a': {},
    'f:l': { '.': {}, 'k:{"name":"x"}': { '.': {}, 'f:v': {} }, 'v:"s"': {} },
  }
  expect(setToJson(setFromJson(json))).toEqual(json)
  expect(pathsOf(setFromJson(json))).toEqual([
    '.a',
    '.l',
    '.l[name="x"]',
    '.l[="s"]',
    '.l[name="x"].v',
  ])
  expect(setToJson(setFromJson({ junk: {}, 'f:ok': 5 }))).toEqual({})
})

describe('what a write reaches', () => {
  const pod = (status: JsonObject | undefined, labels: Record<string, string> = {}): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels },
      spec: { nodeName: 'n' },
      ...(status === undefined ? {} : { status }),
    }) as unknown as KubeObject

  test('a status has its own owners, also of the labels that come with it', () => {
    const created = recordUpdate(podType, undefined, pod(undefined, { a: '1' }), by('maker'))
    const status = by('kubelet', { subresource: 'status' })
    const reported = {
      ...pod({ phase: 'Running' }, { a: '2' }),
      metadata: { ...created.metadata, labels: { a: '2' } },
    } as KubeObject
    const managers = readManagers(recordUpdate(podType, created, reported, status))
    const fields = Object.fromEntries(managers.map((one) => [one.name, pathsOf(one.fields)]))
    expect(fields['kubelet']).toEqual(['.metadata.labels.a', '.status.phase'])
    expect(fields['maker']).toEqual(['.metadata.labels', '.spec.nodeName'])
    expect(managers.map((one) => one.subresource).sort()).toEqual(['', 'status'])
  })

  test('items of a list are found again in their share of time', () => {
    const volumes = Array.from({ length: 5_000 }, (_, i) => ({ name: `v${i}`, emptyDir: {} }))
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { volumes } }
    const cpuMsOf = (live: KubeObject | undefined): number => {
      const before = process.cpuUsage()
      const applied = applyConfiguration(podType, live, pod, by('one'), false)
      const { user, system } = process.cpuUsage(before)
      expect(applied['spec']).toEqual(pod.spec)
      return (user + system) / 1_000
    }
    const some = applyConfiguration(podType, undefined, pod, by('one'), false)
    // Each was looked for among all, which took a hundred times as long.
    expect(cpuMsOf(some) / cpuMsOf(undefined)).toBeLessThan(25)
  }, 60_000)

  test('members of a set are found again in their share of time', () => {
    const made = (prefix: string): KubeObject => ({
      ...config({}),
      metadata: {
        name: 'c',
        finalizers: Array.from({ length: 20_000 }, (_, i) => `example.com/${prefix}${i}`),
      },
    })
    const cpuMsOf = (run: () => KubeObject): number => {
      const before = process.cpuUsage()
      expect(readManagers(run())).not.toHaveLength(0)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1_000
    }
    const [first, other] = [made('a'), made('b')]
    const plain = cpuMsOf(() => applyConfiguration(map, undefined, first, by('one'), false))
    const live = applyConfiguration(map, undefined, first, by('one'), false)
    // Each was looked for among all, which took a hundred times as long and more.
    const applied = cpuMsOf(() => applyConfiguration(map, live, other, by('two'), false))
    expect(applied / plain).toBeLessThan(12)
    expect(cpuMsOf(() => recordUpdate(map, live, other, by('two'))) / plain).toBeLessThan(12)
    const mixed = [...(other.metadata.finalizers ?? []), 'example.com/a7']
    const updated = recordUpdate(
      map,
      live,
      { ...live, metadata: { ...live.metadata, finalizers: mixed } },
      by('two'),
    )
    const left = readManagers(updated).map(({ name, fields }) => [name, pathsOf(fields).length])
    expect(left).toEqual([
      // Its data, and the one that stayed.
      ['one', 2],
      ['two', 20_000],
    ])
  }, 120_000)

  test('an apply that changes nothing has no time', () => {
    const live = recordUpdate(map, undefined, config({ k: 'v' }), by('one'))
    const applied = applyConfiguration(map, live, config({ k: 'v' }), by('two'), false)
    expect(readManagers(applied).find((one) => one.name === 'two')?.time).toBe('')
  })

  test('a configuration that does not fit is told like kube-apiserver does', () => {
    const told = (value: JsonObject): string | undefined => typedError(podType, value)?.message
    const start = 'failed to create typed patch object (/p; v1, Kind=Pod): '.replace('v1', '/v1')
    const base = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }
    expect(told({ ...base, spec: { containers: [{ name: 'a' }] } })).toBeUndefined()
    expect(told({ ...base, nothing: 1 })).toBe(`${start}.nothing: field not declared in schema`)
    expect(told({ ...base, spec: { containers: [{ name: 'a' }, { name: 'a' }] } })).toBe(
      `${start}.spec.containers: duplicate entries for key [name="a"]`,
    )
    expect(told({ ...base, spec: { containers: [{ name: 'a', image: 5 }] } })).toBe(
      `${start}.spec.containers[name="a"].image: expected string, got &value.valueUnstructured{Value:5}`,
    )
    expect(told({ ...base, x: 1, y: 2 })).toContain('errors:\n  .x: field')
  })
})
