import { nodePrincipal } from 'tideway'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { describe, expect, test } from 'vitest'
import { nodePolicy } from '../../../examples/cloudcore/node-policy.ts'
import { refusalAtNode, secretsOf } from '../../../examples/shared/fleet-rules.ts'

const edge = nodePrincipal('edge-1')
const policy = nodePolicy(() => undefined)

function mayWrite(document: string, collection: string): boolean {
  return policy.mayWrite(edge, { kind: 'event', document, collection, exists: false }) === undefined
}

describe('what a node may write at the cloud', () => {
  test.each([
    ['a pod of its own', 'pods/default/web/1/observed', 'node/edge-1'],
    ['itself', 'nodes/_/edge-1/1/observed', 'node/edge-1'],
    ['its lease', 'leases.coordination.k8s.io/kube-node-lease/edge-1/1/desired', 'node/edge-1'],
    ['a config map', 'configmaps/default/a/1/desired', 'namespace/default'],
    ['a replica set', 'replicasets.apps/default/a/1/desired', 'namespace/default'],
  ])('%s', (_what, document, collection) => {
    expect(mayWrite(document, collection)).toBe(true)
  })

  test.each([
    ['a pod of another node', 'pods/default/web/1/observed', 'node/edge-2'],
    ['another node, in its own collection', 'nodes/_/edge-2/1/observed', 'node/edge-1'],
    [
      'a secret, in its own collection',
      'secrets/kube-system/bootstrap-token-x/1/desired',
      'node/edge-1',
    ],
    ['a config map, in its own collection', 'configmaps/default/a/1/desired', 'node/edge-1'],
    ['a text that is no object', 'anything', 'node/edge-1'],
    ['a config map under another namespace', 'configmaps/other/a/1/desired', 'namespace/default'],
    ['a service', 'services/default/a/1/desired', 'namespace/default'],
    ['a service account', 'serviceaccounts/default/a/1/desired', 'namespace/default'],
    ['a namespace', 'namespaces/_/a/1/desired', 'cluster'],
    ['a secret', 'secrets/default/a/1/desired', 'secret/default/a'],
    ['a pod that waits for a node', 'pods/default/web/1/desired', 'unscheduled'],
  ])('not %s', (_what, document, collection) => {
    expect(mayWrite(document, collection)).toBe(false)
  })

  test('it may not drop or move anything', () => {
    const request = {
      document: 'pods/default/web/1/desired',
      collection: 'node/edge-1',
      exists: true,
    }
    expect(policy.mayWrite(edge, { ...request, kind: 'leave' })).toBeDefined()
    expect(policy.mayWrite(edge, { ...request, kind: 'join' })).toBeDefined()
  })

  test('it reads namespaces and what belongs to none, and nothing of others', () => {
    for (const collection of ['cluster', 'namespace/any', 'node/edge-1']) {
      expect(policy.mayRead(edge, collection)).toBe(true)
    }
    for (const collection of ['node/edge-2', 'unscheduled', 'secret/default/a', 'secret/x', '']) {
      expect(policy.mayRead(edge, collection)).toBe(false)
    }
    expect(policy.mayConnect?.(edge, 'edge-2')).toBeDefined()
  })
})

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    nodeName: 'edge-1',
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'a', secret: { secretName: 'file' } },
      { name: 'b', projected: { sources: [{ secret: { name: 'projected' } }] } },
      { name: 'c', configMap: { name: 'none' } },
    ],
    initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 'from' } }] }],
    containers: [
      { name: 'm', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } }] },
    ],
  },
}

test('the secrets of a pod are found wherever a pod can name them', () => {
  const names = ['pull', 'file', 'projected', 'from', 'key']
  expect([...secretsOf('pods', pod)].sort()).toEqual(
    names.map((name) => `secret/shop/${name}`).sort(),
  )
})

test('a node says at once what the cloud would refuse later', () => {
  const key = { resource: 'pods', namespace: 'shop', name: 'web' }
  expect(refusalAtNode('edge-1', key, pod)).toBeUndefined()
  expect(refusalAtNode('edge-2', key, pod)).toContain('only pods with spec.nodeName edge-2')
  const map = { resource: 'configmaps', namespace: 'shop', name: 'a' }
  expect(refusalAtNode('edge-1', map, undefined)).toBeUndefined()
  const secret = { resource: 'secrets', namespace: 'shop', name: 'a' }
  expect(refusalAtNode('edge-1', secret, undefined)).toContain('use the API of the cloud')
})
