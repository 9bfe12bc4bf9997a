import { describe, expect, test } from 'vitest'

import { applyDeletion } from '../../../../../src/adapters/kubernetes/objects/deletion.ts'
import {
  homeOf,
  parseSecretCollection,
} from '../../../../../src/adapters/kubernetes/objects/homes.ts'
import {
  documentId,
  parseDocumentId,
  uidOf,
} from '../../../../../src/adapters/kubernetes/objects/identity.ts'
import { documentKind } from '../../../../../src/adapters/kubernetes/objects/kinds.ts'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import type {
  JsonObject,
  KubeObject,
  Resource,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { sha256 } from '../../../../support/memory-log.ts'

const NOW = Date.parse('2026-01-02T03:04:05Z')

function kind(id: string): Resource {
  const found = builtinResources.find((resource) => resource.id === id)
  if (found === undefined) throw new Error(`no ${id}`)
  return found
}

function object(metadata: JsonObject, rest: JsonObject = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name: 'x', namespace: 'default', ...metadata },
    ...rest,
  }
}

describe('identity', () => {
  test('a document id says whose it is', () => {
    const identities = [
      { resource: 'pods', namespace: 'default', name: 'web', incarnation: 1 },
      { resource: 'nodes', name: 'edge-1', incarnation: 12 },
    ]
    for (const identity of identities) {
      for (const part of ['desired', 'observed'] as const) {
        expect(parseDocumentId(documentId(identity, part))).toEqual({ identity, part })
      }
    }
  })

  test.each([
    'notes/1',
    'pods/default/web/1/spec',
    'pods/default/web/0/desired',
    'pods/default/web/1e0/desired',
    'pods/default/web/01/desired',
    'pods/default/web/9007199254740993/desired',
    'pods/default/web/ 1/desired',
    'pods//web/1/desired',
    'pods/default//1/desired',
    '/default/web/1/desired',
    'pods/default/web/1/desired/more',
  ])('%s is no id of an object', (id) => {
    expect(parseDocumentId(id)).toBeUndefined()
  })

  test('a uid is a UUID of version 8, of the fleet, the name and the incarnation', () => {
    const identity = { resource: 'pods', namespace: 'default', name: 'web', incarnation: 1 }
    const uid = uidOf(identity, 'fleet', sha256)
    expect(uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(uidOf(identity, 'fleet', sha256)).toBe(uid)
    expect(uidOf(identity, 'other', sha256)).not.toBe(uid)
    expect(uidOf({ ...identity, incarnation: 2 }, 'fleet', sha256)).not.toBe(uid)
  })
})

describe('homes', () => {
  test.each([
    ['pods', object({}, { spec: { nodeName: 'edge-1' } }), 'node/edge-1'],
    ['pods', object({}, { spec: { nodeName: '' } }), 'unscheduled'],
    ['pods', object({}, { spec: null }), 'unscheduled'],
    ['nodes', object({ name: 'edge-1' }), 'node/edge-1'],
    ['secrets', object({ name: 'key' }), 'secret/default/key'],
    ['configmaps', object({}), 'namespace/default'],
    ['namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }, 'cluster'],
    [
      'leases.coordination.k8s.io',
      object({ name: 'edge-1', namespace: 'kube-node-lease' }),
      'node/edge-1',
    ],
    ['leases.coordination.k8s.io', object({ name: 'edge-1' }), 'namespace/default'],
    ['events', object({}, { source: { host: 'edge-1' } }), 'node/edge-1'],
    ['events', object({}, { involvedObject: { kind: 'Node', name: 'edge-2' } }), 'node/edge-2'],
    ['events', object({}), 'namespace/default'],
    [
      'replicasets.apps',
      object({}, { spec: { template: { spec: { nodeName: 'edge-1' } } } }),
      'node/edge-1',
    ],
    ['replicasets.apps', object({}, { spec: { template: [] } }), 'namespace/default'],
  ] as const)('%s %#', (resource, value, home) => {
    expect(homeOf(resource, value as KubeObject)).toBe(home)
  })

  test('a collection of a secret names it', () => {
    expect(parseSecretCollection('secret/default/key')).toEqual({
      namespace: 'default',
      name: 'key',
    })
    for (const other of ['secret/default', 'secret/a/b/c', 'node/secret/x', 'secrets/a/b']) {
      expect(parseSecretCollection(other)).toBeUndefined()
    }
  })
})

describe('kinds', () => {
  test('each part of a pod has the lists and the maps of its half', () => {
    const desired = documentKind(kind('pods'), 'desired')
    const observed = documentKind(kind('pods'), 'observed')
    expect(desired.skeleton).toEqual(
      expect.arrayContaining(['spec', 'metadata.finalizers', 'spec.containers']),
    )
    expect(desired.skeleton.some((path) => path.startsWith('status') || path.includes('*'))).toBe(
      false,
    )
    expect(observed.skeleton).toEqual(expect.arrayContaining(['status', 'status.conditions']))
    expect(observed.skeleton.every((path) => path.startsWith('status'))).toBe(true)
    expect(desired.shape).toMatchObject({
      fields: {
        metadata: { fields: { generation: { type: 'counter' }, finalizers: { type: 'set' } } },
        spec: {
          fields: {
            containers: {
              type: 'list',
              keys: ['name'],
              item: { fields: { ports: { type: 'list', keys: ['containerPort', 'protocol'] } } },
            },
          },
        },
      },
    })
    expect(documentKind(kind('pods'), 'desired')).toBe(desired)
  })

  test('all names differ', () => {
    const names = builtinResources.flatMap((resource) => [
      documentKind(resource, 'desired').name,
      documentKind(resource, 'observed').name,
    ])
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('deletion', () => {
  const bound = { spec: { nodeName: 'edge-1' } }
  const decide = (id: string, value: KubeObject, options = {}) =>
    applyDeletion(kind(id), value, options, NOW)

  test('a pod on a node gets its time, others go at once', () => {
    expect(decide('pods', object({}))).toEqual({ type: 'remove' })
    expect(decide('configmaps', object({}))).toEqual({ type: 'remove' })
    expect(decide('pods', object({}, bound))).toMatchObject({
      type: 'mark',
      object: {
        metadata: { deletionTimestamp: '2026-01-02T03:04:35Z', deletionGracePeriodSeconds: 30 },
      },
    })
    expect(decide('pods', object({}, bound), { gracePeriodSeconds: 0 })).toEqual({ type: 'remove' })
    const own = { spec: { nodeName: 'edge-1', terminationGracePeriodSeconds: 5 } }
    expect(decide('pods', object({}, own))).toMatchObject({
      object: { metadata: { deletionGracePeriodSeconds: 5 } },
    })
  })

  test('what has finalizers, and a namespace, waits', () => {
    expect(decide('configmaps', object({ finalizers: ['a/b'] }))).toMatchObject({ type: 'mark' })
    const home = object({}, { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } })
    expect(decide('namespaces', home)).toMatchObject({
      type: 'mark',
      object: {
        metadata: { deletionTimestamp: '2026-01-02T03:04:05Z' },
        status: { phase: 'Terminating' },
      },
    })
    expect(decide('namespaces', object({}))).toEqual({ type: 'remove' })
  })

  test('a pod that has ended goes at once', () => {
    const ended = object({}, { ...bound, status: { phase: 'Succeeded' } })
    expect(decide('pods', ended)).toEqual({ type: 'remove' })
  })

  test('what belongs to it stays, goes first or goes afterwards, as is asked', () => {
    const finalizersOf = (id: string, options: object, finalizers: readonly string[] = []) => {
      const deletion = decide(id, object(finalizers.length === 0 ? {} : { finalizers }), options)
      return deletion.type === 'mark' ? deletion.object.metadata.finalizers : deletion.type
    }
    expect(finalizersOf('configmaps', {})).toBe('remove')
    expect(finalizersOf('configmaps', { propagation: 'Background' })).toBe('remove')
    expect(finalizersOf('configmaps', { propagation: 'Orphan' })).toEqual(['orphan'])
    expect(finalizersOf('configmaps', { propagation: 'Foreground' })).toEqual([
      'foregroundDeletion',
    ])
    // Jobs keep their pods unless somebody says otherwise; what the object says itself counts more.
    expect(finalizersOf('jobs.batch', {})).toEqual(['orphan'])
    expect(finalizersOf('jobs.batch', {}, ['foregroundDeletion'])).toEqual(['foregroundDeletion'])
    expect(finalizersOf('jobs.batch', { propagation: 'Background' }, ['orphan'])).toBe('remove')
    expect(finalizersOf('configmaps', { propagation: 'Foreground' }, ['a/b', 'orphan'])).toEqual([
      'a/b',
      'foregroundDeletion',
    ])
    expect(finalizersOf('events', { propagation: 'Foreground' })).toBe('remove')
  })

  test('what is asked a second time may still change what becomes of its dependents', () => {
    const going = object({
      deletionTimestamp: '2026-01-02T03:04:01Z',
      deletionGracePeriodSeconds: 0,
      finalizers: ['a/b', 'orphan'],
    })
    expect(decide('configmaps', going, { propagation: 'Foreground' })).toMatchObject({
      object: {
        metadata: {
          deletionTimestamp: '2026-01-02T03:04:01Z',
          finalizers: ['a/b', 'foregroundDeletion'],
        },
      },
    })
    expect(decide('configmaps', going, { propagation: 'Orphan' })).toEqual({ type: 'unchanged' })
  })

  test('the second request can only make it sooner', () => {
    const marked = object(
      { deletionTimestamp: '2026-01-02T03:04:35Z', deletionGracePeriodSeconds: 30 },
      bound,
    )
    expect(decide('pods', marked)).toEqual({ type: 'unchanged' })
    expect(decide('pods', marked, { gracePeriodSeconds: 60 })).toEqual({ type: 'unchanged' })
    expect(decide('pods', marked, { gracePeriodSeconds: 2 })).toMatchObject({
      type: 'mark',
      object: { metadata: { deletionTimestamp: '2026-01-02T03:04:07Z' } },
    })
  })

  test.each([1e18, Number.MAX_SAFE_INTEGER - 1, -5, Number.NaN])(
    'a grace of %d comes to a decision',
    (seconds) => {
      const value = object(
        {},
        { spec: { nodeName: 'edge-1', terminationGracePeriodSeconds: seconds } },
      )
      expect(['mark', 'remove']).toContain(decide('pods', value).type)
    },
  )
})
