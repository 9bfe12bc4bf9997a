import { describe, expect, test } from 'vitest'

import { place, requestsOf } from '../../../../../src/adapters/kubernetes/controllers/placement.ts'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/index.ts'

const idle = () => ({ pods: 0, cpuMillis: 0, memoryBytes: 0 })

function node(
  name: string,
  extra: Record<string, unknown> = {},
  labels: Record<string, string> = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: {},
    status: {
      allocatable: { cpu: '2', memory: '1Gi', pods: '3' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
    ...extra,
  } as KubeObject
}

function pod(spec: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [], ...spec },
  } as KubeObject
}

const asking = (requests: Record<string, string>) =>
  pod({ containers: [{ name: 'c', resources: { requests } }] })

describe('place', () => {
  test('takes the node with the fewest pods, and of several the first by name', () => {
    const usage = (name: string) => ({ ...idle(), pods: name === 'a' ? 2 : 1 })
    expect(place(pod(), [node('a'), node('c'), node('b')], usage)).toEqual({ node: 'b' })
  })

  test.each([
    [
      'not ready',
      node('a', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }),
      pod(),
      /not ready/,
    ],
    ['unschedulable', node('a', { spec: { unschedulable: true } }), pod(), /unschedulable/],
    ['another selector', node('a'), pod({ nodeSelector: { disk: 'ssd' } }), /affinity\/selector/],
    ['too little cpu', node('a'), asking({ cpu: '2001m' }), /1 Insufficient cpu/],
    ['too little memory', node('a'), asking({ memory: '1025Mi' }), /1 Insufficient memory/],
    [
      'a taint',
      node('a', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
      pod(),
      /untolerated taint \{k: v\}/,
    ],
  ])('refuses a node: %s', (_, candidate, wanted, message) => {
    expect(place(wanted, [candidate], idle)).toEqual({ message: expect.stringMatching(message) })
  })

  test('a full node takes no more pods', () => {
    expect(place(pod(), [node('a')], () => ({ ...idle(), pods: 3 }))).toEqual({
      message: '0/1 nodes are available: 1 Too many pods.',
    })
  })

  test('exactly what is left fits', () => {
    const usage = () => ({ pods: 1, cpuMillis: 500, memoryBytes: 0 })
    expect(place(asking({ cpu: '1500m', memory: '1Gi' }), [node('a')], usage)).toEqual({
      node: 'a',
    })
  })

  test.each([
    [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ operator: 'Exists' }, true],
    [{ key: 'k', value: 'other' }, false],
    [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }, false],
  ])('a toleration %j', (toleration, fits) => {
    const tainted = node('a', {
      spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] },
    })
    expect('node' in place(pod({ tolerations: [toleration] }), [tainted], idle)).toBe(fits)
  })

  test('says why for all nodes together', () => {
    const nodes = [node('a', { spec: { unschedulable: true } }), node('b'), node('c')]
    expect(place(asking({ cpu: '3' }), nodes, idle)).toEqual({
      message: '0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.',
    })
  })
})

test('a pod asks for the larger of its containers together and its largest init container', () => {
  const wanted = pod({
    containers: [
      { name: 'a', resources: { requests: { cpu: '100m', memory: '1Mi' } } },
      { name: 'b', resources: { requests: { cpu: '0.2' } } },
    ],
    initContainers: [{ name: 'i', resources: { requests: { cpu: '50m', memory: '8Mi' } } }],
  })
  expect(requestsOf(wanted)).toEqual({ pods: 1, cpuMillis: 300, memoryBytes: 8 << 20 })
})
