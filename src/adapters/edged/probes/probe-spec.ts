import type { Json, JsonObject } from '../../kubernetes/objects/types.ts'
import { asNumber, asObject, asObjects, asText, asTexts } from '../json.ts'
import type { ContainerView } from '../pod-view.ts'

/** What a probe decides on. */
export type ProbeType = 'startup' | 'liveness' | 'readiness'

/** An HTTP request to a container. */
export interface HttpAction {
  readonly type: 'http'
  /** Undefined: the pod's own address. */
  readonly host: string | undefined
  /** A number, or the name of one of the container's ports. */
  readonly port: Json | undefined
  /** With its query. */
  readonly path: string
  readonly isSecure: boolean
  readonly headers: readonly (readonly [string, string])[]
}

/** What is done to a container: to find out how it is, or because it has started or is to end. */
export type ContainerAction =
  | { readonly type: 'exec'; readonly command: readonly string[] }
  | HttpAction
  | { readonly type: 'tcp'; readonly host: string | undefined; readonly port: Json | undefined }
  | { readonly type: 'grpc'; readonly port: Json | undefined; readonly service: string }
  | { readonly type: 'sleep'; readonly delayMs: number }

/** One probe of a container. */
export interface ProbeSpec {
  readonly type: ProbeType
  readonly action: ContainerAction
  readonly initialDelayMs: number
  /** How long one look may take. */
  readonly timeoutMs: number
  readonly periodMs: number
  readonly successThreshold: number
  readonly failureThreshold: number
  /** The grace of a container that is stopped because of this probe. Undefined: the pod's. */
  readonly graceMs: number | undefined
}

const FIELDS: Readonly<Record<ProbeType, string>> = {
  startup: 'startupProbe',
  liveness: 'livenessProbe',
  readiness: 'readinessProbe',
}
const TIMEOUT_SECONDS_DEFAULT = 1
const PERIOD_SECONDS_DEFAULT = 10
const FAILURES_DEFAULT = 3

/** The probes of a container. One that says not what to do counts as absent. */
export function probesOf(container: ContainerView): readonly ProbeSpec[] {
  // A plain init container is ready when it has ended.
  if (container.kind === 'init' || container.kind === 'ephemeral') return []
  return (['startup', 'liveness', 'readiness'] as const).flatMap((type) => {
    const json = asObject(container.json[FIELDS[type]])
    const action = actionOf(json)
    return action === undefined ? [] : [readProbe(type, json, action)]
  })
}

function readProbe(type: ProbeType, json: JsonObject, action: ContainerAction): ProbeSpec {
  const graceSeconds = asNumber(json['terminationGracePeriodSeconds'])
  return {
    type,
    action,
    initialDelayMs: Math.max(asNumber(json['initialDelaySeconds']) ?? 0, 0) * 1000,
    timeoutMs: atLeastOne(json['timeoutSeconds'], TIMEOUT_SECONDS_DEFAULT) * 1000,
    periodMs: atLeastOne(json['periodSeconds'], PERIOD_SECONDS_DEFAULT) * 1000,
    successThreshold: atLeastOne(json['successThreshold'], 1),
    failureThreshold: atLeastOne(json['failureThreshold'], FAILURES_DEFAULT),
    graceMs: graceSeconds === undefined ? undefined : Math.max(graceSeconds, 0) * 1000,
  }
}

/** Reads what a probe or a hook does; undefined when it does not say. */
export function actionOf(json: JsonObject): ContainerAction | undefined {
  if (json['exec'] !== undefined) {
    return { type: 'exec', command: asTexts(asObject(json['exec'])['command']) }
  }
  if (json['httpGet'] !== undefined) return httpAction(asObject(json['httpGet']))
  if (json['tcpSocket'] !== undefined) {
    const socket = asObject(json['tcpSocket'])
    return { type: 'tcp', host: filled(socket['host']), port: socket['port'] }
  }
  if (json['grpc'] !== undefined) {
    const grpc = asObject(json['grpc'])
    return { type: 'grpc', port: grpc['port'], service: asText(grpc['service']) ?? '' }
  }
  if (json['sleep'] !== undefined) {
    const seconds = asNumber(asObject(json['sleep'])['seconds']) ?? 0
    return { type: 'sleep', delayMs: Math.max(seconds, 0) * 1000 }
  }
  return undefined
}

function httpAction(json: JsonObject): HttpAction {
  const path = asText(json['path']) ?? ''
  return {
    type: 'http',
    host: filled(json['host']),
    port: json['port'],
    path: path.startsWith('/') ? path : `/${path}`,
    isSecure: asText(json['scheme'])?.toUpperCase() === 'HTTPS',
    headers: asObjects(json['httpHeaders']).map(
      (each) => [asText(each['name']) ?? '', asText(each['value']) ?? ''] as const,
    ),
  }
}

/**
 * The number of a port that is given by number, or by the name of a port of the container.
 *
 * @returns what is wrong, when there is no such port.
 */
export function portNumber(port: Json | undefined, container: ContainerView): number | string {
  const named = asObjects(container.json['ports']).find((each) => each['name'] === port)
  const found = typeof port === 'string' ? (named?.['containerPort'] ?? Number(port)) : port
  const isPort = typeof found === 'number' && Number.isInteger(found) && found > 0 && found < 65_536
  if (isPort) return found
  return typeof port === 'string' && !/^[+-]?\d+$/.test(port)
    ? `strconv.Atoi: parsing ${JSON.stringify(port)}: invalid syntax`
    : `invalid port number: ${String(port ?? 0)}`
}

function filled(value: Json | undefined): string | undefined {
  const text = asText(value)
  return text === '' ? undefined : text
}

function atLeastOne(value: Json | undefined, fallback: number): number {
  const number = asNumber(value) ?? 0
  return number >= 1 ? number : fallback
}
