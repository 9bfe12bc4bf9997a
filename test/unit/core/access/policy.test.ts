import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  CLOUD,
  type CloudRules,
  cloudPolicy,
  edgePolicy,
  nodeCollection,
  nodeOf,
  nodePrincipal,
} from '../../../../src/core/access/fleet.ts'
import { denyAll, grants, type WriteRequest } from '../../../../src/core/access/policy.ts'
import type { EntryKind } from '../../../../src/core/sync/io.ts'

const KINDS: readonly EntryKind[] = ['event', 'snapshot', 'tombstone', 'join', 'leave']
const DENIAL = { code: 'ACCESS_DENIED' }
const NOTHING: CloudRules = { mayNodeRead: () => false, mayNodeWrite: () => false }
const EVERYTHING: CloudRules = { mayNodeRead: () => true, mayNodeWrite: () => true }

const request = (collection: string, kind: EntryKind = 'event'): WriteRequest => ({
  kind,
  collection,
  document: 'd',
  exists: true,
})

const word = fc.oneof(
  fc.constantFrom(
    'a',
    'ab',
    'abc',
    'node/a',
    'node/ab',
    'secret/x/y',
    '',
    '__proto__',
    'constructor',
  ),
  fc.string({ maxLength: 6 }),
)

test('by default nobody may do anything', () => {
  fc.assert(
    fc.property(word, word, fc.constantFrom(...KINDS), (principal, collection, kind) => {
      expect(denyAll.mayRead(principal, collection)).toBe(false)
      expect(denyAll.mayWrite(principal, request(collection, kind))).toMatchObject(DENIAL)
    }),
  )
})

describe('grants', () => {
  test('allow what the table names, exactly or by prefix', () => {
    const policy = grants({ ann: { read: ['notes', 'team/*'], write: ['notes'] } })
    expect(policy.mayRead('ann', 'notes')).toBe(true)
    expect(policy.mayRead('ann', 'team/a')).toBe(true)
    expect(policy.mayRead('ann', 'notes/a')).toBe(false)
    expect(policy.mayRead('ann', 'team')).toBe(false)
    expect(policy.mayWrite('ann', request('notes'))).toBeUndefined()
    expect(policy.mayWrite('ann', request('team/a'))).toMatchObject(DENIAL)
    expect(policy.mayRead('bob', 'notes')).toBe(false)
  })

  test('allow nothing outside of the table', () => {
    const pattern = fc.tuple(word, fc.boolean()).map(([text, open]) => (open ? `${text}*` : text))
    const grant = fc.record({ read: fc.array(pattern), write: fc.array(pattern) })
    const table = fc.dictionary(word, grant, { maxKeys: 3 })
    fc.assert(
      fc.property(
        table,
        word,
        word,
        fc.constantFrom(...KINDS),
        (rows, principal, collection, kind) => {
          const policy = grants(rows)
          const row = Object.entries(rows).find(([name]) => name === principal)?.[1]
          const covered = (patterns: readonly string[]): boolean =>
            patterns.some((text) => {
              const open = text.endsWith('*')
              return open ? collection.indexOf(text.slice(0, -1)) === 0 : collection === text
            })
          expect(policy.mayRead(principal, collection)).toBe(covered(row?.read ?? []))
          const denial = policy.mayWrite(principal, request(collection, kind))
          expect(denial === undefined).toBe(covered(row?.write ?? []))
        },
      ),
    )
  })
})

describe('the policy at the cloud', () => {
  test('a node has its own collection, and none of another node, no secret and no pool', () => {
    const policy = cloudPolicy(NOTHING)
    const node = nodePrincipal('edge-1')
    expect(policy.mayRead(node, nodeCollection('edge-1'))).toBe(true)
    expect(policy.mayWrite(node, request(nodeCollection('edge-1')))).toBeUndefined()
    const others = [
      'node/edge-2',
      'node/edge-10',
      'node/',
      'node',
      'secret/default/key',
      'unscheduled',
      'cluster',
    ]
    for (const collection of others) {
      expect(policy.mayRead(node, collection), collection).toBe(false)
      expect(policy.mayWrite(node, request(collection)), collection).toMatchObject(DENIAL)
    }
  })

  test('it acts as the replica of its own name only', () => {
    const policy = cloudPolicy(EVERYTHING)
    expect(policy.mayConnect?.(nodePrincipal('edge-1'), 'edge-1')).toBeUndefined()
    expect(policy.mayConnect?.(nodePrincipal('edge-1'), 'edge-2')).toMatchObject(DENIAL)
    expect(policy.mayConnect?.('edge-1', 'edge-1')).toMatchObject(DENIAL)
    expect(policy.mayConnect?.(CLOUD, 'cloud')).toMatchObject(DENIAL)
  })

  test('homes are not its decision, whatever the rules say', () => {
    const policy = cloudPolicy(EVERYTHING)
    for (const kind of ['join', 'leave'] as const) {
      for (const collection of [nodeCollection('edge-1'), 'shared']) {
        expect(policy.mayWrite(nodePrincipal('edge-1'), request(collection, kind))).toMatchObject(
          DENIAL,
        )
      }
    }
  })

  test('what it may not read it may not write', () => {
    const policy = cloudPolicy({ ...EVERYTHING, mayNodeRead: () => false })
    expect(policy.mayWrite(nodePrincipal('edge-1'), request('shared'))).toMatchObject(DENIAL)
  })

  test('who is no node may nothing', () => {
    fc.assert(
      fc.property(word, word, fc.constantFrom(...KINDS), (principal, collection, kind) => {
        fc.pre(nodeOf(principal) === undefined)
        const policy = cloudPolicy(EVERYTHING)
        expect(policy.mayRead(principal, collection)).toBe(false)
        expect(policy.mayWrite(principal, request(collection, kind))).toMatchObject(DENIAL)
      }),
    )
  })
})

test('the policy at a node: the cloud may everything, others nothing', () => {
  const policy = edgePolicy()
  fc.assert(
    fc.property(word, word, fc.constantFrom(...KINDS), (principal, collection, kind) => {
      expect(policy.mayRead(CLOUD, collection)).toBe(true)
      expect(policy.mayWrite(CLOUD, request(collection, kind))).toBeUndefined()
      expect(policy.mayRead(principal, collection)).toBe(false)
      expect(policy.mayWrite(principal, request(collection, kind))).toMatchObject(DENIAL)
      expect(policy.mayConnect?.(principal, 'x')).toMatchObject(DENIAL)
    }),
  )
})

test('the base that ends a history comes from its owner', () => {
  const base = { kind: 'base', document: 'd', collection: 'shared', exists: true } as const
  const table = grants({
    owner: { read: ['*'], write: ['*'] },
    writer: { read: ['*'], write: ['*'], cut: [] },
  })
  expect(table.mayWrite('owner', base)).toBeUndefined()
  expect(table.mayWrite('writer', base)?.code).toBe('ACCESS_DENIED')
  expect(table.mayWrite('writer', { ...base, kind: 'event' })).toBeUndefined()
  const cloud = cloudPolicy({ mayNodeRead: () => true, mayNodeWrite: () => true })
  expect(cloud.mayWrite('node/a', base)?.code).toBe('ACCESS_DENIED')
  expect(cloud.mayWrite('node/a', { ...base, collection: 'node/a' })).toBeUndefined()
  expect(edgePolicy().mayWrite('cloud', base)).toBeUndefined()
  expect(edgePolicy().mayWrite('node/b', base)?.code).toBe('ACCESS_DENIED')
})
