import { describe, expect, test } from 'vitest'
import { builtinResources } from '../../../../../src/adapters/kubernetes/objects/resources.ts'
import type {
  JsonObject,
  KubeObject,
  Resource,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import {
  applyDefaults,
  initialStatus,
} from '../../../../../src/adapters/kubernetes/server/kinds/defaults.ts'
import { pullPolicyOf } from '../../../../../src/adapters/kubernetes/server/kinds/image-policy.ts'
import {
  checkObject,
  checkUpdate,
} from '../../../../../src/adapters/kubernetes/server/kinds/validate.ts'
import { durationText } from '../../../../../src/adapters/kubernetes/server/table/column.ts'
import { podStatusText } from '../../../../../src/adapters/kubernetes/server/table/pod-columns.ts'
import { tableOf } from '../../../../../src/adapters/kubernetes/server/table/table.ts'

function resource(id: string): Resource {
  const found = builtinResources.find((item) => item.id === id)
  if (found === undefined) throw new Error(`no resource ${id}`)
  return found
}

function pod(spec: JsonObject, status?: JsonObject, metadata: JsonObject = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', ...metadata },
    spec,
    ...(status === undefined ? {} : { status }),
  }
}
const container = (more: JsonObject = {}): JsonObject => ({ name: 'c', image: 'i', ...more })
const kind = (name: string, more: JsonObject): KubeObject => ({
  apiVersion: 'v1',
  kind: name,
  metadata: { name: 'x', namespace: 'n' },
  ...more,
})

describe('defaults', () => {
  test('of a pod', () => {
    const { spec } = applyDefaults(
      'pods',
      pod({
        containers: [
          container({
            ports: [{ containerPort: 80 }],
            livenessProbe: { httpGet: { port: 80 } },
            resources: { limits: { cpu: '1' } },
            env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'x' } } }],
          }),
        ],
        volumes: [
          { name: 'e' },
          { name: 's', secret: { secretName: 's' } },
          { name: 'h', hostPath: { path: '/' } },
        ],
      }),
    )
    expect(spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      schedulerName: 'default-scheduler',
      securityContext: {},
      enableServiceLinks: true,
      serviceAccountName: 'default',
      serviceAccount: 'default',
      volumes: [
        { name: 'e', emptyDir: {} },
        { secret: { defaultMode: 420 } },
        { hostPath: { type: '' } },
      ],
      containers: [
        {
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'Always',
          ports: [{ protocol: 'TCP' }],
          resources: { limits: { cpu: '1' }, requests: { cpu: '1' } },
          livenessProbe: {
            httpGet: { path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
        },
      ],
    })
    expect(applyDefaults('pods', pod(spec as JsonObject))).toEqual(pod(spec as JsonObject))
  })

  test.each([
    ['a', 'Always'],
    ['a:latest', 'Always'],
    ['a:1', 'IfNotPresent'],
    ['host:5000/a', 'Always'],
    ['a@sha256:00', 'IfNotPresent'],
  ])('pull policy of %s is %s', (image, expected) => {
    expect(pullPolicyOf(image)).toBe(expected)
  })

  test('of the other kinds', () => {
    expect(applyDefaults('secrets', kind('Secret', { stringData: { a: 'b' } }))).toEqual(
      kind('Secret', { type: 'Opaque', data: { a: 'Yg==' } }),
    )
    expect(
      applyDefaults('services', kind('Service', { spec: { ports: [{ port: 80 }] } }))['spec'],
    ).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    })
    expect(applyDefaults('namespaces', kind('Namespace', {}))).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } },
      spec: { finalizers: ['kubernetes'] },
    })
    expect(applyDefaults('replicasets.apps', kind('ReplicaSet', { spec: {} }))['spec']).toEqual({
      replicas: 1,
    })
    expect(initialStatus('pods', pod({ containers: [container()] }))).toEqual({
      phase: 'Pending',
      qosClass: 'BestEffort',
    })
    const bounded = { cpu: '1', memory: '1Gi' }
    expect(
      initialStatus(
        'pods',
        pod({ containers: [container({ resources: { limits: bounded, requests: bounded } })] }),
      ),
    ).toMatchObject({ qosClass: 'Guaranteed' })
    expect(
      initialStatus(
        'pods',
        pod({ containers: [container({ resources: { requests: { cpu: '1' } } })] }),
      ),
    ).toMatchObject({ qosClass: 'Burstable' })
  })
})

