import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { EngineError } from './errors.ts'

/** Names and values of a query; what is undefined is left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** One call. */
export interface EngineCall {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  /** After the version, such as `/containers/json`. */
  readonly path: string
  readonly query?: Query
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Default: 30 s. `0`: for ever. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** A connection that was a call and now carries bytes both ways. */
export interface EngineStream {
  readonly socket: Socket
  /** What came with the answer. */
  readonly head: Buffer
}

/** What engines answer at once they answer in less. */
const TIMEOUT_MS_DEFAULT = 30_000
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
/** A line of an event, or of the progress of a pull. */
const LINE_CHARACTERS_MAX = 4 * 1024 * 1024
/** An engine works on a few at a time, and keeps a thread for each. */
const CONNECTIONS_MAX = 16

/** Calls of the API of Docker, which Podman has, too, over a unix socket. */
export class EngineClient {
  readonly #socketPath: string
  readonly #prefix: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX })

  /** @param prefix what all paths begin with, such as `/v1.41`. */
  constructor(socketPath: string, prefix: string) {
    this.#socketPath = socketPath
    this.#prefix = prefix
  }

  /**
   * @returns the answer, parsed; undefined when it is empty.
   * @throws EngineError with the engine's words.
   */
  async call<Answer>(call: EngineCall): Promise<Answer> {
    const response = await this.#send(call, this.#agent)
    const text = await textOf(response, ANSWER_BYTES_MAX)
    try {
      return (text.trim() === '' ? undefined : JSON.parse(text)) as Answer
    } catch (cause) {
      throw new EngineError(response.statusCode, 'the engine answered with no JSON', { cause })
    }
  }

  /** Makes a call of whose answer only success matters. @throws EngineError with the engine's words. */
  async tell(call: EngineCall): Promise<void> {
    await textOf(await this.#send({ method: 'POST', ...call }, this.#agent), ANSWER_BYTES_MAX)
  }

  /** Gives each line of an answer as it comes. Resolves when there are no more. @throws EngineError. */
  async lines(call: EngineCall, onLine: (value: unknown) => void): Promise<void> {
    const response = await this.#send({ timeoutMs: 0, ...call }, undefined)
    response.setEncoding('utf8')
    let rest = ''
    try {
      for await (const text of response as AsyncIterable<string>) {
        const lines = `${rest}${text}`.split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > LINE_CHARACTERS_MAX) throw new Error('a line is too long')
        for (const line of lines) if (line.trim() !== '') onLine(JSON.parse(line))
      }
      if (rest.trim() !== '') onLine(JSON.parse(rest))
    } catch (cause) {
      throw new EngineError(
        undefined,
        `the answer of the engine broke off: ${textOfError(cause)}`,
        {
          cause,
        },
      )
    } finally {
      response.destroy()
    }
  }

  /** Makes a call whose connection is used for something else from then on. @throws EngineError. */
  async upgrade(call: EngineCall): Promise<EngineStream> {
    const headers = { ...call.headers, connection: 'Upgrade', upgrade: 'tcp' }
    const answer = await this.#exchange({ ...call, method: 'POST', headers }, undefined)
    if ('socket' in answer && 'head' in answer) return answer
    const response = answer as IncomingMessage
    const message = messageIn(await textOf(response, ANSWER_BYTES_MAX))
    throw new EngineError(response.statusCode, message)
  }

  /** Lets go of all connections. */
  close(): void {
    this.#agent.destroy()
  }

  async #send(call: EngineCall, agent: Agent | undefined): Promise<IncomingMessage> {
    const answer = await this.#exchange(call, agent)
    if ('head' in answer) {
      answer.socket.destroy()
      throw new EngineError(101, 'the engine changed the protocol')
    }
    const { statusCode = 0 } = answer
    // 304: it was so already.
    if (statusCode < 400) return answer
    throw new EngineError(statusCode, messageIn(await textOf(answer, ANSWER_BYTES_MAX)))
  }

  async #exchange(
    call: EngineCall,
    agent: Agent | undefined,
  ): Promise<IncomingMessage | EngineStream> {
    try {
      return await this.#exchangeOnce(call, agent)
    } catch (error) {
      if (!(error instanceof ReusedError)) throw error
      // The engine had closed an idle connection: it has not seen the call.
      return await this.#exchangeOnce(call, undefined)
    }
  }

  #exchangeOnce(
    call: EngineCall,
    agent: Agent | undefined,
  ): Promise<IncomingMessage | EngineStream> {
    const { method = 'GET', path, body, headers, signal } = call
    const { timeoutMs = TIMEOUT_MS_DEFAULT } = call
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    return new Promise((resolve, reject) => {
      const asked: ClientRequest = request({
        socketPath: this.#socketPath,
        method,
        path: `${this.#prefix}${path}${queryText(call.query)}`,
        headers: {
          host: 'engine',
          ...(content === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': content.length }),
          ...headers,
        },
        agent: agent ?? false,
        ...(signal === undefined ? {} : { signal }),
      })
      const late = (): void => void asked.destroy(new Error(`no answer within ${timeoutMs} ms`))
      const timer = timeoutMs === 0 ? undefined : setTimeout(late, timeoutMs)
      const isOver = (): void => clearTimeout(timer)
      asked.on('error', (cause: NodeJS.ErrnoException) => {
        isOver()
        const isStale = asked.reusedSocket && cause.code === 'ECONNRESET'
        const message = `${method} ${path}: ${textOfError(cause)}`
        reject(isStale ? new ReusedError() : new EngineError(undefined, message, { cause }))
      })
      asked.on('response', (response) => {
        response.once('close', isOver)
        resolve(response)
      })
      asked.on('upgrade', (_response, socket, head) => {
        isOver()
        resolve({ socket: socket as Socket, head })
      })
      asked.end(content)
    })
  }
}

class ReusedError extends Error {}

function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined)
  if (pairs.length === 0) return ''
  return `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`
}

async function textOf(response: IncomingMessage, bytesMax: number): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`)
      pieces.push(piece)
    }
  } catch (cause) {
    const message = `the answer of the engine broke off: ${textOfError(cause)}`
    throw new EngineError(undefined, message, { cause })
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** The engine's own words of a refusal. */
function messageIn(text: string): string {
  try {
    const value = JSON.parse(text) as { readonly message?: unknown }
    if (typeof value.message === 'string') return value.message
  } catch {
    // Not everything that it says is JSON.
  }
  return text.trim() === '' ? 'the engine did not say why' : text.trim()
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
