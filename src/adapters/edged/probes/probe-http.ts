import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { LookResult } from './probe-look.ts'
import type { HttpAction } from './probe-spec.ts'
import { connectProblem, joinHostPort } from './probe-tcp.ts'

/** What an HTTP server said in the end. */
export interface HttpAnswer {
  readonly status: number
  /** Its beginning. */
  readonly body: string
}

const BODY_BYTES_MAX = 10 * 1024
const REDIRECTS_MAX = 10
/** What OpenSSL says of an answer that does not begin as one of TLS does. */
const NO_TLS = /wrong version number/
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

/** Asks a container by HTTP: an answer of 200 to 399 is success. */
export async function httpLook(
  action: HttpAction,
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<LookResult> {
  try {
    const { status, body } = await askHttp(action, host, port, timeoutMs, signal)
    if (status < 200 || status >= 400) {
      return { outcome: 'failure', output: `HTTP probe failed with statuscode: ${status}` }
    }
    if (status < 300) return { outcome: 'success', output: body }
    const output = `Probe terminated redirects, Response body: ${body}`
    return { outcome: 'success', output, isWarning: true }
  } catch (error) {
    return { outcome: 'failure', output: (error as Error).message }
  }
}

/**
 * Sends one GET request and follows what it redirects to on the same host. Certificates are not
 * verified.
 *
 * @throws Error with a message that names the URL and says what went wrong.
 */
export async function askHttp(
  action: HttpAction,
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const scheme = action.isSecure ? 'https' : 'http'
  const first = `${scheme}://${joinHostPort(host, port)}${action.path}`
  const late = new AbortController()
  const end = (): void => late.abort()
  const timer = setTimeout(end, timeoutMs)
  signal.addEventListener('abort', end, { once: true })
  let at = first
  try {
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
      const { location, ...answer } = await askOnce(new URL(at), action.headers, late.signal)
      const next = followed(at, location, answer.status)
      if (next === undefined) return answer
      at = next
    }
    throw new Error(`stopped after ${REDIRECTS_MAX} redirects`)
  } catch (error) {
    const why = late.signal.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : problemOf(error as Error, host, port)
    throw new Error(`Get ${JSON.stringify(at)}: ${why}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}

function problemOf(error: Error, host: string, port: number): string {
  const isDial = 'syscall' in error && error.syscall === 'connect'
  if ('code' in error && error.code === 'EPROTO' && NO_TLS.test(error.message))
    return 'http: server gave HTTP response to HTTPS client'
  const why = connectProblem(error)
  return isDial ? `dial tcp ${joinHostPort(host, port)}: ${why}` : why
}

/** Where a redirect leads, when it is followed: not to another host, which is nobody's to probe. */
function followed(from: string, location: string | undefined, status: number): string | undefined {
  if (location === undefined || !REDIRECTS.includes(status)) return undefined
  const next = new URL(location, from)
  const isLocal = next.hostname === new URL(from).hostname
  return isLocal && /^https?:$/.test(next.protocol) ? next.href : undefined
}

interface OneAnswer extends HttpAnswer {
  readonly location: string | undefined
}

function askOnce(
  url: URL,
  headers: HttpAction['headers'],
  signal: AbortSignal,
): Promise<OneAnswer> {
  return new Promise((resolve, reject) => {
    const options = { agent: false, signal, headers: headersOf(headers), setDefaultHeaders: false }
    const send = url.protocol === 'https:' ? secureRequest : plainRequest
    const sent: ClientRequest = send(url, {
      ...options,
      headers: { Host: url.host, ...options.headers },
      rejectUnauthorized: false,
    })
    sent.once('error', reject)
    sent.once('response', (response) => {
      readBody(response).then((body) => {
        sent.destroy()
        const { location } = response.headers
        resolve({ status: response.statusCode ?? 0, body, location })
      }, reject)
    })
    sent.end()
  })
}

async function readBody(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let room = BODY_BYTES_MAX
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece.subarray(0, room))
    room -= piece.length
    if (room <= 0) break
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** What kubelet sends, unless the probe says otherwise; an empty value leaves a header out. */
function headersOf(own: HttpAction['headers']): Record<string, string | string[]> {
  const found = new Map<string, string[]>([
    ['user-agent', ['kube-probe/1.34']],
    ['accept', ['*/*']],
    ['connection', ['close']],
  ])
  for (const name of new Set(own.map(([each]) => each.toLowerCase()))) {
    const values = own.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
    const isDefault = name === 'accept' || name === 'user-agent'
    if (isDefault && values.every((value) => value === '')) found.delete(name)
    else found.set(name, values)
  }
  // Only one host can be asked for.
  return Object.fromEntries(
    [...found].map(([name, values]) => [
      name === 'host' ? 'Host' : name,
      values.length === 1 || name === 'host' ? (values[0] ?? '') : values,
    ]),
  )
}
