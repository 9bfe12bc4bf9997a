import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { isTidewayError, type TidewayError } from '../../../../src/core/errors.ts'
import type { Connection, Listener } from '../../../../src/core/interfaces/transport.ts'
import {
  nodeWebSocket,
  type WebSocketServerOptions,
  webSocketServer,
} from '../../../../src/transports/websocket/server.ts'

const listeners: Listener[] = []
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close()
})

async function listen(options: WebSocketServerOptions): Promise<string> {
  const listener = await webSocketServer(options)
  listeners.push(listener)
  return listener.addresses[0] ?? ''
}

async function refusal(address: string, authorization?: string): Promise<TidewayError> {
  const headers = authorization === undefined ? {} : { authorization }
  const transport = nodeWebSocket({ credentials: { headers } })
  const error: unknown = await transport.dial(address).catch((reason: unknown) => reason)
  if (!isTidewayError(error)) throw new Error('the dial was not refused', { cause: error })
  return error
}

function accept(): Promise<Connection> {
  const iterator = listeners.at(-1)?.[Symbol.asyncIterator]()
  return new Promise((resolve, reject) => {
    iterator?.next().then(({ value }) => (value ? resolve(value) : reject(new Error())), reject)
  })
}

test('an authenticated peer is known to the accepting side', async () => {
  const address = await listen({
    authenticate: async ({ headers }) =>
      headers.authorization === 'Bearer right' ? 'edge-1' : undefined,
  })
  const accepting = accept()
  let dials = 0
  const transport = nodeWebSocket({
    credentials: async () => {
      dials += 1
      return { headers: { authorization: dials === 1 ? 'Bearer expired' : 'Bearer right' } }
    },
  })
  await expect(transport.dial(address)).rejects.toMatchObject({ fields: { status: 401 } })
  const dialed = await transport.dial(address)
  const accepted = await accepting
  expect(accepted.principal).toBe('edge-1')
  expect(accepted.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(dialed.principal).toBeUndefined()
  await dialed.close()
})

test('a peer without credentials is refused with 401, and trying again is no use', async () => {
  const address = await listen({ authenticate: () => undefined })
  const error = await refusal(address, 'Bearer wrong')
  expect(error).toMatchObject({
    code: 'TRANSPORT_DIAL_FAILED',
    retryable: false,
    fields: {
      address,
      status: 401,
      remoteCode: 'ACCESS_UNAUTHENTICATED',
      remoteMessage: 'the request carries no valid credentials',
    },
  })
})

test('a failing check of credentials is refused with 503, and trying again may help', async () => {
  const logged: unknown[] = []
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (message: string) => logged.push(message),
    child: () => logger,
  }
  const failing = await listen({
    authenticate: () => Promise.reject(new Error('the directory is down')),
    logger,
  })
  const hanging = await listen({
    authenticate: () => new Promise(() => undefined),
    authenticateMs: 20,
    logger,
  })
  const throwing = await listen({
    authenticate: () => {
      throw new Error('a bug')
    },
    logger,
  })
  for (const address of [failing, hanging, throwing]) {
    const error = await refusal(address)
    expect(error.retryable).toBe(true)
    expect(error.fields).toMatchObject({ status: 503, retryAfterMs: 2_000 })
  }
  expect(logged).toEqual(Array(3).fill('authentication of an upgrade request failed'))
})

test('a listener takes no more than it is allowed', async () => {
  const address = await listen({ connectionsMax: 1 })
  const first = await nodeWebSocket().dial(address)
  expect((await refusal(address)).fields['status']).toBe(503)
  await first.close()
  await (await accept()).closed
  const second = await nodeWebSocket().dial(address)
  await second.close()

  const crowded = await listen({ backlogMax: 2 })
  const waiting = [await nodeWebSocket().dial(crowded), await nodeWebSocket().dial(crowded)]
  expect((await refusal(crowded)).fields['status']).toBe(503)
  await listeners.at(-1)?.close()
  for (const connection of waiting) expect((await connection.closed).type).toBe('failed')
})

test('only the path of the listener is one', async () => {
  const address = await listen({ path: '/sync' })
  expect(address).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/sync$/)
  const error = await refusal(address.replace('/sync', '/other'))
  expect(error).toMatchObject({ retryable: false, fields: { status: 404 } })
  const plain = await fetch(address.replace('ws:', 'http:'))
  expect(plain.status).toBe(426)
  const connection = await nodeWebSocket().dial(`${address}?from=here`)
  await connection.close()
})

test('a server of the caller is shared with what else it does', async () => {
  const server = createServer((_request, response) => response.end('mine'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const address = await listen({ server, path: '/sync' })
  expect(address).toBe(`ws://127.0.0.1:${port}/sync`)
  let others = 0
  server.on('upgrade', (request, socket) => {
    if (request.url === '/sync') return
    others += 1
    socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n')
  })
  const connection = await nodeWebSocket().dial(address)
  expect((await refusal(`ws://127.0.0.1:${port}/other`)).fields['status']).toBe(418)
  expect(others).toBe(1)
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('mine')
  await listeners[0]?.close()
  expect(server.listening).toBe(true)
  await connection.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('an address that cannot be listened at is a usage error', async () => {
  const address = await listen({})
  const port = Number(new URL(address).port)
  await expect(webSocketServer({ port })).rejects.toMatchObject({
    code: 'USAGE_INVALID_ARGUMENT',
    fields: { host: '127.0.0.1', port, reason: 'EADDRINUSE' },
  })
})
