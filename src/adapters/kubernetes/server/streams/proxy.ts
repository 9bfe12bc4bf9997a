import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as tlsConnect } from 'node:tls'
import type { PodStreams } from '../../objects/pod-streams.ts'
import { ObjectError } from '../../objects/types.ts'
import { type Reply, replyText } from '../respond.ts'
import { badRequest, StatusError } from '../status.ts'
import type { StreamHost } from './host.ts'
import type { ProxyTarget } from './proxy-target.ts'
import { duplexOf } from './stream-duplex.ts'
import { takeSocket, type Upgrade } from './upgrade.ts'

/** One request to pass on. */
export interface ProxyRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly upgrade: Upgrade | undefined
  readonly target: ProxyTarget
  /** The path up to and with `/proxy`, as it was sent. */
  readonly prefix: string
  /** What follows it, with the query, as it was sent. */
  readonly rest: string
}

/** Headers that are about one connection only (RFC 9110, section 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Headers by which a client says who it is: to this server, and to nobody else. */
const CREDENTIALS = /^(?:authorization|impersonate-.*)$/

/**
 * Passes a request on to a pod and its answer back, also when it asks for another protocol.
 *
 * @returns an answer that needs no pod; undefined when everything was sent.
 * @throws StatusError 503 when nobody answers there.
 */
export async function proxyRequest(
  proxied: ProxyRequest,
  streams: PodStreams,
  host: StreamHost,
): Promise<Reply | undefined> {
  const { request, upgrade, prefix, rest, target } = proxied
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (upgrade === undefined && isRead && !rest.startsWith('/')) {
    // So that relative links on the page are relative to the pod's root.
    return { ...replyText('', 301), headers: { Location: `${prefix}/${rest}` } }
  }
  const socket = await dial(target, streams)
  const outgoing = httpRequest({
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path: rest.startsWith('/') ? rest : `/${rest}`,
    headers: requestHeaders(proxied),
  })
  const release = host.keep(() => outgoing.destroy())
  proxied.response.once('close', () => outgoing.destroy())
  try {
    if (upgrade === undefined) await passOn(proxied, outgoing)
    else await passUpgrade(proxied, upgrade, outgoing)
  } finally {
    release()
    socket.destroy()
  }
  return undefined
}

async function dial(target: ProxyTarget, streams: PodStreams): Promise<Duplex> {
  const { namespace, pod, port } = target
  try {
    const socket = duplexOf(await streams.portForward({ namespace, pod, port }))
    // Certificates of pods name nothing that could be checked, as in Kubernetes.
    return target.scheme === 'https' ? tlsConnect({ socket, rejectUnauthorized: false }) : socket
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error
    throw unreachable(error.message)
  }
}

function unreachable(why: string): StatusError {
  return new StatusError('ServiceUnavailable', `error trying to reach service: ${why}`)
}

function requestHeaders({
  request,
  upgrade,
  prefix,
  rest,
}: ProxyRequest): Record<string, string | string[]> {
  const headers = forwarded(request.headers, (name) => CREDENTIALS.test(name))
  const address = request.socket.remoteAddress ?? ''
  const before = request.headers['x-forwarded-for']
  headers['X-Forwarded-For'] = before === undefined ? address : `${String(before)}, ${address}`
  headers['X-Forwarded-Uri'] = `${prefix}${rest.split('?')[0] ?? ''}`
  if (upgrade !== undefined) {
    headers['Connection'] = 'Upgrade'
    headers['Upgrade'] = request.headers.upgrade ?? ''
  }
  return headers
}

/** The headers that may leave one connection for another. */
function forwarded(
  headers: IncomingHttpHeaders,
  isKept: (name: string) => boolean = () => false,
): Record<string, string | string[]> {
  const named = String(headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  const passed: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.includes(name) || isKept(name))
      continue
    passed[name] = value
  }
  return passed
}

async function passOn(proxied: ProxyRequest, outgoing: ClientRequest): Promise<void> {
  const { request, response } = proxied
  const answered = answerOf(outgoing)
  // A pod may answer before it has read everything; then the rest is not wanted.
  const sent = pipeline(request, outgoing).catch(() => undefined)
  const answer = await answered
  if (!('message' in answer)) throw badGateway(answer.upgraded)
  await sendAnswer(proxied, answer.message, response)
  await sent
}

async function sendAnswer(
  proxied: ProxyRequest,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = forwarded(message.headers)
  const { location } = message.headers
  if (location !== undefined) headers['location'] = rewritten(location, proxied)
  response.writeHead(message.statusCode ?? 502, message.statusMessage, headers)
  // So that a page that is sent bit by bit arrives bit by bit.
  response.flushHeaders()
  await pipeline(message, response).catch(() => response.destroy())
}

type Answer =
  | { readonly message: IncomingMessage }
  | { readonly upgraded: IncomingMessage; readonly socket: Duplex; readonly head: Buffer }

/** @throws StatusError 503 when the pod gives none. */
function answerOf(outgoing: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', (message) => resolve({ message }))
    outgoing.once('upgrade', (upgraded, socket, head) => resolve({ upgraded, socket, head }))
    outgoing.on('error', (error) => reject(unreachable(error.message)))
    outgoing.once('close', () => reject(unreachable('EOF')))
  })
}

function badGateway({ statusCode }: IncomingMessage): StatusError {
  return new StatusError('InternalError', `invalid upgrade response: status code ${statusCode}`)
}

async function passUpgrade(
  proxied: ProxyRequest,
  upgrade: Upgrade,
  outgoing: ClientRequest,
): Promise<void> {
  const answered = answerOf(outgoing)
  outgoing.end()
  const answer = await answered
  if ('message' in answer) {
    if ((answer.message.statusCode ?? 0) < 400) throw badGateway(answer.message)
    return await sendAnswer(proxied, answer.message, proxied.response)
  }
  const { upgraded, socket: far, head } = answer
  const near = takeSocket(upgrade)
  const lines = [`HTTP/1.1 ${upgraded.statusCode} ${upgraded.statusMessage}`]
  for (let index = 0; index < upgraded.rawHeaders.length; index += 2)
    lines.push(`${upgraded.rawHeaders[index]}: ${upgraded.rawHeaders[index + 1]}`)
  near.write(`${lines.join('\r\n')}\r\n\r\n`)
  if (head.length > 0) near.write(head)
  if (upgrade.head.length > 0) far.write(upgrade.head)
  near.pipe(far)
  far.pipe(near)
  await Promise.race([closeOf(near), closeOf(far)])
  near.destroy()
  far.destroy()
}

function closeOf(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve()
    else socket.once('close', () => resolve())
  })
}

/** A redirect of a pod to itself leads back through the proxy. */
function rewritten(location: string, { prefix, target, request }: ProxyRequest): string {
  let url: URL
  try {
    url = new URL(location, 'http://relative.invalid')
  } catch {
    throw badRequest('error trying to parse Location header')
  }
  const isRelative = !/^(?:[a-z][a-z0-9+.-]*:)?\/\//i.test(location)
  const isOwn = isRelative || url.host === target.host || url.host === request.headers.host
  if (!isOwn || (isRelative && !location.startsWith('/'))) return location
  const path = `${url.pathname}${url.search}${url.hash}`
  return path.startsWith(prefix) ? path : `${prefix}${path}`
}
