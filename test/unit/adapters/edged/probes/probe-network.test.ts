import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type Server } from 'node:net'
import { createAuthority, issueServerCertificate } from 'tideway/adapters/kubernetes/server'
import { afterEach, describe, expect, test } from 'vitest'
import {
  checkRequest,
  grpcLook,
  servingStatus,
} from '../../../../../src/adapters/edged/probes/probe-grpc.ts'
import { httpLook } from '../../../../../src/adapters/edged/probes/probe-http.ts'
import type { LookResult } from '../../../../../src/adapters/edged/probes/probe-look.ts'
import type { HttpAction } from '../../../../../src/adapters/edged/probes/probe-spec.ts'
import { tcpLook } from '../../../../../src/adapters/edged/probes/probe-tcp.ts'

const HOST = '127.0.0.1'
const NEVER = new AbortController().signal
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function portOf(server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, HOST)
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createTcp()
  const port = await portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

const GET: HttpAction = {
  type: 'http',
  host: undefined,
  port: 0,
  path: '/',
  isSecure: false,
  headers: [],
}

async function ask(
  listener: RequestListener,
  action: Partial<HttpAction> = {},
  timeoutMs = 10_000,
): Promise<LookResult & { readonly port: number }> {
  const port = await portOf(createHttp(listener))
  const result = await httpLook({ ...GET, ...action }, HOST, port, timeoutMs, NEVER)
  return { ...result, port }
}

describe('HTTP', () => {
  test.each([
    [200, 'success', 'hello'],
    [204, 'success', ''],
    [304, 'success', 'Probe terminated redirects, Response body: '],
    [400, 'failure', 'HTTP probe failed with statuscode: 400'],
    [503, 'failure', 'HTTP probe failed with statuscode: 503'],
  ])('an answer of %i is a %s', async (status, outcome, output) => {
    const found = await ask((_request, response) => response.writeHead(status).end('hello'))
    expect(found).toMatchObject({ outcome, output })
    expect(found.isWarning).toBe(status === 304 ? true : undefined)
  })

  test('it is asked for the path, with the headers of kubelet and of the probe', async () => {
    let seen: IncomingMessage | undefined
    await ask(
      (request, response) => {
        seen = request
        response.end()
      },
      {
        path: '/a?b=c',
        headers: [
          ['Host', 'web.example'],
          ['X-A', '1'],
          ['x-a', '2'],
          ['Accept', ''],
        ],
      },
    )
    expect(seen?.method).toBe('GET')
    expect(seen?.url).toBe('/a?b=c')
    expect(seen?.headers).toEqual({
      host: 'web.example',
      'user-agent': 'kube-probe/1.34',
      connection: 'close',
      'x-a': '1, 2',
    })
  })

  test('a certificate is not verified', async () => {
    const authority = await createAuthority()
    const tls = await issueServerCertificate(authority, { names: ['elsewhere'], ips: [] })
    const options = { key: tls.key, cert: tls.certificate }
    const port = await portOf(createHttps(options, (_request, response) => response.end('ok')))
    const found = await httpLook({ ...GET, isSecure: true }, HOST, port, 10_000, NEVER)
    expect(found).toEqual({ outcome: 'success', output: 'ok' })
    const plain = await httpLook(GET, HOST, port, 10_000, NEVER)
    expect(plain.outcome).toBe('failure')
  })

  test('a redirect on the same host is followed, one to another host is not', async () => {
    const follow = await ask((request, response) => {
      if (request.url === '/end') response.writeHead(418).end()
      else response.writeHead(302, { location: '/end' }).end()
    })
    expect(follow.output).toBe('HTTP probe failed with statuscode: 418')
    const leave = await ask((_request, response) => {
      response.writeHead(302, { location: 'http://other.invalid/' }).end('go away')
    })
    expect(leave).toMatchObject({ outcome: 'success', isWarning: true })
    expect(leave.output).toBe('Probe terminated redirects, Response body: go away')
  })

  test('a circle of redirects ends', async () => {
    const found = await ask((_request, response) => {
      response.writeHead(302, { location: '/again' }).end()
    })
    const url = `"http://127.0.0.1:${found.port}/again"`
    expect(found).toMatchObject({
      outcome: 'failure',
      output: `Get ${url}: stopped after 10 redirects`,
    })
  })

  test('of a body without end only the beginning is read', async () => {
    const found = await ask((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1000)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    expect(found.outcome).toBe('success')
    expect(found.output).toHaveLength(10 * 1024)
  })

  test('a server that does not answer is given up after the time', async () => {
    const found = await ask(() => {}, {}, 50)
    const why = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    expect(found.output).toBe(`Get "http://127.0.0.1:${found.port}/": ${why}`)
    expect(found.outcome).toBe('failure')
  })

  test('nobody there, something else there, and headers that cannot be sent', async () => {
    const port = await closedPort()
    const refused = await httpLook(GET, HOST, port, 10_000, NEVER)
    const where = `127.0.0.1:${port}`
    expect(refused).toEqual({
      outcome: 'failure',
      output: `Get "http://${where}/": dial tcp ${where}: connect: connection refused`,
    })
    const noise = await portOf(createTcp((socket) => socket.end('SSH-2.0\r\n')))
    expect((await httpLook(GET, HOST, noise, 10_000, NEVER)).outcome).toBe('failure')
    const bad = { ...GET, headers: [['a b', 'c']] as const }
    expect((await httpLook(bad, HOST, port, 10_000, NEVER)).outcome).toBe('failure')
  })
})

describe('TCP', () => {
  test('somebody who listens is enough', async () => {
    const port = await portOf(createTcp())
    expect(await tcpLook(HOST, port, 10_000, NEVER)).toEqual({ outcome: 'success', output: '' })
  })

  test('nobody there', async () => {
    const port = await closedPort()
    expect(await tcpLook(HOST, port, 10_000, NEVER)).toEqual({
      outcome: 'failure',
      output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    })
  })
})

type Answer = (stream: ServerHttp2Stream) => void

async function check(answer: Answer, service = '', timeoutMs = 10_000): Promise<LookResult> {
  const server = createHttp2()
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    stream.resume()
    answer(stream)
  })
  const port = await portOf(server as unknown as Server)
  return await grpcLook(HOST, port, service, timeoutMs, NEVER)
}