describe('validation', () => {
  const restartRule = (): JsonObject => ({
    ...{ action: 'Restart', exitCodes: { operator: 'In', values: [1] } },
  })
  const fieldsOf = (id: string, object: KubeObject): readonly string[] =>
    checkObject(resource(id), object).map((cause) => `${cause.reason} ${cause.field}`)

  test.each<[string, JsonObject, readonly string[]]>([
    ['a good one', { containers: [container()] }, []],
    ['no containers', {}, ['FieldValueRequired spec.containers']],
    ['no image', { containers: [{ name: 'c' }] }, ['FieldValueRequired spec.containers[0].image']],
    [
      'a bad name',
      { containers: [container({ name: 'C' })] },
      ['FieldValueInvalid spec.containers[0].name'],
    ],
    [
      'names twice',
      { containers: [container(), container()] },
      ['FieldValueDuplicate spec.containers[1].name'],
    ],
    [
      'a port',
      { containers: [container({ ports: [{ containerPort: 70000 }] })] },
      ['FieldValueInvalid spec.containers[0].ports[0].containerPort'],
    ],
    [
      'a mount of nothing',
      { containers: [container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] })] },
      ['FieldValueNotFound spec.containers[0].volumeMounts[0].name'],
    ],
    [
      'a policy',
      { containers: [container()], restartPolicy: 'Sometimes' },
      ['FieldValueNotSupported spec.restartPolicy'],
    ],
    [
      'rules without a policy',
      { containers: [container({ restartPolicyRules: [restartRule()] })] },
      ['FieldValueRequired spec.containers[0].restartPolicy'],
    ],
    [
      'rules of nothing',
      { containers: [container({ restartPolicy: 'Never', restartPolicyRules: [{}] })] },
      [
        'FieldValueNotSupported spec.containers[0].restartPolicyRules[0].action',
        'FieldValueRequired spec.containers[0].restartPolicyRules[0].exitCodes',
      ],
    ],
    [
      'too many rules',
      {
        containers: [
          container({
            restartPolicy: 'Never',
            restartPolicyRules: Array.from({ length: 21 }, restartRule),
          }),
        ],
      },
      ['FieldValueTooMany spec.containers[0].restartPolicyRules'],
    ],
    [
      'a container that never ends well',
      { containers: [container({ restartPolicy: 'Sometimes' })] },
      ['FieldValueNotSupported spec.containers[0].restartPolicy'],
    ],
    [
      'requests over limits',
      { containers: [container({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } })] },
      ['FieldValueInvalid spec.containers[0].resources.requests'],
    ],
    [
      'a probe of nothing',
      { containers: [container({ livenessProbe: {} })] },
      ['FieldValueRequired spec.containers[0].livenessProbe'],
    ],
    [
      'an env from two places',
      {
        containers: [
          container({
            env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'a' } } }],
          }),
        ],
      },
      ['FieldValueInvalid spec.containers[0].env[0].valueFrom'],
    ],
    [
      'two volume sources',
      {
        containers: [container()],
        volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }],
      },
      ['FieldValueForbidden spec.volumes[0].hostPath'],
    ],
  ])('pods: %s', (_, spec, expected) => {
    expect(fieldsOf('pods', pod(spec))).toEqual(expected)
  })

  test('other kinds', () => {
    expect(fieldsOf('configmaps', kind('ConfigMap', { data: { 'a/b': 'x' } }))).toEqual([
      'FieldValueInvalid data[a/b]',
    ])
    expect(
      fieldsOf('configmaps', kind('ConfigMap', { data: { a: 'x'.repeat(1024 * 1024 + 1) } })),
    ).toEqual(['FieldValueTooLong data'])
    expect(
      fieldsOf('secrets', kind('Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } })),
    ).toEqual(['FieldValueRequired data[tls.key]'])
    expect(
      fieldsOf(
        'services',
        kind('Service', {
          spec: { type: 'ClusterIP', sessionAffinity: 'None', ports: [{ port: 1 }, { port: 0 }] },
        }),
      ),
    ).toEqual([
      'FieldValueRequired spec.ports[0].name',
      'FieldValueRequired spec.ports[1].name',
      'FieldValueInvalid spec.ports[1].port',
    ])
    const set = {
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'c' } }, spec: { containers: [container()] } },
      },
    }
    expect(fieldsOf('replicasets.apps', kind('ReplicaSet', set))).toEqual([
      'FieldValueInvalid spec.template.metadata.labels',
    ])
    const labelled: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'X', namespace: 'n', labels: { 'a b': '!' } },
    }
    expect(fieldsOf('configmaps', labelled)).toEqual([
      'FieldValueInvalid metadata.name',
      'FieldValueInvalid metadata.labels',
      'FieldValueInvalid metadata.labels',
    ])
  })

  test('what may not change', () => {
    const before = pod({ containers: [container()], tolerations: [{ key: 'a' }], nodeName: 'one' })
    const change = (spec: JsonObject): readonly string[] =>
      checkUpdate(
        resource('pods'),
        before,
        pod({ ...(before['spec'] as JsonObject), ...spec }),
      ).map((cause) => cause.field)
    expect(change({ containers: [container({ image: 'other' })] })).toEqual([])
    expect(change({ tolerations: [{ key: 'a' }, { key: 'b' }] })).toEqual([])
    expect(change({ tolerations: [] })).toEqual(['spec.tolerations'])
    expect(change({ nodeName: 'two' })).toEqual(['spec'])
    const frozen = kind('ConfigMap', { immutable: true, data: { a: '1' } })
    expect(
      checkUpdate(
        resource('configmaps'),
        frozen,
        kind('ConfigMap', { immutable: true, data: { a: '2' } }),
      ).map((cause) => cause.field),
    ).toEqual(['data'])
    const set = (app: string): KubeObject =>
      kind('ReplicaSet', { spec: { selector: { matchLabels: { app } } } })
    expect(
      checkUpdate(resource('replicasets.apps'), set('a'), set('b')).map((cause) => cause.message),
    ).toEqual([expect.stringContaining('field is immutable')])
  })
})

