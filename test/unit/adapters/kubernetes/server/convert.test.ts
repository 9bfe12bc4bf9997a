import { expect, test } from 'vitest'
import type {
  JsonObject,
  KubeObject,
} from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { conversionOf } from '../../../../../src/adapters/kubernetes/server/convert/conversion.ts'

function conversion(apiVersion: string, resource: string) {
  const found = conversionOf(apiVersion, resource)
  if (found === undefined) throw new Error('no such conversion')
  return found
}

const scalers = conversion('autoscaling/v1', 'horizontalpodautoscalers.autoscaling')
const events = conversion('events.k8s.io/v1', 'events')

function scaler(spec: JsonObject, status?: JsonObject): KubeObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h', namespace: 'default', annotations: { mine: 'kept' } },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 5, ...spec },
    ...(status === undefined ? {} : { status }),
  }
}

const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
}

test('only what is kept in another version is converted', () => {
  expect(conversionOf('autoscaling/v2', 'horizontalpodautoscalers.autoscaling')).toBeUndefined()
  expect(conversionOf('v1', 'pods')).toBeUndefined()
})

test('an autoscaler by processor load is a field in v1', () => {
  const shown = scalers.fromKept(
    scaler(
      { metrics: [cpu] },
      {
        desiredReplicas: 1,
        currentReplicas: 1,
        currentMetrics: [
          { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 71 } } },
        ],
      },
    ),
  )
  expect(shown.apiVersion).toBe('autoscaling/v1')
  expect(shown['spec']).toEqual({
    scaleTargetRef: { kind: 'Deployment', name: 'd' },
    maxReplicas: 5,
    targetCPUUtilizationPercentage: 80,
  })
  expect(shown['status']).toEqual({
    desiredReplicas: 1,
    currentReplicas: 1,
    currentCPUUtilizationPercentage: 71,
  })
})

test('every metric, the behaviour and conditions survive the way through v1', () => {
  const metrics = [
    {
      type: 'Pods',
      pods: {
        metric: { name: 'hits', selector: { matchLabels: { a: 'b' } } },
        target: { type: 'AverageValue', averageValue: '10' },
      },
    },
    {
      type: 'Object',
      object: {
        describedObject: { kind: 'Ingress', name: 'i', apiVersion: 'networking.k8s.io/v1' },
        metric: { name: 'requests' },
        target: { type: 'Value', value: '2k' },
      },
    },
    {
      type: 'External',
      external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '3' } },
    },
    {
      type: 'ContainerResource',
      containerResource: {
        name: 'memory',
        container: 'app',
        target: { type: 'AverageValue', averageValue: '1Gi' },
      },
    },
    cpu,
  ]
  const kept = scaler(
    {
      metrics,
      behavior: {
        scaleDown: { policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }], tolerance: '0.1' },
      },
    },
    {
      currentReplicas: 2,
      desiredReplicas: 3,
      conditions: [{ type: 'AbleToScale', status: 'True' }],
      currentMetrics: [
        {
          type: 'Pods',
          pods: { metric: { name: 'hits' }, current: { averageValue: '7' } },
        },
      ],
    },
  )
  const shown = scalers.fromKept(kept)
  expect(Object.keys(shown.metadata.annotations ?? {}).sort()).toEqual([
    'autoscaling.alpha.kubernetes.io/behavior',
    'autoscaling.alpha.kubernetes.io/conditions',
    'autoscaling.alpha.kubernetes.io/current-metrics',
    'autoscaling.alpha.kubernetes.io/metrics',
    'mine',
  ])
  expect(
    JSON.parse(shown.metadata.annotations?.['autoscaling.alpha.kubernetes.io/metrics'] ?? ''),
  ).toHaveLength(4)
  expect(scalers.toKept(shown)).toEqual(kept)
})

test('an annotation that says nothing is left out', () => {
  const shown = scalers.fromKept(scaler({}))
  const annotations = { 'autoscaling.alpha.kubernetes.io/metrics': '{"a":' }
  const kept = scalers.toKept({ ...shown, metadata: { ...shown.metadata, annotations } })
  expect(kept['spec']).not.toHaveProperty('metrics')
  expect(kept.metadata).not.toHaveProperty('annotations')
})

test('an event has other names in events.k8s.io', () => {
  const kept = events.toKept({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'default' },
    regarding: { kind: 'Pod', name: 'p' },
    note: 'hello',
    eventTime: '2026-01-02T03:04:05.000000Z',
    reportingController: 'me',
    reportingInstance: 'me-1',
    action: 'Run',
  })
  expect(kept).toMatchObject({
    apiVersion: 'v1',
    involvedObject: { kind: 'Pod', name: 'p' },
    message: 'hello',
    source: {},
    reportingComponent: 'me',
  })
  expect(events.fromKept(kept)).toMatchObject({
    apiVersion: 'events.k8s.io/v1',
    regarding: { kind: 'Pod', name: 'p' },
    note: 'hello',
    reportingController: 'me',
    deprecatedSource: {},
  })
  // A list leaves out what stands in front of each of its objects.
  expect(Object.keys(events.fromKept(kept)).slice(0, 2)).toEqual(['apiVersion', 'kind'])
  expect(events.toKept(events.fromKept(kept))).toEqual(kept)
  expect(events.fields['regarding.name']).toBe('involvedObject.name')
})
