import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock, Logger } from 'tideway'
import {
  JOIN_BYTES_MAX,
  JOIN_PATH,
  type JoinAnswer,
  type JoinRequest,
  parseJoinRequest,
} from '../shared/join-exchange.ts'
import { EXIT, type ProgramCode, ProgramError } from '../shared/program-error.ts'
import { isNodeName } from '../shared/settings.ts'
import type { EnrolledNodes } from './enrolled-nodes.ts'
import type { JoinTokens } from './join-tokens.ts'

/** Failed requests of one address in a minute before it has to wait. */
const FAILURES_MAX = 20
const FAILURE_WINDOW_MS = 60_000
/** Addresses that are remembered for that; past it the oldest is forgotten. */
const ADDRESSES_MAX = 4_096

/** What the endpoint works with. */
export interface JoinEndpointOptions {
  readonly fleet: string
  readonly tokens: JoinTokens
  readonly nodes: EnrolledNodes
  readonly clock: Clock
  readonly logger: Logger
}

const STATUS: Readonly<Partial<Record<ProgramCode, number>>> = {
  JOIN_REQUEST_INVALID: 400,
  JOIN_TOO_MANY_ATTEMPTS: 429,
  JOIN_FAILED: 500,
}

/** Lets nodes into the fleet: `POST /v1/join` with a token and a certificate request. */
export class JoinEndpoint {
  readonly #options: JoinEndpointOptions
  /** By remote address: when it failed last, and how often in the window. */
  readonly #failures = new Map<string, { sinceMs: number; count: number }>()

  constructor(options: JoinEndpointOptions) {
    this.#options = options
  }

  /** Answers a request to the sync port that is not for a WebSocket. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const address = request.socket.remoteAddress ?? ''
    try {
      if (request.url !== JOIN_PATH)
        return answer(response, 404, refused('NOT_FOUND', `there is only ${JOIN_PATH} here`))
      if (request.method !== 'POST')
        return answer(response, 405, refused('METHOD_NOT_ALLOWED', 'allowed: POST'))
      this.#checkRate(address)
      const joined = await this.#join(await readRequest(request))
      answer(response, 200, joined)
    } catch (error) {
      this.#refuse(error, address, response)
    }
  }

  async #join({ id, secret, node, csr }: JoinRequest): Promise<JoinAnswer> {
    const { tokens, nodes, fleet, logger } = this.#options
    if (!isNodeName(node)) throw invalid('node', 'a DNS label')
    if (!csr.includes('BEGIN CERTIFICATE REQUEST')) throw invalid('csr', 'a PKCS #10 request, PEM')
    await tokens.consume(id, secret, node)
    const certificate = await nodes.enrol(node, csr).catch((cause: unknown) => {
      throw invalid('csr', 'a PKCS #10 request of a P-256 key with a valid signature', cause)
    })
    logger.info('a node has joined', { node, token: id })
    return { certificate, fleet }
  }

  #refuse(error: unknown, address: string, response: ServerResponse): void {
    const { logger } = this.#options
    const known = error instanceof ProgramError ? error : undefined
    const code = known?.code ?? 'JOIN_FAILED'
    if (known === undefined) logger.error('a request to join failed', { address, error })
    else logger.warn('a request to join was refused', { address, code })
    if (code !== 'JOIN_TOO_MANY_ATTEMPTS') this.#countFailure(address)
    const message = known?.message ?? 'the cloud could not do it; its log says why'
    answer(response, STATUS[code] ?? 403, refused(code, message))
  }

  #checkRate(address: string): void {
    const failures = this.#failures.get(address)
    if (failures === undefined) return
    const leftMs = failures.sinceMs + FAILURE_WINDOW_MS - this.#options.clock.monotonicMs()
    if (leftMs <= 0) this.#failures.delete(address)
    else if (failures.count >= FAILURES_MAX) {
      const seconds = Math.ceil(leftMs / 1_000)
      throw new ProgramError(
        'JOIN_TOO_MANY_ATTEMPTS',
        EXIT.refused,
        `too many failed requests; try again in ${seconds} s`,
      )
    }
  }

  #countFailure(address: string): void {
    const failures = this.#failures.get(address) ?? {
      sinceMs: this.#options.clock.monotonicMs(),
      count: 0,
    }
    failures.count += 1
    this.#failures.set(address, failures)
    if (this.#failures.size <= ADDRESSES_MAX) return
    const [oldest] = this.#failures.keys()
    if (oldest !== undefined) this.#failures.delete(oldest)
  }
}

async function readRequest(request: IncomingMessage): Promise<JoinRequest> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > JOIN_BYTES_MAX) throw invalid('the body', `at most ${JOIN_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  const parsed = parseJoinRequest(Buffer.concat(chunks).toString('utf8'))
  if (parsed === undefined)
    throw invalid('the body', 'JSON with the texts id, secret, node and csr')
  return parsed
}

function invalid(field: string, allowed: string, cause?: unknown): ProgramError {
  return new ProgramError(
    'JOIN_REQUEST_INVALID',
    EXIT.refused,
    `${field} is not allowed; allowed: ${allowed}`,
    { cause },
  )
}

function refused(
  code: string,
  message: string,
): { readonly code: string; readonly message: string } {
  return { code, message }
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(body))
}
