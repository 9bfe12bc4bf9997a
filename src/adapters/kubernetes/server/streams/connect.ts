import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ProcessSession, SessionSpec } from '../../../../core/interfaces/process-session.ts'
import type { AttachRequest, PodStreams } from '../../objects/pod-streams.ts'
import { type JsonObject, type KubeObject, ObjectError } from '../../objects/types.ts'
import { decodedPath } from '../authorization.ts'
import type { Served } from '../catalog.ts'
import { keyOf, type RequestContext } from '../context.ts'
import { listAt, textAt } from '../json.ts'
import { containerOf, hasHost } from '../pod-container.ts'
import type { RequestInfo, ResourceRequest } from '../request.ts'
import type { Reply } from '../respond.ts'
import { badRequest, notFound, StatusError, unknownResource } from '../status.ts'
import { reviewedPart } from '../webhooks/reviewed-writes.ts'
import type { StreamHost } from './host.ts'
import type { ForwardTarget } from './port-forward.ts'
import { forwardOverSpdy, forwardOverTunnel, wantsTunnel } from './port-forward-spdy.ts'
import { forwardOverChannels, portsOf } from './port-forward-websocket.ts'
import { proxyRequest } from './proxy.ts'
import { podTarget, serviceTarget } from './proxy-target.ts'
import { sessionOverSpdy } from './session-spdy.ts'
import { sessionOverWebSocket } from './session-websocket.ts'
import { type Upgrade, upgradeKind } from './upgrade.ts'

/** The parts of pods and services that are connections, not objects. */
const SESSION_PARTS: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward'])

/** One request for a connection. */
export interface ConnectRequest {
  readonly info: ResourceRequest
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Undefined when the request asks for no other protocol. */
  readonly upgrade: Upgrade | undefined
}

/** Whether a request is for a connection into a pod. */
export function isConnect(info: ResourceRequest, served: Served): boolean {
  const { subresource: part = '' } = info
  const isServed = served.subresources.some(({ name }) => name === part)
  return isServed && (part === 'proxy' || SESSION_PARTS.has(part))
}

/**
 * Refuses a request for another protocol that has a body where there is none to switch to: what
 * follows it could not be told from its body.
 *
 * @throws StatusError 400.
 */
export function checkUpgrade(method: string | undefined, info: RequestInfo): void {
  const part = info.type === 'resource' ? (info.subresource ?? '') : ''
  const isRead = method === 'GET' || method === 'HEAD'
  if (isRead || part === 'proxy' || SESSION_PARTS.has(part)) return
  throw badRequest('the connection cannot be upgraded for this request')
}

/**
 * Serves a connection into a pod until it is over.
 *
 * @returns an answer to send; undefined when everything was said on the connection.
 * @throws StatusError when it is refused, before anything is sent.
 */
export async function connect(
  asked: ConnectRequest,
  context: RequestContext,
  streams: PodStreams | undefined,
  host: StreamHost,
): Promise<Reply | undefined> {
  if (streams === undefined) throw unknownResource()
  const part = asked.info.subresource ?? ''
  if (part === 'proxy') return await serveProxy(asked, context, streams, host)
  if (!isUpgradeMethod(asked.request.method)) throw notAllowed()
  // Also for a GET, which a browser sends: whoever may read pods may not run things in them.
  if (asked.info.verb !== 'create') await context.permit('create')
  if (context.query.getAll('dryRun').some((value) => value !== ''))
    throw badRequest('dryRun is not supported')
  const name = asked.info.name ?? ''
  const pod = context.store.get(keyOf(context, name))
  if (pod === undefined) throw notFound(context.served, name)
  const wanted = optionsOf(part, context.query)
  const options = await reviewedPart(context, 'CONNECT', part, name, wanted)
  const given = options === wanted ? context : { ...context, query: queryOf(options) }
  if (part === 'portforward') await forward(asked, given, pod, streams, host)
  else await runIn(asked, given, pod, streams, host)
  return undefined
}

/** What is asked of a connection, as webhooks are told it. */
function optionsOf(part: string, query: URLSearchParams): JsonObject {
  const kind = OPTIONS_KINDS[part] ?? ''
  if (part === 'portforward')
    return { kind, apiVersion: 'v1', ports: query.getAll('ports').map(Number) }
  const wanted = ['stdin', 'stdout', 'stderr', 'tty'].filter((name) => isYes(query.get(name)))
  const container = query.get('container') ?? ''
  return {
    kind,
    apiVersion: 'v1',
    ...Object.fromEntries(wanted.map((name) => [name, true])),
    ...(container === '' ? {} : { container }),
    ...(part === 'exec' ? { command: query.getAll('command') } : {}),
  }
}

/** The parameters of a connection, as webhooks leave them. */
function queryOf({ kind: _kind, apiVersion: _version, ...options }: JsonObject): URLSearchParams {
  const all = Object.entries(options).flatMap(([name, value]) =>
    [value].flat().map((item) => [name, String(item)] as [string, string]),
  )
  return new URLSearchParams(all)
}

