import { describe, expect, test } from 'vitest'
import {
  asStaticPod,
  isMirror,
  isMirrorOf,
  mirrorOf,
} from '../../../../../src/adapters/edged/static/static-pod.ts'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'

const PLACE = { node: 'Edge-1', file: '/m/web.yaml', seenAt: '2026-01-01T00:00:00Z' }

function manifest(spec: JsonObject = {}, metadata: JsonObject = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', ...metadata },
    spec: { containers: [{ name: 'main', image: 'x' }], ...spec },
  }
}

describe('a static pod', () => {
  const pod = asStaticPod(manifest(), PLACE)

  test('is named after its node and bound to it, and says where it comes from', () => {
    const { uid } = pod.metadata
    expect(pod).toMatchObject({
      metadata: {
        name: 'web-edge-1',
        namespace: 'default',
        annotations: {
          'kubernetes.io/config.hash': uid,
          'kubernetes.io/config.seen': PLACE.seenAt,
          'kubernetes.io/config.source': 'file',
        },
      },
      spec: { nodeName: 'Edge-1', tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] },
    })
    expect(uid).toMatch(/^[0-9a-f]{32}$/)
  })

  test('is the same as long as its text, file and node are', () => {
    const later = { ...PLACE, seenAt: '2027-01-01T00:00:00Z' }
    expect(asStaticPod(manifest(), later).metadata.uid).toBe(pod.metadata.uid)
    const others = [
      asStaticPod(manifest({ priority: 1 }), PLACE),
      asStaticPod(manifest(), { ...PLACE, file: '/m/b.yaml' }),
      asStaticPod(manifest(), { ...PLACE, node: 'edge-2' }),
    ]
    expect(new Set([pod, ...others].map(({ metadata }) => metadata.uid)).size).toBe(4)
  })

  test('keeps a uid that it is given', () => {
    expect(asStaticPod(manifest({}, { uid: 'own' }), PLACE).metadata.uid).toBe('own')
  })

  test.each<[string, JsonObject]>([
    ['secrets', { volumes: [{ name: 'v', secret: { secretName: 's' } }] }],
    ['configmaps', { containers: [{ name: 'main', envFrom: [{ configMapRef: { name: 'c' } }] }] }],
    ['serviceaccounts', { serviceAccountName: 'robot' }],
    [
      'persistentvolumeclaims',
      { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] },
    ],
  ])('may not refer to %s', (resource, spec) => {
    expect(() => asStaticPod(manifest(spec), PLACE)).toThrow(
      `static pods may not reference ${resource}`,
    )
  })

  test('is shown by a mirror, which belongs to the node', () => {
    const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', uid: 'u' } }
    const mirror = mirrorOf(pod, node)
    expect(mirror.metadata.uid).toBeUndefined()
    expect(mirror.metadata['ownerReferences']).toEqual([
      { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u', controller: true },
    ])
    expect([isMirror(mirror), isMirror(pod), isMirrorOf(mirror, pod)]).toEqual([true, false, true])
    expect(isMirrorOf(mirror, asStaticPod(manifest({ priority: 1 }), PLACE))).toBe(false)
  })
})
