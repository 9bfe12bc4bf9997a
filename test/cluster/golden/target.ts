import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { setTimeout } from 'node:timers/promises'
import { parse } from 'yaml'
import type { GoldenRequest } from './request-files.ts'

/** A server that the requests go to. */
export interface TargetOptions {
  readonly url: string
  readonly caPem: string
  readonly token: string
  /** What requests may refer to beside answers, by name. */
  readonly given?: Readonly<Record<string, unknown>>
}

/** What a server answered. */
export interface GoldenAnswer {
  /** 0 when there was no answer in time, or the connection broke. */
  readonly status: number
  readonly contentType: string
  readonly warnings: readonly string[]
  /** JSON and YAML parsed, a watch as the list of its events, anything else as text. */
  readonly body: unknown
}

/** An answer that takes longer than this is given up. */
const ANSWER_MS = 6_000

/** How often, and how many milliseconds apart, a request is sent that waits for a status. */
const ATTEMPTS_MAX = 300
const ATTEMPT_MS = 100

/** Sends requests to one server, and keeps what later ones refer to. */
export class Target {
  readonly #options: TargetOptions
  readonly #agent: Agent
  readonly #kept = new Map<string, unknown>()

  constructor(options: TargetOptions) {
    this.#options = options
    for (const [name, value] of Object.entries(options.given ?? {})) this.#kept.set(name, value)
    this.#agent = new Agent({ keepAlive: true, ca: options.caPem })
  }

  /** Sends one request. Never rejects. */
  async send(request: GoldenRequest): Promise<GoldenAnswer> {
    try {
      let answer = await this.#send(request)
      for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++) {
        if (request.until === undefined || answer.status === request.until) break
        await setTimeout(ATTEMPT_MS)
        answer = await this.#send(request)
      }
      return answer
    } catch (error) {
      const why = error instanceof Error ? error.name : 'unknown'
      return { status: 0, contentType: '', warnings: [], body: `no answer: ${why}` }
    }
  }

  async #send(request: GoldenRequest): Promise<GoldenAnswer> {
    const { status, headers, text } = await this.#exchange(request)
    const contentType = headers['content-type'] ?? ''
    const body = bodyOf(text, contentType, request.isWatch && status === 200)
    if (request.keep !== undefined) this.#kept.set(request.keep, body)
    const warning = headers['warning'] as string | readonly string[] | undefined
    const warnings = warning === undefined ? [] : [warning].flat()
    return { status, contentType, warnings, body }
  }

  close(): void {
    this.#agent.destroy()
  }

  #exchange(
    golden: GoldenRequest,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const { url, token } = this.#options
    const body = golden.body === undefined ? undefined : this.#fill(golden.body)
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url)
      const request = httpsRequest(
        {
          hostname,
          port,
          path: this.#fill(golden.path),
          method: golden.method,
          agent: this.#agent,
          signal: AbortSignal.timeout(ANSWER_MS),
          headers: {
            'user-agent': 'golden/1',
            authorization: `Bearer ${token}`,
            ...golden.headers,
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          },
        },
        (response) => {
          const pieces: Buffer[] = []
          response.on('data', (piece: Buffer) => pieces.push(piece))
          response.on('error', reject)
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(pieces).toString('utf8'),
            }),
          )
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  }

  #fill(text: string): string {
    return text.replace(/\$\{([^}]+)\}/g, (_, path: string) => {
      const [name = '', ...keys] = path.split('.')
      let value = this.#kept.get(name)
      for (const key of keys) value = (value as Record<string, unknown> | undefined)?.[key]
      return String(value)
    })
  }
}

function bodyOf(text: string, contentType: string, isWatch: boolean): unknown {
  if (isWatch) {
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as unknown).filter((event) => !isProgress(event))
  }
  if (contentType.includes('yaml')) return parse(text)
  if (!contentType.includes('json') || text === '') return text
  return JSON.parse(text)
}

/** A bookmark that only says how far the server is, which it may at any time. */
function isProgress(event: unknown): boolean {
  const { type, object } = event as {
    readonly type: string
    readonly object: { readonly metadata?: { readonly annotations?: object } }
  }
  return type === 'BOOKMARK' && object.metadata?.annotations === undefined
}