function respond(status: number, trailers: Readonly<Record<string, string>>): Answer {
  return (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]))
  }
}

describe('gRPC', () => {
  const failure = (output: string): LookResult => ({ outcome: 'failure', output })

  test('what it serves counts', async () => {
    const ok = { 'grpc-status': '0' }
    expect(await check(respond(1, ok))).toEqual({ outcome: 'success', output: 'service healthy' })
    const bad = failure('service unhealthy (responded with "NOT_SERVING")')
    expect(await check(respond(2, ok))).toEqual(bad)
    const none = failure('service unhealthy (responded with "UNKNOWN")')
    expect(await check(respond(0, ok))).toEqual(none)
  })

  test('a server without the service of health', async () => {
    const answer: Answer = (stream) => {
      const headers = { 'grpc-status': '12', 'grpc-message': 'no%20such' }
      stream.respond({ ':status': 200, ...headers }, { endStream: true })
    }
    expect(await check(answer)).toEqual(
      failure(
        'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no such',
      ),
    )
  })

  test('a server that does not answer, one that hangs up, and none', async () => {
    const late = failure('timeout: health rpc did not complete within 100ms')
    expect(await check(() => {}, '', 100)).toEqual(late)
    const cut = await check((stream) => stream.session?.destroy())
    expect(cut.outcome).toBe('failure')
    const noise = await portOf(createTcp((socket) => socket.end('SSH-2.0\r\n')))
    expect((await grpcLook(HOST, noise, '', 10_000, NEVER)).outcome).toBe('failure')
    // Somebody may still come: the time is up before that is told.
    const port = await closedPort()
    expect(await grpcLook(HOST, port, '', 100, NEVER)).toEqual(
      failure(
        `timeout: failed to connect service "127.0.0.1:${port}" within 100ms: context deadline exceeded`,
      ),
    )
  })

  test('messages on the wire', () => {
    expect(checkRequest('')).toEqual(Buffer.from([0, 0, 0, 0, 0]))
    expect(checkRequest('ab')).toEqual(Buffer.from([0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62]))
    const long = checkRequest('x'.repeat(300))
    expect([...long.subarray(0, 8)]).toEqual([0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02])
    expect(long).toHaveLength(308)
    expect(servingStatus(Buffer.from([8, 1]))).toBe(1)
    expect(servingStatus(Buffer.from([]))).toBe(0)
  })
})
