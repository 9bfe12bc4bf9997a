import { describe, expect, test } from 'vitest'
import type {
  KubeObject,
  ObjectKey,
} from '../../../../../../src/adapters/kubernetes/objects/types.ts'
import {
  podTarget,
  serviceTarget,
} from '../../../../../../src/adapters/kubernetes/server/streams/proxy-target.ts'

type Reader = Parameters<typeof podTarget>[0]

function pod(name: string, ip: string, ready: boolean): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { podIP: ip, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

function service(ports: readonly object[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'front', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: ports as never },
  }
}

function slice(endpoints: readonly object[], port: object = { name: '', port: 9090 }): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'front-1',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'front' },
    },
    ports: [port] as never,
    endpoints: endpoints as never,
  }
}

const PLURALS: Readonly<Record<string, string>> = {
  Pod: 'pods',
  Service: 'services',
  EndpointSlice: 'endpointslices.discovery.k8s.io',
}

/** What the targets read of a store. */
function storeOf(...objects: readonly KubeObject[]): Reader {
  return {
    get: ({ resource, name }: ObjectKey) =>
      objects.find((each) => PLURALS[each.kind] === resource && each.metadata.name === name),
    list: (resource) => ({
      items: objects.filter((each) => PLURALS[each.kind] === resource),
      resourceVersion: 1,
    }),
  }
}

const ready = {
  targetRef: { kind: 'Pod', namespace: 'default', name: 'a' },
  addresses: ['10.0.0.1'],
}

describe('the target of a proxy to a pod', () => {
  const store = storeOf(pod('a', '10.0.0.1', true), pod('none', '', false))

  test('is the port that is asked for, or the first one that the pod declares', () => {
    expect(podTarget(store, 'default', 'a')).toMatchObject({ pod: 'a', port: 8080, scheme: 'http' })
    expect(podTarget(store, 'default', 'a:81')).toMatchObject({ port: 81, host: '10.0.0.1:81' })
    expect(podTarget(store, 'default', 'https:a:443')).toMatchObject({ scheme: 'https', port: 443 })
  })

  test.each([
    ['ftp:a:1', 'invalid pod request "ftp:a:1"'],
    ['a:b:c:d', 'invalid pod request "a:b:c:d"'],
    [':80', 'invalid pod request ":80"'],
    ['other', 'pods "other" not found'],
    ['none', 'address not allowed'],
    ['a:99999', 'invalid port'],
  ])('of %s is refused', (id, message) => {
    expect(() => podTarget(store, 'default', id)).toThrow(message)
  })
})

describe('the target of a proxy to a service', () => {
  test('is a pod that a slice names and that is ready', () => {
    const notReady = { ...ready, conditions: { ready: false } }
    const store = storeOf(
      pod('a', '10.0.0.1', true),
      service([{ port: 80 }]),
      slice([notReady, ready]),
    )
    const target = { pod: 'a', port: 9090, host: '10.0.0.1:9090' }
    for (const random of [0, 0.5, 0.999, 1])
      expect(serviceTarget(store, 'default', 'front', random)).toMatchObject(target)
    expect(serviceTarget(store, 'default', 'front:80', 0)).toMatchObject(target)
  })

  test('is never an address that is no pod of the namespace', () => {
    const elsewhere = { ...ready, targetRef: { ...ready.targetRef, namespace: 'kube-system' } }
    const bare = { addresses: ['169.254.169.254'] }
    const gone = { ...ready, targetRef: { ...ready.targetRef, name: 'gone' } }
    const store = storeOf(
      ...[pod('a', '10.0.0.1', true), service([{ port: 80 }])],
      slice([elsewhere, bare, gone]),
    )
    expect(() => serviceTarget(store, 'default', 'front', 0)).toThrow(
      'no endpoints available for service "front"',
    )
  })

  test('is a ready pod that the selector finds, where nobody makes slices', () => {
    const ports = [{ name: 'web', port: 80, targetPort: 'http' }]
    const store = storeOf(pod('a', '10.0.0.1', false), pod('b', '10.0.0.2', true), service(ports))
    expect(serviceTarget(store, 'default', 'front:web', 0)).toMatchObject({ pod: 'b', port: 8080 })
    expect(() => serviceTarget(store, 'default', 'front:81', 0)).toThrow(
      'no service port 81 found for service "front"',
    )
    expect(() => serviceTarget(store, 'default', 'other', 0)).toThrow('services "other" not found')
  })
})
