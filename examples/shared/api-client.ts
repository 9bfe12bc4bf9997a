import { request } from 'node:https'
import { join } from 'node:path'
import { parse } from 'yaml'
import { readTextFile } from './private-files.ts'
import { EXIT, ProgramError, systemCode } from './program-error.ts'

/** How to reach a Kubernetes API, from a kubeconfig. */
export interface ApiAccess {
  readonly server: string
  readonly ca: string
  readonly token: string
}

/** What an API server answered. */
export interface ApiAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

const ANSWER_BYTES_MAX = 64 << 20
const ANSWER_MS = 10_000

/**
 * Reads the kubeconfig that a program of ours wrote into its data directory.
 *
 * @throws ProgramError `NOT_RUNNING` when there is none.
 */
export async function readAccess(directory: string, program: string): Promise<ApiAccess> {
  const path = join(directory, 'kubeconfig')
  const text = await readTextFile(path)
  const value = text === undefined ? undefined : (parse(text) as Kubeconfig)
  const cluster = value?.clusters?.[0]?.cluster
  const token = value?.users?.[0]?.user?.token
  const authority = cluster?.['certificate-authority-data']
  if (cluster?.server === undefined || token === undefined || authority === undefined) {
    throw notRunning(program, directory, 'it has never been started with this data directory')
  }
  return { server: cluster.server, token, ca: Buffer.from(authority, 'base64').toString('utf8') }
}

interface Kubeconfig {
  readonly clusters?: readonly {
    readonly cluster?: { server?: string; 'certificate-authority-data'?: string }
  }[]
  readonly users?: readonly { readonly user?: { readonly token?: string } }[]
}

function notRunning(
  program: string,
  directory: string,
  why: string,
  cause?: unknown,
): ProgramError {
  return new ProgramError(
    'NOT_RUNNING',
    EXIT.unreachable,
    `${program} does not run with the data directory ${directory}: ${why}; start it, or name its directory with --data`,
    { fields: { directory }, cause },
  )
}

/** Sends requests to the API of a program of ours. */
export class ApiClient {
  readonly #access: ApiAccess
  readonly #program: string
  readonly #directory: string

  constructor(access: ApiAccess, program: string, directory: string) {
    this.#access = access
    this.#program = program
    this.#directory = directory
  }

  /**
   * Sends one request and reads the answer, whatever its status.
   *
   * @throws ProgramError `NOT_RUNNING` when nobody answers.
   */
  async send(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    try {
      return await exchange(this.#access, method, path, body)
    } catch (error) {
      throw notRunning(this.#program, this.#directory, systemCode(error) ?? String(error), error)
    }
  }

  /**
   * Like {@link send}, for requests that are expected to succeed.
   *
   * @throws ProgramError `REQUEST_REFUSED` with the words of the server.
   */
  async expect(method: string, path: string, body?: unknown): Promise<ApiAnswer['body']> {
    const answer = await this.send(method, path, body)
    if (answer.status < 300) return answer.body
    const message = String(answer.body['message'] ?? `status ${answer.status}`)
    throw new ProgramError(
      'REQUEST_REFUSED',
      EXIT.refused,
      `${this.#program} refused: ${message}`,
      {
        fields: { status: answer.status, path },
      },
    )
  }
}

function exchange(
  access: ApiAccess,
  method: string,
  path: string,
  body: unknown,
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${access.server}${path}`, {
      method,
      ca: access.ca,
      agent: false,
      timeout: ANSWER_MS,
      headers: { authorization: `Bearer ${access.token}`, 'content-type': 'application/json' },
    })
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')))
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too large'))
        else chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode ?? 0, body: objectOf(text) })
      })
    })
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** What is no JSON object, such as the answer of a health check, is its own message. */
function objectOf(text: string): ApiAnswer['body'] {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as ApiAnswer['body']
  } catch {
    // Plain text.
  }
  return { message: text }
}
