import { isObject } from '../kubernetes/objects/read.ts'
import type { JsonObject, KubeObject } from '../kubernetes/objects/types.ts'
import { asNumber, asObject, asObjects, asText, asTextMap, asTexts } from './json.ts'

/** One container of a pod spec. */
export interface ContainerView {
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir: string | undefined
  readonly env: readonly JsonObject[]
  readonly envFrom: readonly JsonObject[]
  readonly volumeMounts: readonly JsonObject[]
  readonly requests: JsonObject
  readonly limits: JsonObject
  /** A stdin for those who attach: the first, or all; undefined for none. */
  readonly stdin: 'once' | 'open' | undefined
  readonly tty: boolean
  /** What to do once it has started. */
  readonly postStart: JsonObject | undefined
  /** What to do before it is asked to end. */
  readonly preStop: JsonObject | undefined
  /**
   * `sidecar` is an init container that keeps running (restartPolicy Always), `ephemeral` one that was
   * added to the pod to look at it.
   */
  readonly kind: 'app' | 'init' | 'sidecar' | 'ephemeral'
  readonly json: JsonObject
}

/** A pod as edged reads it. Whatever is malformed in it counts as absent. */
export interface PodView {
  readonly object: KubeObject
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly nodeName: string | undefined
  readonly initContainers: readonly ContainerView[]
  readonly containers: readonly ContainerView[]
  /** Those that were added later, to look at the others. */
  readonly ephemeralContainers: readonly ContainerView[]
  readonly volumes: readonly JsonObject[]
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /** How long its containers get to stop, in milliseconds. */
  readonly graceMs: number
  readonly isDeleted: boolean
  readonly hostname: string
  readonly status: JsonObject
  readonly spec: JsonObject
}

const GRACE_SECONDS_DEFAULT = 30

/** Reads a pod. */
export function viewPod(object: KubeObject): PodView {
  const { metadata } = object
  const spec = asObject(object['spec'])
  const graceSeconds =
    metadata.deletionGracePeriodSeconds ??
    asNumber(spec['terminationGracePeriodSeconds']) ??
    GRACE_SECONDS_DEFAULT
  const policy = asText(spec['restartPolicy'])
  return {
    object,
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    uid: metadata.uid ?? '',
    nodeName: asText(spec['nodeName']),
    initContainers: asObjects(spec['initContainers']).map((each) =>
      viewContainer(each, asText(each['restartPolicy']) === 'Always' ? 'sidecar' : 'init'),
    ),
    containers: asObjects(spec['containers']).map((each) => viewContainer(each, 'app')),
    ephemeralContainers: asObjects(spec['ephemeralContainers']).map((each) =>
      viewContainer(each, 'ephemeral'),
    ),
    volumes: asObjects(spec['volumes']),
    restartPolicy: policy === 'Never' || policy === 'OnFailure' ? policy : 'Always',
    graceMs: Math.max(graceSeconds, 0) * 1000,
    isDeleted: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
    hostname: asText(spec['hostname']) ?? metadata.name.slice(0, 63),
    status: asObject(object['status']),
    spec,
  }
}

function viewContainer(json: JsonObject, kind: ContainerView['kind']): ContainerView {
  const resources = asObject(json['resources'])
  const lifecycle = asObject(json['lifecycle'])
  return {
    name: asText(json['name']) ?? '',
    image: asText(json['image']) ?? '',
    command: asTexts(json['command']),
    args: asTexts(json['args']),
    workingDir: asText(json['workingDir']),
    env: asObjects(json['env']),
    envFrom: asObjects(json['envFrom']),
    volumeMounts: asObjects(json['volumeMounts']),
    requests: asObject(resources['requests']),
    limits: asObject(resources['limits']),
    stdin: json['stdin'] !== true ? undefined : json['stdinOnce'] === true ? 'once' : 'open',
    tty: json['tty'] === true,
    postStart: isObject(lifecycle['postStart']) ? lifecycle['postStart'] : undefined,
    preStop: isObject(lifecycle['preStop']) ? lifecycle['preStop'] : undefined,
    kind,
    json,
  }
}

/** The containers that a pod was made with: init containers first, in order. */
export function ownContainers(pod: PodView): readonly ContainerView[] {
  return [...pod.initContainers, ...pod.containers]
}

/** All containers of a pod, those that were added to it last. */
export function allContainers(pod: PodView): readonly ContainerView[] {
  return [...ownContainers(pod), ...pod.ephemeralContainers]
}

/** What the pod's own status says of a container; undefined when it says nothing. */
export function toldOf(pod: PodView, container: string): JsonObject | undefined {
  const lists = ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses']
  const statuses = lists.flatMap((list) => asObjects(pod.status[list]))
  return statuses.find((status) => status['name'] === container)
}

/** The names of the config maps and secrets that a pod refers to, as `configmaps/NAME`. */
export function referencesOf(pod: PodView): ReadonlySet<string> {
  const found = new Set<string>()
  const add = (resource: string, name: string | undefined): void => {
    if (name !== undefined) found.add(`${resource}/${name}`)
  }
  for (const container of allContainers(pod)) {
    for (const from of container.envFrom) {
      add('configmaps', asTextMap(from['configMapRef'])['name'])
      add('secrets', asTextMap(from['secretRef'])['name'])
    }
    for (const variable of container.env) {
      const from = asObject(variable['valueFrom'])
      add('configmaps', asTextMap(from['configMapKeyRef'])['name'])
      add('secrets', asTextMap(from['secretKeyRef'])['name'])
    }
  }
  for (const each of asObjects(pod.spec['imagePullSecrets'])) add('secrets', asText(each['name']))
  for (const volume of pod.volumes) {
    const projected = asObjects(asObject(volume['projected'])['sources'])
    add('secrets', asTextMap(volume['secret'])['secretName'])
    for (const source of [volume, ...projected]) {
      add('configmaps', asTextMap(source['configMap'])['name'])
      add('secrets', asTextMap(source['secret'])['name'])
    }
  }
  return found
}
