import { expect, test } from 'vitest'
import {
  asAllocated,
  lackMessage,
  lacksOf,
  usersOf,
} from '../../../../../src/adapters/edged/admission/node-room.ts'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

function asking(requests: JsonObject, status: JsonObject = {}): KubeObject {
  return pod({ containers: [{ name: 'main', resources: { requests } }] }, {}, status).object
}

const NODE = { cpu: '2', memory: '1Gi', pods: '3' }

function said(wanted: KubeObject, others: readonly KubeObject[]): readonly string[] {
  return lacksOf(wanted, others, NODE).map(lackMessage)
}

test('what fits beside the others', () => {
  expect(said(asking({ cpu: '500m', memory: '512Mi' }), [asking({ cpu: '1500m' })])).toEqual([])
  expect(said(asking({}), [asking({ cpu: '4' })])).toEqual([])
})

test('what does not, in kubelet order and words', () => {
  const others = [asking({ cpu: '1', memory: '1Gi' }), asking({}), asking({ cpu: '250m' })]
  expect(said(asking({ cpu: '1', memory: '1Mi' }), others)).toEqual([
    "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
    "Node didn't have enough resource: cpu, requested: 1000, used: 1250, capacity: 2000",
    "Node didn't have enough resource: memory, requested: 1048576, used: 1073741824, capacity: 1073741824",
  ])
})

test('pods that have ended, are elsewhere or are the same one use nothing', () => {
  const own = asking({}, {})
  const over = asking({}, { phase: 'Succeeded' })
  const away = { ...own, spec: { nodeName: 'edge-2' } }
  expect(usersOf([own, over, away], 'edge-1', undefined)).toEqual([own])
  expect(usersOf([own], 'edge-1', 'u-1')).toEqual([])
})

test('what a pod has counts, not what it is to have', () => {
  const status = { containerStatuses: [{ name: 'main', allocatedResources: { cpu: '1' } }] }
  const waiting = asAllocated(asking({ cpu: '4' }, status))
  expect(said(asking({ cpu: '1' }), [waiting])).toEqual([])
})
