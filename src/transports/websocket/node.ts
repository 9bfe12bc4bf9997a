import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import { type ClientOptions, WebSocket } from 'ws'
import { DialError } from '../../core/errors.ts'
import type { AbortOptions } from '../../core/interfaces/abort.ts'
import type { Connection, Transport } from '../../core/interfaces/transport.ts'
import { type KeepAliveOptions, nodeConnection } from './node-socket.ts'
import { PAUSED_INBOX_BYTES_MAX, type SocketLimitOptions, socketLimits } from './socket-limits.ts'

/** What one dial shows to the server, and what it expects of it. */
export interface DialCredentials {
  /** Certificates to trust instead of those that Node ships, PEM. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined
  /** The client's certificate, PEM. */
  readonly cert?: string | Uint8Array | undefined
  /** The key of `cert`, PEM. */
  readonly key?: string | Uint8Array | undefined
  /** The name to ask for and to check, where it is not that of the address. */
  readonly servername?: string | undefined
  /** Replaces the check of the server's name: an error refuses the server. */
  readonly checkServerIdentity?:
    | ((host: string, certificate: PeerCertificate) => Error | undefined)
    | undefined
  /** Headers of the upgrade request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Options of {@link nodeWebSocket}. */
export interface NodeWebSocketOptions extends SocketLimitOptions, KeepAliveOptions {
  /** A function is asked before each dial, so that certificates and tokens can be renewed. */
  readonly credentials?:
    | DialCredentials
    | ((address: string) => DialCredentials | Promise<DialCredentials>)
    | undefined
  /** How long the whole opening may take. Default: 15 s. */
  readonly dialMs?: number | undefined
}

/** The most that is read of a refusal's body. */
const REFUSAL_BYTES_MAX = 4_096
// The request itself is wrong: the same one would be refused again.
const FINAL_STATUSES: readonly number[] = [400, 401, 403, 404, 426]

/**
 * Dials with the package `ws`: TLS, headers, keep-alive and real backpressure.
 *
 * A refusal is a DialError with the HTTP status in `fields.status`; `retryable` is false when the
 * same request would be refused again.
 */
export function nodeWebSocket(options: NodeWebSocketOptions = {}): Transport {
  const { messageBytesMax } = socketLimits(options)
  return {
    name: 'websocket',
    supports: { listen: true, readBackpressure: true, messageBytesMax },
    async dial(address, dialOptions = {}) {
      const { signal } = dialOptions
      signal?.throwIfAborted()
      const credentials = await credentialsFor(address, options)
      signal?.throwIfAborted()
      return open(address, options, credentials, dialOptions)
    },
  }
}

async function credentialsFor(
  address: string,
  { credentials }: NodeWebSocketOptions,
): Promise<DialCredentials> {
  if (typeof credentials !== 'function') return credentials ?? {}
  try {
    return await credentials(address)
  } catch (cause) {
    throw new DialError('the credentials for the dial are not available', {
      fields: { address },
      cause,
    })
  }
}

function open(
  address: string,
  options: NodeWebSocketOptions,
  credentials: DialCredentials,
  { signal }: AbortOptions,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = newSocket(address, options, credentials)
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (reason: unknown) => {
      settle()
      reject(reason)
      socket.terminate()
    }
    const timer = setTimeout(
      () => fail(new DialError('the dial took too long', { fields: { address } })),
      options.dialMs ?? 15_000,
    )
    const onAbort = () => fail(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    // Stays for the socket's life: ending a half-open socket makes it report one more error.
    socket.on('error', (cause) => fail(dialErrorOf(address, cause)))
    socket.once('unexpected-response', (_request, response) => {
      readRefusal(response).then((refusal) => fail(refusalError(address, response, refusal)), fail)
    })
    socket.once('open', () => {
      settle()
      if (signal?.aborted === true) {
        socket.terminate()
        return
      }
      const limits = socketLimits(options, PAUSED_INBOX_BYTES_MAX)
      const endpoint = {
        direction: 'outbound',
        remoteAddress: address,
        principal: undefined,
      } as const
      resolve(nodeConnection(socket, endpoint, limits, options))
    })
  })
}

function newSocket(
  address: string,
  options: NodeWebSocketOptions,
  credentials: DialCredentials,
): WebSocket {
  const { headers, ...tls } = credentials
  const given = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined))
  try {
    return new WebSocket(address, {
      ...given,
      headers: { ...headers },
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: socketLimits(options).messageBytesMax,
    } satisfies ClientOptions)
  } catch (cause) {
    throw new DialError('the address or the credentials of the dial are not usable', {
      fields: { address },
      retryable: false,
      cause,
    })
  }
}

function dialErrorOf(address: string, cause: Error): DialError {
  const reason = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
  return new DialError('the peer cannot be reached', { fields: { address, reason }, cause })
}

function refusalError(address: string, response: IncomingMessage, refusal: Refusal): DialError {
  const status = response.statusCode ?? 0
  const retryAfter = Number(response.headers['retry-after'])
  return new DialError('the server refused the connection', {
    retryable: !FINAL_STATUSES.includes(status),
    fields: {
      address,
      status,
      ...refusal,
      ...(Number.isFinite(retryAfter) ? { retryAfterMs: retryAfter * 1_000 } : {}),
    },
  })
}

/** What a server of ours says in the body of a refusal. */
interface Refusal {
  readonly remoteCode?: string
  readonly remoteMessage?: string
}

async function readRefusal(response: IncomingMessage): Promise<Refusal> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += String(chunk)
      if (text.length > REFUSAL_BYTES_MAX) return {}
    }
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null) return {}
    return {
      ...('code' in body && typeof body.code === 'string' ? { remoteCode: body.code } : {}),
      ...('message' in body && typeof body.message === 'string'
        ? { remoteMessage: body.message }
        : {}),
    }
  } catch {
    // A proxy's page, or nothing: the status says enough.
    return {}
  }
}