const OPTIONS_KINDS: Readonly<Record<string, string>> = {
  attach: 'PodAttachOptions',
  exec: 'PodExecOptions',
  portforward: 'PodPortForwardOptions',
}

function isUpgradeMethod(method: string | undefined): boolean {
  return method === 'GET' || method === 'POST'
}

function notAllowed(): StatusError {
  const why = 'the server does not allow this method on the requested resource'
  return new StatusError('MethodNotAllowed', why, {})
}

function requireHost(pod: KubeObject): void {
  if (!hasHost(pod)) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
}

function requireUpgrade(upgrade: Upgrade | undefined): Upgrade {
  if (upgrade === undefined) throw badRequest('Upgrade request required')
  return upgrade
}

async function runIn(
  asked: ConnectRequest,
  { query }: RequestContext,
  pod: KubeObject,
  streams: PodStreams,
  host: StreamHost,
): Promise<void> {
  const container = containerOf(pod, query.get('container') ?? '')
  requireHost(pod)
  const upgrade = requireUpgrade(asked.upgrade)
  const spec = specOf(query)
  const target: AttachRequest = {
    ...spec,
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    container,
  }
  const open = (): Promise<ProcessSession> =>
    told(
      asked.info.subresource === 'exec'
        ? streams.exec({ ...target, command: query.getAll('command') })
        : streams.attach({ ...target, tty: hasTerminal(pod, container) }),
    )
  if (upgradeKind(upgrade) === 'websocket') await sessionOverWebSocket(upgrade, spec, open, host)
  else await sessionOverSpdy(upgrade, spec, open, host)
}

/** What a node says as a Status in the form of kube-apiserver. */
async function told(opening: Promise<ProcessSession>): Promise<ProcessSession> {
  try {
    return await opening
  } catch (error) {
    if (!(error instanceof ObjectError) || error.reason !== 'InternalError') throw error
    const { message } = error
    const causes = [{ message }]
    throw new StatusError('InternalError', `Internal error occurred: ${message}`, { causes })
  }
}

/** @throws StatusError 400 when nothing is to be connected. */
function specOf(query: URLSearchParams): SessionSpec {
  const tty = isYes(query.get('tty'))
  const stdin = isYes(query.get('stdin'))
  const stdout = isYes(query.get('stdout'))
  // A terminal has one output.
  const stderr = isYes(query.get('stderr')) && !tty
  if (!stdin && !stdout && !stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  return { stdin, stdout, stderr, tty }
}

/** A boolean parameter, as API machinery reads it: anything but `0` and `false` is true. */
function isYes(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

/** Whether a container has a terminal is decided when it starts, not by who attaches. */
function hasTerminal(pod: KubeObject, container: string): boolean {
  const lists = ['initContainers', 'containers', 'ephemeralContainers']
  const all = lists.flatMap((list) => listAt(pod, 'spec', list))
  const found = all.find((each) => textAt(each, 'name') === container)
  return typeof found === 'object' && found !== null && 'tty' in found && found['tty'] === true
}

async function forward(
  asked: ConnectRequest,
  { query }: RequestContext,
  pod: KubeObject,
  streams: PodStreams,
  host: StreamHost,
): Promise<void> {
  requireHost(pod)
  const upgrade = requireUpgrade(asked.upgrade)
  const { name, namespace = '' } = pod.metadata
  const target: ForwardTarget = {
    pod: name,
    dial: (port) => streams.portForward({ namespace, pod: name, port }),
  }
  if (upgradeKind(upgrade) === 'spdy') await forwardOverSpdy(upgrade, target, host)
  else if (wantsTunnel(upgrade)) await forwardOverTunnel(upgrade, target, host)
  else await forwardOverChannels(upgrade, portsOf(query), target, host)
}

async function serveProxy(
  { info, request, response, upgrade }: ConnectRequest,
  context: RequestContext,
  streams: PodStreams,
  host: StreamHost,
): Promise<Reply | undefined> {
  const { store, namespace = '', resource } = context
  const name = info.name ?? ''
  const kind = resource.id === 'pods' ? 'PodProxyOptions' : 'ServiceProxyOptions'
  const [, prefix = '', rest = ''] =
    /^((?:\/+[^/?]+){6}\/+proxy)(.*)$/.exec(request.url ?? '') ?? []
  const [path = ''] = rest.split('?')
  const options = { kind, apiVersion: 'v1', ...(path === '' ? {} : { path: decodedPath(path) }) }
  await reviewedPart(context, 'CONNECT', 'proxy', name, options)
  const target =
    resource.id === 'pods'
      ? podTarget(store, namespace, name)
      : serviceTarget(store, namespace, name, Math.random())
  return await proxyRequest({ request, response, upgrade, target, prefix, rest }, streams, host)
}
