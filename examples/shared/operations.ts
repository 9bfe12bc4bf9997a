import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger, Metrics, Replica } from 'tideway'
import type { OpenMetrics } from 'tideway/adapters/metrics/openmetrics'
import type { Teardown } from './lifetime.ts'
import { EXIT, ProgramError, systemCode } from './program-error.ts'
import { type Address, addressText, parseAddress, type Setting } from './settings.ts'

const REQUEST_MS = 10_000
const CONNECTIONS_MAX = 64

/** Where operators and their tools look. It asks nobody who they are, so it is off unless it is named. */
export const metricsAddressSetting: Setting<Address | undefined> = {
  help: 'where /metrics (OpenMetrics), /healthz, /readyz and /status are served, by plain HTTP and to everybody who reaches it, so rather at 127.0.0.1',
  placeholder: 'HOST:PORT',
  allowed: 'a host and a port from 0 to 65535, such as 127.0.0.1:9464',
  shown: 'off',
  fallback: () => undefined,
  parse: parseAddress,
}

/** What a running program shows to those who operate it. */
export class Operations {
  /** For the replica; undefined when nothing is served. */
  readonly metrics: Metrics | undefined
  /** Such as `http://127.0.0.1:9464`; undefined when nothing is served. */
  readonly url: string | undefined
  #replica: Replica | undefined
  #isReady = false

  private constructor(metrics: OpenMetrics | undefined, url: string | undefined) {
    this.metrics = metrics
    this.url = url
  }

  /**
   * Listens at `address`, if one is given, and stops with `teardown`.
   *
   * @throws ProgramError when prom-client is not installed.
   * @throws Error of node:net when the address cannot be listened on.
   */
  static async open(
    address: Address | undefined,
    logger: Logger,
    teardown: Teardown,
  ): Promise<Operations> {
    if (address === undefined) return new Operations(undefined, undefined)
    const metrics = await openMetricsOf(logger)
    const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS })
    server.maxConnections = CONNECTIONS_MAX
    await listen(server, address)
    teardown.add('metrics', () => {
      server.close()
      server.closeAllConnections()
    })
    const { port } = server.address() as AddressInfo
    const operations = new Operations(metrics, `http://${addressText({ ...address, port })}`)
    server.on('request', ({ method, url }, response) => {
      operations.#answer(metrics, method, url, response).catch((error: unknown) => {
        logger.warn('a request of an operator could not be answered', { url, error })
        if (response.headersSent) response.destroy()
        else text(response, 500, 'failed; the log says why\n')
      })
    })
    return operations
  }

  /** Shows the status of this replica from here on. */
  show(replica: Replica): void {
    this.#replica = replica
  }

  /** Everything is up: `/readyz` says so from here on. */
  ready(): void {
    this.#isReady = true
  }

  async #answer(
    metrics: OpenMetrics,
    method: string | undefined,
    url: string | undefined,
    response: ServerResponse,
  ): Promise<void> {
    if (method !== 'GET' && method !== 'HEAD')
      return text(response.setHeader('Allow', 'GET, HEAD'), 405, 'only GET and HEAD\n')
    switch (url?.split('?')[0]) {
      case '/metrics':
        return text(response, 200, await metrics.text(), metrics.contentType)
      case '/healthz':
        return text(response, 200, 'ok\n')
      case '/readyz':
        return this.#isReady ? text(response, 200, 'ok\n') : text(response, 503, 'starting\n')
      case '/status': {
        if (this.#replica === undefined) return text(response, 503, 'starting\n')
        const status = JSON.stringify(await this.#replica.status(), undefined, 2)
        return text(response, 200, `${status}\n`, 'application/json')
      }
      default:
        return text(response, 404, '/metrics, /healthz, /readyz, /status\n')
    }
  }
}

async function openMetricsOf(logger: Logger): Promise<OpenMetrics> {
  try {
    // Only who asks for measures needs the package that keeps them.
    const { openMetrics } = await import('tideway/adapters/metrics/openmetrics')
    return openMetrics({ logger })
  } catch (cause) {
    if (systemCode(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new ProgramError(
      'SETTING_INVALID',
      EXIT.usage,
      '--metrics-address needs the package prom-client: npm install prom-client@15',
      { cause },
    )
  }
}

function listen(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function text(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' })
  response.end(body)
}