describe('rows', () => {
  test.each<[string, JsonObject, JsonObject, JsonObject, string]>([
    ['pending', {}, { phase: 'Pending' }, {}, 'Pending'],
    [
      'waiting',
      {},
      {
        phase: 'Pending',
        containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } } }],
      },
      {},
      'CrashLoopBackOff',
    ],
    [
      'ended',
      {},
      {
        phase: 'Succeeded',
        containerStatuses: [{ state: { terminated: { reason: 'Completed', exitCode: 0 } } }],
      },
      {},
      'Completed',
    ],
    [
      'killed',
      {},
      {
        phase: 'Failed',
        containerStatuses: [{ state: { terminated: { signal: 9, exitCode: 137 } } }],
      },
      {},
      'Signal:9',
    ],
    [
      'going',
      {},
      { phase: 'Running' },
      { deletionTimestamp: '2026-01-01T00:00:00Z' },
      'Terminating',
    ],
    [
      'starting',
      { initContainers: [{ name: 'a' }, { name: 'b' }] },
      {
        phase: 'Pending',
        initContainerStatuses: [
          { name: 'a', state: { terminated: { exitCode: 0 } } },
          { name: 'b', state: { running: {} } },
        ],
      },
      {},
      'Init:1/2',
    ],
    ['evicted', {}, { phase: 'Failed', reason: 'Evicted' }, {}, 'Evicted'],
  ])('a pod that is %s', (_, spec, status, metadata, expected) => {
    expect(podStatusText(pod(spec, status, metadata))).toBe(expected)
  })

  test.each([
    [0, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [190_000, '3m10s'],
    [3_600_000, '60m'],
    [10_800_000, '3h'],
    [12_660_000, '3h31m'],
    [172_800_000, '2d'],
    [864_000_000, '10d'],
    [86_400_000 * 800, '2y70d'],
  ])('%d ms is %s', (ms, expected) => {
    expect(durationText(ms)).toBe(expected)
  })

  test('a table names its columns and carries metadata', () => {
    const object = pod(
      { containers: [container()], nodeName: 'one' },
      {
        phase: 'Running',
        podIP: '10.0.0.1',
        containerStatuses: [{ name: 'c', ready: true, restartCount: 2, state: { running: {} } }],
      },
      { creationTimestamp: '2026-01-01T00:00:00Z' },
    )
    const table = tableOf({
      resource: resource('pods'),
      objects: [object],
      metadata: { resourceVersion: '7' },
      include: 'Metadata',
      metaVersion: 'v1',
      nowMs: Date.parse('2026-01-01T00:00:30Z'),
      hasHeader: true,
    })
    expect(table).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [
        {
          cells: ['p', '1/1', 'Running', '2', '30s', '10.0.0.1', 'one', '<none>', '<none>'],
          object: { kind: 'PartialObjectMetadata', metadata: { name: 'p' } },
        },
      ],
    })
  })

  test('every kind has columns that can be read from an empty object', () => {
    for (const item of builtinResources) {
      const object: KubeObject = { apiVersion: 'v1', kind: item.kind, metadata: { name: 'x' } }
      const table = tableOf({
        resource: item,
        objects: [object],
        metadata: {},
        include: 'None',
        metaVersion: 'v1',
        nowMs: 0,
        hasHeader: true,
      })
      expect(JSON.stringify(table), item.id).toContain('"x"')
    }
  })
})
