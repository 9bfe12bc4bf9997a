import { describe, expect, test } from 'vitest'
import { Dependents } from '../../../../../src/adapters/kubernetes/controllers/dependents.ts'
import {
  decideGarbage,
  type OwnerState,
  type Subject,
} from '../../../../../src/adapters/kubernetes/controllers/garbage-decision.ts'
import { ownerKey } from '../../../../../src/adapters/kubernetes/controllers/owners.ts'
import {
  builtinResources,
  type KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/index.ts'

const subject = (states: readonly OwnerState[], more: Partial<Subject> = {}): Subject => ({
  isLeaving: false,
  finalizers: [],
  owners: states.map((state, index) => ({ uid: `owner-${index}`, state })),
  dependents: [],
  ...more,
})
const blocking = { blocks: true, isWaiting: false }

describe('what becomes of an object', () => {
  test('without owners it stays', () => {
    expect(decideGarbage(subject([]))).toEqual({ type: 'none' })
  })

  test('while one owner is there it stays, and forgets the others', () => {
    expect(decideGarbage(subject(['there']))).toEqual({ type: 'none' })
    expect(decideGarbage(subject(['gone', 'there', 'waiting']))).toEqual({
      type: 'disown',
      uids: ['owner-0', 'owner-2'],
    })
  })

  test('when all owners are gone, or wait for it, it goes', () => {
    const goes = { type: 'delete', propagation: 'Background', unblocks: false }
    expect(decideGarbage(subject(['gone']))).toEqual(goes)
    expect(decideGarbage(subject(['waiting']))).toEqual(goes)
    expect(decideGarbage(subject(['gone'], { dependents: [blocking] }))).toEqual(goes)
  })

  test('while nobody knows of an owner, nothing is done', () => {
    for (const states of [['unknown'], ['gone', 'unknown'], ['there', 'gone', 'unknown']] as const)
      expect(decideGarbage(subject(states))).toEqual({ type: 'none' })
  })

  test('what its owner waits for waits for its own dependents first', () => {
    expect(decideGarbage(subject(['waiting'], { dependents: [blocking] }))).toEqual({
      type: 'delete',
      propagation: 'Foreground',
      unblocks: false,
    })
  })

  test('two that wait for each other do not wait for ever', () => {
    const dependents = [{ blocks: true, isWaiting: true }]
    expect(decideGarbage(subject(['waiting'], { dependents }))).toMatchObject({ unblocks: true })
  })

  test('its finalizers say how it goes', () => {
    const propagation = (finalizers: readonly string[]): unknown =>
      decideGarbage(subject(['gone'], { finalizers }))
    expect(propagation(['orphan'])).toMatchObject({ propagation: 'Orphan' })
    expect(propagation(['foregroundDeletion'])).toMatchObject({ propagation: 'Foreground' })
  })

  test('what leaves waits for the dependents that block it, or lets them be', () => {
    const leaving = (finalizers: readonly string[], more: Partial<Subject> = {}): unknown =>
      decideGarbage(subject(['gone'], { isLeaving: true, finalizers, ...more }))
    expect(leaving([])).toEqual({ type: 'none' })
    const first = 'foregroundDeletion'
    expect(leaving([first], { dependents: [blocking] })).toEqual({ type: 'prompt' })
    const free = { blocks: false, isWaiting: false }
    expect(leaving([first], { dependents: [free] })).toEqual({ type: 'release', finalizer: first })
    expect(leaving(['orphan'], { dependents: [free] })).toEqual({ type: 'orphan' })
    expect(leaving(['orphan'])).toEqual({ type: 'release', finalizer: 'orphan' })
  })
})

describe('dependents', () => {
  const object = (name: string, owners: readonly string[]): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      ownerReferences: owners.map((uid) => ({ apiVersion: 'v1', kind: 'Pod', name: uid, uid })),
    },
  })

  test('are found by the uid of their owner, as they are now', () => {
    const dependents = new Dependents()
    const keys = (uid: string): readonly string[] => [...dependents.of(uid).keys()]
    expect(dependents.take('pods', object('a', ['x', 'y']))).toBe(true)
    expect(dependents.take('pods', object('b', ['x']))).toBe(true)
    expect(dependents.take('pods', object('b', ['x']))).toBe(false)
    expect(keys('x')).toEqual(['pods/default/a', 'pods/default/b'])
    expect(dependents.take('pods', object('a', ['y']))).toBe(true)
    expect(keys('x')).toEqual(['pods/default/b'])
    dependents.drop('pods/default/b')
    expect(keys('x')).toEqual([])
    expect(keys('y')).toEqual(['pods/default/a'])
  })
})

test('an owner with a namespace is in that of what belongs to it', () => {
  const owner = { uid: 'u', apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', blocks: false }
  const pod = { resource: 'pods', namespace: 'team', name: 'web-1' }
  const found = { resource: 'replicasets.apps', namespace: 'team', name: 'web' }
  expect(ownerKey(pod, owner, builtinResources)).toEqual(found)
  const node = { resource: 'nodes', name: 'edge-1' }
  expect(ownerKey(node, owner, builtinResources)).toBeUndefined()
  const ofNode = { ...owner, apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  expect(ownerKey(pod, ofNode, builtinResources)).toEqual(node)
  expect(ownerKey(pod, { ...owner, kind: 'Widget' }, builtinResources)).toBeUndefined()
})
