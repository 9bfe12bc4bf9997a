import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../core/errors.ts'
import type { Logger } from '../../core/interfaces/logger.ts'

/** How it is decided whether an upgrade request may pass. */
export interface Admission {
  readonly authenticate: (
    request: IncomingMessage,
  ) => string | undefined | Promise<string | undefined>
  readonly authenticateMs: number
  readonly logger: Logger | undefined
}

/** The HTTP statuses that refuse an upgrade, and what the body says. */
export type RefusalStatus = 401 | 404 | 503

const REFUSALS: Readonly<
  Record<RefusalStatus, { readonly code: ErrorCode; readonly message: string }>
> = {
  401: {
    code: 'ACCESS_UNAUTHENTICATED',
    message: 'the request carries no valid credentials',
  },
  404: { code: 'TRANSPORT_DIAL_FAILED', message: 'there is no WebSocket at this path' },
  503: {
    code: 'TRANSPORT_DIAL_FAILED',
    message: 'the server cannot take the connection now: try again later',
  },
}

const RETRY_AFTER_SECONDS = 2

/** The principal of a request, or the status that refuses it. Never rejects. */
export async function admit(
  request: IncomingMessage,
  { authenticate, authenticateMs, logger }: Admission,
): Promise<string | RefusalStatus> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('authentication took too long')), authenticateMs)
  })
  try {
    const principal = await Promise.race([Promise.resolve(request).then(authenticate), late])
    return principal ?? 401
  } catch (error) {
    logger?.error('authentication of an upgrade request failed', { error })
    return 503
  } finally {
    clearTimeout(timer)
  }
}

/** Answers an upgrade request with a short JSON body and ends its socket. */
export function refuse(socket: Duplex, status: RefusalStatus): void {
  const body = JSON.stringify(REFUSALS[status])
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...(status === 503 ? [`Retry-After: ${RETRY_AFTER_SECONDS}`] : []),
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}
