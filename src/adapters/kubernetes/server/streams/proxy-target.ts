import { selects } from '../../objects/label-selector.ts'
import type { Json, JsonObject, KubeObject, ObjectStore } from '../../objects/types.ts'
import { isObject, listAt, numberAt, objectAt, textAt } from '../json.ts'
import { badRequest, notFound, StatusError } from '../status.ts'

/** Where a request to a proxy goes to. */
export interface ProxyTarget {
  readonly scheme: 'http' | 'https'
  readonly namespace: string
  readonly pod: string
  readonly port: number
  /** As redirects of the pod name it. */
  readonly host: string
}

type Reader = Pick<ObjectStore, 'get' | 'list'>

const PODS = { plural: 'pods', group: '', kind: 'Pod' } as const
const SERVICES = { plural: 'services', group: '', kind: 'Service' } as const
const SERVICE_LABEL = 'kubernetes.io/service-name'

/** `name`, `name:port` or `scheme:name:port`, taken apart. */
interface Named {
  readonly scheme: 'http' | 'https'
  readonly name: string
  readonly port: string
}

function parseId(id: string, kind: string): Named {
  const parts = id.split(':')
  const [scheme = '', name = '', port = ''] =
    parts.length === 1 ? ['', ...parts] : parts.length === 2 ? ['', ...parts] : parts
  const isScheme = scheme === '' || scheme === 'http' || scheme === 'https'
  if (parts.length > 3 || name === '' || !isScheme)
    throw badRequest(`invalid ${kind} request ${JSON.stringify(id)}`)
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port }
}

/**
 * The pod and port of a request to `pods/ID/proxy`.
 *
 * @throws StatusError: 400 for an ID that is none or a pod without an address, 404 without a pod.
 */
export function podTarget(store: Reader, namespace: string, id: string): ProxyTarget {
  const { scheme, name, port } = parseId(id, 'pod')
  const pod = store.get({ resource: 'pods', namespace, name })
  if (pod === undefined) throw notFound(PODS, name)
  const declared = listAt(pod, 'spec', 'containers').flatMap((each) => listAt(each, 'ports'))
  const first = numberAt(declared[0], 'containerPort')
  const ip = textAt(pod, 'status', 'podIP')
  if (ip === '') throw badRequest('address not allowed')
  const number = port === '' ? (first ?? (scheme === 'https' ? 443 : 80)) : portNumber(port)
  return { scheme, namespace, pod: name, port: number, host: `${ip}:${number}` }
}

function portNumber(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port > 0 && port <= 0xffff) return port
  const why = `error trying to reach service: dial tcp: address ${text}: invalid port`
  throw new StatusError('ServiceUnavailable', why)
}

/**
 * The pod and port behind a request to `services/ID/proxy`: one of the ready ones, at random.
 *
 * @param random a number from 0 to 1.
 * @throws StatusError: 400, 404 without a service, 503 when no pod is ready behind it.
 */
export function serviceTarget(
  store: Reader,
  namespace: string,
  id: string,
  random: number,
): ProxyTarget {
  const { scheme, name, port } = parseId(id, 'service')
  const service = store.get({ resource: 'services', namespace, name })
  if (service === undefined) throw notFound(SERVICES, name)
  const ports = listAt(service, 'spec', 'ports').filter(isObject)
  let portName = port
  if (/^-?\d+$/.test(port)) {
    const numbered = ports.find((each) => each['port'] === Number(port))
    if (numbered === undefined)
      throw unavailable(`no service port ${port} found for service "${name}"`)
    portName = textAt(numbered, 'name')
  }
  const backends = backendsOf(store, service, portName)
  const found = backends[Math.min(Math.floor(random * backends.length), backends.length - 1)]
  if (found === undefined) throw unavailable(`no endpoints available for service "${id}"`)
  return { scheme, namespace, ...found }
}

function unavailable(message: string): StatusError {
  return new StatusError('ServiceUnavailable', message)
}

type Backend = Pick<ProxyTarget, 'pod' | 'port' | 'host'>

/** What the slices of a service say; where nobody makes slices, what its selector finds. */
function backendsOf(store: Reader, service: KubeObject, portName: string): readonly Backend[] {
  const { name, namespace = '' } = service.metadata
  const slices = store
    .list('endpointslices.discovery.k8s.io', namespace)
    .items.filter((slice) => textAt(slice, 'metadata', 'labels', SERVICE_LABEL) === name)
  if (slices.length > 0)
    return slices.flatMap((slice) => sliceBackends(store, slice, namespace, portName))
  const port = listAt(service, 'spec', 'ports').find((each) => textAt(each, 'name') === portName)
  const selector = objectAt(service, 'spec', 'selector')
  if (port === undefined || Object.keys(selector).length === 0) return []
  return store
    .list('pods', namespace)
    .items.filter((pod) => isSelected(pod, selector) && isReady(pod))
    .flatMap((pod) => podBackend(pod, port))
}

function sliceBackends(
  store: Reader,
  slice: KubeObject,
  namespace: string,
  portName: string,
): readonly Backend[] {
  const found = listAt(slice, 'ports').find((each) => textAt(each, 'name') === portName)
  const port = numberAt(found, 'port')
  if (port === undefined) return []
  return listAt(slice, 'endpoints').flatMap((endpoint) => {
    const reference = objectAt(endpoint, 'targetRef')
    const isPod = reference['kind'] === 'Pod' && reference['namespace'] === namespace
    const ready = objectAt(endpoint, 'conditions')['ready']
    const [ip] = listAt(endpoint, 'addresses')
    const pod = textAt(reference, 'name')
    // Only to pods: anything else would let users of a service reach what they name in a slice.
    if (!isPod || ready === false || typeof ip !== 'string') return []
    const object = store.get({ resource: 'pods', namespace, name: pod })
    return object === undefined ? [] : [{ pod, port, host: `${ip}:${port}` }]
  })
}

function isSelected(pod: KubeObject, selector: JsonObject): boolean {
  return selects({ matchLabels: selector }, pod.metadata.labels ?? {})
}

function isReady(pod: KubeObject): boolean {
  const conditions = listAt(pod, 'status', 'conditions')
  const isGoing = (pod.metadata.deletionTimestamp ?? undefined) !== undefined
  return (
    !isGoing &&
    conditions.some((each) => textAt(each, 'type') === 'Ready' && textAt(each, 'status') === 'True')
  )
}

function podBackend(pod: KubeObject, servicePort: Json): readonly Backend[] {
  const target = isObject(servicePort)
    ? (servicePort['targetPort'] ?? servicePort['port'])
    : undefined
  const declared = listAt(pod, 'spec', 'containers').flatMap((each) => listAt(each, 'ports'))
  const named = declared.find((each) => textAt(each, 'name') === target)
  const port = typeof target === 'number' ? target : numberAt(named, 'containerPort')
  const ip = textAt(pod, 'status', 'podIP')
  if (port === undefined || ip === '') return []
  return [{ pod: pod.metadata.name, port, host: `${ip}:${port}` }]
}
