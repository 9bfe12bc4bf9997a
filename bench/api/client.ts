import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'

/** Where a server is, and as whom it is asked. */
export interface ApiTarget {
  /** Such as `https://127.0.0.1:6443`. */
  readonly url: string
  readonly caPem: string
  readonly token: string
}

/** One request. */
export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
}

/** How long the requests of one measurement took, and how many bytes came back. */
export interface Timings {
  readonly totalMs: number
  readonly eachMs: readonly number[]
  readonly bytes: number
}

/** A client that keeps its connections, as client-go does. HTTP/1.1, for every server alike. */
export class ApiClient {
  readonly #target: ApiTarget
  readonly #agent = new Agent({ keepAlive: true, scheduling: 'fifo' })

  constructor(target: ApiTarget) {
    this.#target = target
  }

  /**
   * Sends one request and reads its whole answer.
   *
   * @returns how many bytes the answer had.
   * @throws Error when it is not answered with 2xx, with what the server said.
   */
  async send(wanted: ApiRequest): Promise<number> {
    const response = await this.#open(wanted, this.#agent)
    let bytes = 0
    let text = ''
    const isWell = Math.trunc((response.statusCode ?? 0) / 100) === 2
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (!isWell) text += String(chunk)
    }
    if (!isWell) throw new Error(`${wanted.path} was answered with ${response.statusCode}: ${text}`)
    return bytes
  }

  /** Sends requests, so many at a time, and measures each. */
  async sendAll(wanted: readonly ApiRequest[], atOnce: number): Promise<Timings> {
    const eachMs: number[] = []
    const rest = wanted.values()
    let bytes = 0
    const sendRest = async (): Promise<void> => {
      for (const one of rest) {
        const begin = performance.now()
        const read = await this.send(one)
        eachMs.push(performance.now() - begin)
        bytes += read
      }
    }
    const begin = performance.now()
    await Promise.all(Array.from({ length: atOnce }, sendRest))
    return { totalMs: performance.now() - begin, eachMs, bytes }
  }

  /** Opens a watch on a connection of its own; resolves when the server has begun to answer. */
  async watch(path: string): Promise<IncomingMessage> {
    const response = await this.#open({ path }, false)
    if (response.statusCode !== 200) throw new Error(`a watch was answered ${response.statusCode}`)
    return response
  }

  close(): void {
    this.#agent.destroy()
  }

  async #open(wanted: ApiRequest, agent: Agent | false): Promise<IncomingMessage> {
    const { method = 'GET', path, body, contentType = 'application/json' } = wanted
    const { url, caPem, token } = this.#target
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const sent = request(`${url}${path}`, {
      method,
      agent,
      ca: caPem,
      headers: {
        authorization: `Bearer ${token}`,
        accept: wanted.accept ?? 'application/json',
        ...(bytes === undefined
          ? {}
          : { 'content-type': contentType, 'content-length': bytes.length }),
      },
    })
    sent.end(bytes)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return response
  }
}
