import type { JsonObject, KubeObject } from 'tideway/adapters/kubernetes/objects'
import { expect, test } from 'vitest'
import { boundTo } from '../../../examples/shared/fleet-rules.ts'

function pod(spec: JsonObject): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec }
}

test('a pod made at a node is for that node, unless it names one', () => {
  expect(boundTo('edge-1', pod({ containers: [] }))).toMatchObject({
    spec: { nodeName: 'edge-1', containers: [] },
  })
  const elsewhere = pod({ nodeName: 'edge-2' })
  expect(boundTo('edge-1', elsewhere)).toBe(elsewhere)
})
