import { Agent, request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'
import { failureText } from './call-failures.ts'
import { Slots } from './slots.ts'
import type { WebhookAddress } from './webhook.ts'
import { CallError } from './webhook-errors.ts'

/** The longest answer that is read, in bytes: an object, its patch in base64 and something beside. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024

/** How much of what a webhook says with an error is told. */
const TOLD_CHARACTERS_MAX = 2_048

/** How many questions are asked of one server of webhooks at once; what is more waits within its time. */
const QUESTIONS_MAX = 32
const IDLE_CONNECTIONS_MAX = 2

/** How many servers of webhooks connections are kept to. */
const SERVERS_MAX = 64

/** Connects to a service. */
export type DialService = (service: NonNullable<WebhookAddress['service']>) => Promise<Duplex>

/** Asks webhooks questions over HTTPS. */
export interface WebhookCaller {
  /**
   * Sends a question and resolves with the body of the answer.
   *
   * @throws CallError: nobody answers in time, as they should, or in as many bytes as are read.
   */
  call(address: WebhookAddress, body: string, timeoutMs: number): Promise<Uint8Array>
  /** Ends every connection. */
  close(): void
}

/** The connections to one server of webhooks. */
interface Line {
  readonly agent: Agent
  readonly slots: Slots
}

/** Makes a caller. Connections are kept for the next question to the same server. */
export function createWebhookCaller(dial: DialService): WebhookCaller {
  const lines = new Map<string, Line>()
  const lineTo = (address: WebhookAddress, { origin }: URL): Line => {
    const { namespace, name } = address.service ?? {}
    const key = JSON.stringify([origin, namespace, name, address.caPem])
    const line = lines.get(key) ?? {
      agent: newAgent(address, dial),
      slots: new Slots(QUESTIONS_MAX),
    }
    // The one that was used last stands last.
    lines.delete(key)
    lines.set(key, line)
    const [oldest] = lines
    if (lines.size > SERVERS_MAX && oldest !== undefined) {
      lines.delete(oldest[0])
      retire(oldest[1].agent)
    }
    return line
  }
  return {
    call: async (address, body, timeoutMs) => {
      const url = urlOf(address, timeoutMs)
      try {
        // It takes whole numbers only.
        const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
        const { agent, slots } = lineTo(address, url)
        return await slots.use(signal, () => post(url, agent, body, signal))
      } catch (error) {
        if (error instanceof CallError) throw error
        const told = toldUrl(address, url)
        throw new CallError(`failed to call webhook: Post "${told}": ${failureText(error)}`)
      }
    },
    close: () => {
      for (const { agent } of lines.values()) agent.destroy()
      lines.clear()
    },
  }
}

function urlOf({ url, service }: WebhookAddress, timeoutMs: number): URL {
  if (service === undefined && url === undefined)
    throw new CallError('webhook configuration must have either service or URL')
  const host = `${service?.name ?? ''}.${service?.namespace ?? ''}.svc:${service?.port ?? 0}`
  try {
    const found = new URL(url ?? `https://${host}`)
    if (service !== undefined) found.pathname = service.path
    if (found.protocol !== 'https:') throw new TypeError('it is not https')
    found.searchParams.set('timeout', `${Math.ceil(timeoutMs / 1_000)}s`)
    return found
  } catch (error) {
    throw new CallError(`Unparsable URL: ${error instanceof Error ? error.message : ''}`)
  }
}

/** A URL as Kubernetes tells it: with the port of a service, also where it is the usual one. */
function toldUrl({ service }: WebhookAddress, url: URL): string {
  return service === undefined
    ? url.href
    : `https://${url.hostname}:${service.port}${url.pathname}${url.search}`
}

function newAgent(address: WebhookAddress, dial: DialService): Agent {
  const trust = address.caPem === '' ? {} : { ca: address.caPem }
  const agent = new Agent({
    keepAlive: true,
    maxFreeSockets: IDLE_CONNECTIONS_MAX,
    minVersion: 'TLSv1.2',
    ...trust,
  })
  const { service } = address
  if (service === undefined) return agent
  const servername = `${service.name}.${service.namespace}.svc`
  agent.createConnection = (_options, done) => {
    dial(service).then(
      (socket) => {
        const secured = tlsConnect({ socket, servername, minVersion: 'TLSv1.2', ...trust })
        done?.(null, secured)
      },
      (error: unknown) => done?.(error as Error, undefined as never),
    )
    return undefined
  }
  return agent
}

/** Has the connections of an agent end as soon as nobody waits for an answer. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy()
}

function post(url: URL, agent: Agent, body: string, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // A request that waits for its connection does not end before it has one.
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    const outgoing = httpsRequest(
      url,
      {
        method: 'POST',
        agent,
        signal,
        headers: {
          'User-Agent': 'kube-apiserver-admission',
          Accept: 'application/json, */*',
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        },
      },
      (response) => {
        const pieces: Buffer[] = []
        let length = 0
        response.on('data', (piece: Buffer) => {
          length += piece.length
          if (length > ANSWER_BYTES_MAX)
            outgoing.destroy(new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`))
          else pieces.push(piece)
        })
        response.on('error', reject)
        response.on('end', () => {
          const bytes = Buffer.concat(pieces)
          const code = response.statusCode ?? 0
          if (code >= 200 && code < 300) resolve(bytes)
          else reject(new CallError(`failed to call webhook: ${answerText(code, bytes)}`))
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** An answer that is an error, in the words of clients of Kubernetes. */
function answerText(code: number, bytes: Buffer): string {
  const text = bytes.toString('utf8').trim().slice(0, TOLD_CHARACTERS_MAX)
  const told = text === '' ? 'unknown' : text
  switch (code) {
    case 400:
      return told
    case 401:
      return 'the server has asked for the client to provide credentials'
    case 403:
      return text === '' ? 'unknown' : text
    case 404:
      return 'the server could not find the requested resource'
    case 405:
      return 'the server does not allow this method on the requested resource'
    case 413:
      return `Request entity too large: ${text}`
    case 415:
      return 'the server was unable to respond with a content type that the client supports'
    case 429:
      return 'the server has received too many requests and has asked us to try again later'
    case 503:
      return 'the server is currently unable to handle the request'
    case 504:
      return 'the server was unable to return a response in the time allotted, but may still be processing the request'
    default:
      return code >= 500
        ? `an error on the server (${JSON.stringify(told)}) has prevented the request from succeeding`
        : `the server responded with the status code ${code} but did not return more information`
  }
}
