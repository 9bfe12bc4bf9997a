import { quantityNano } from '../../objects/quantity.ts'
import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'

/** `object` with each of `values` that it lacks. */
export function withDefaults(object: JsonObject, values: JsonObject): JsonObject {
  const missing = Object.entries(values).filter(
    ([key, value]) => value !== undefined && object[key] === undefined,
  )
  return missing.length === 0 ? object : { ...object, ...Object.fromEntries(missing) }
}

/** `object` with the field `key` mapped, where it is there. */
export function mapField(
  object: JsonObject,
  key: string,
  change: (value: JsonObject) => JsonObject,
): JsonObject {
  const value = object[key]
  return isObject(value) ? { ...object, [key]: change(value) } : object
}

/** `object` with each item of the list `key` mapped, where it is there. */
export function mapItems(
  object: JsonObject,
  key: string,
  change: (item: JsonObject) => JsonObject,
): JsonObject {
  const list = object[key]
  if (!Array.isArray(list)) return object
  return { ...object, [key]: list.map((item: Json) => (isObject(item) ? change(item) : item)) }
}

/** What `imagePullPolicy` is when a container does not say: by the tag of its image. */
export function pullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  const name = image.slice(image.lastIndexOf('/') + 1)
  if (name.includes('@')) return 'IfNotPresent'
  const tag = name.includes(':') ? name.slice(name.lastIndexOf(':') + 1) : 'latest'
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function probeDefaults(probe: JsonObject): JsonObject {
  const timed = withDefaults(probe, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  })
  return mapField(mapField(timed, 'httpGet', httpDefaults), 'grpc', (grpc) =>
    withDefaults(grpc, { service: '' }),
  )
}

function httpDefaults(get: JsonObject): JsonObject {
  return withDefaults(get, { path: '/', scheme: 'HTTP' })
}

function lifecycleDefaults(lifecycle: JsonObject): JsonObject {
  const hook = (value: JsonObject): JsonObject => mapField(value, 'httpGet', httpDefaults)
  return mapField(mapField(lifecycle, 'postStart', hook), 'preStop', hook)
}

function resourceDefaults(resources: JsonObject): JsonObject {
  const limits = resources['limits']
  if (!isObject(limits)) return resources
  return { ...resources, requests: withDefaults(objectAt(resources, 'requests'), limits) }
}

function containerDefaults(container: JsonObject, isHostNetwork: boolean): JsonObject {
  let out = withDefaults(container, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: pullPolicyOf(textAt(container, 'image')),
    resources: {},
  })
  out = mapField(out, 'resources', resourceDefaults)
  out = mapItems(out, 'ports', (port) =>
    withDefaults(port, {
      protocol: 'TCP',
      ...(isHostNetwork ? { hostPort: port['containerPort'] } : {}),
    }),
  )
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    out = mapField(out, probe, probeDefaults)
  out = mapField(out, 'lifecycle', lifecycleDefaults)
  return mapItems(out, 'env', (entry) =>
    mapField(entry, 'valueFrom', (from) => mapField(from, 'fieldRef', fieldRefDefaults)),
  )
}

function fieldRefDefaults(reference: JsonObject): JsonObject {
  return withDefaults(reference, { apiVersion: 'v1' })
}

function volumeDefaults(volume: JsonObject): JsonObject {
  const withSource = Object.keys(volume).some((key) => key !== 'name')
    ? volume
    : { ...volume, emptyDir: {} }
  const mode = (source: JsonObject): JsonObject =>
    mapItems(withDefaults(source, { defaultMode: 0o644 }), 'items', (item) =>
      mapField(item, 'fieldRef', fieldRefDefaults),
    )
  let out: JsonObject = withSource
  for (const kind of ['configMap', 'secret', 'downwardAPI', 'projected'])
    out = mapField(out, kind, mode)
  return mapField(out, 'hostPath', (source) => withDefaults(source, { type: '' }))
}

/** What a pod spec, also one in a template, gets where it says nothing. */
export function podSpecDefaults(spec: JsonObject): JsonObject {
  let out = withDefaults(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    securityContext: {},
    ...(spec['serviceAccountName'] === undefined
      ? {}
      : { serviceAccount: spec['serviceAccountName'] }),
  })
  const isHostNetwork = spec['hostNetwork'] === true
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    out = mapItems(out, list, (container) => containerDefaults(container, isHostNetwork))
  }
  return mapItems(out, 'volumes', volumeDefaults)
}

/** What a pod gets where it says nothing. */
export function podDefaults(pod: KubeObject): KubeObject {
  const named = withDefaults(objectAt(pod, 'spec'), {
    enableServiceLinks: true,
    serviceAccountName: textAt(pod, 'spec', 'serviceAccount') || 'default',
  })
  return { ...pod, spec: podSpecDefaults(named) }
}

/** The quality of service that the requests and limits of a pod amount to. */
export function qosClass(pod: JsonObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [
    ...listAt(pod, 'spec', 'containers'),
    ...listAt(pod, 'spec', 'initContainers'),
  ]
  const isPositive = (value: Json | undefined): boolean =>
    (typeof value === 'string' ? (quantityNano(value) ?? 0n) : 0n) > 0n
  let hasAny = false
  let isGuaranteed = containers.length > 0
  for (const container of containers) {
    for (const name of ['cpu', 'memory']) {
      const request = at(container, 'resources', 'requests', name)
      const limit = at(container, 'resources', 'limits', name)
      hasAny ||= isPositive(request) || isPositive(limit)
      isGuaranteed &&= isPositive(limit) && (request === undefined || request === limit)
    }
  }
  return !hasAny ? 'BestEffort' : isGuaranteed ? 'Guaranteed' : 'Burstable'
}
