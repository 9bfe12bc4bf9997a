import type { AddressInfo } from 'node:net'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { ConnectionClosedError } from '../../../../src/core/errors.ts'
import type { Connection, Listener } from '../../../../src/core/interfaces/transport.ts'
import { closeReasonText } from '../../../../src/transports/websocket/close-codes.ts'
import { webSocket } from '../../../../src/transports/websocket/index.ts'
import {
  nodeWebSocket,
  type WebSocketServerOptions,
  webSocketServer,
} from '../../../../src/transports/websocket/server.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Listening {
  readonly address: string
  accept(): Promise<Connection>
}

async function listen(options: WebSocketServerOptions = {}): Promise<Listening> {
  const listener: Listener = await webSocketServer(options)
  cleanups.push(() => listener.close())
  const iterator = listener[Symbol.asyncIterator]()
  return {
    address: listener.addresses[0] ?? '',
    async accept() {
      const { value } = await iterator.next()
      if (value === undefined) throw new Error('the listener closed')
      return value
    },
  }
}

async function listenTcp(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = []
  const server: Server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

// A WebSocket client that does only what it is told, frame by frame.
async function rawClient(address: string): Promise<Socket> {
  const { port } = new URL(address)
  const socket = connectTcp(Number(port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await new Promise((resolve) => socket.once('data', resolve))
  cleanups.push(async () => socket.destroy())
  return socket
}

test('a close reason is cut between characters', () => {
  expect(closeReasonText('short')).toBe('short')
  expect(closeReasonText('a'.repeat(200))).toBe('a'.repeat(123))
  expect(closeReasonText('é'.repeat(100))).toBe('é'.repeat(61))
  expect(closeReasonText(`a${'🚢'.repeat(40)}`)).toBe(`a${'🚢'.repeat(30)}`)
  expect(closeReasonText(`${'a'.repeat(122)}é`)).toBe('a'.repeat(122))
  expect(new TextEncoder().encode(closeReasonText('世'.repeat(90))).length).toBeLessThan(124)
})

test('broken frames end their connection and nothing else', async () => {
  const { address, accept } = await listen({ messageBytesMax: 1_000 })
  const good = await nodeWebSocket().dial(address)
  const goodAccepted = await accept()
  const frames: readonly [readonly number[], string][] = [
    [[0x82, 0x05, 1, 2, 3, 4, 5], 'PROTOCOL_REMOTE'], // not masked
    [[0xf2, 0x80, 0, 0, 0, 0], 'PROTOCOL_REMOTE'], // reserved bits
    [[0x83, 0x80, 0, 0, 0, 0], 'PROTOCOL_REMOTE'], // unknown opcode
    [[0x80, 0x80, 0, 0, 0, 0], 'PROTOCOL_REMOTE'], // continuation of nothing
    [[0x89, 0xfe, 1, 0, 0, 0, 0, 0], 'PROTOCOL_REMOTE'], // a ping that is too long
    [[0x82, 0xfe, 0x10, 0, 0, 0, 0, 0], 'PROTOCOL_LIMIT_EXCEEDED'], // 4,096 bytes announced
    [[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'PROTOCOL_LIMIT_EXCEEDED'],
    [[0x81, 0x81, 0, 0, 0, 0, 0x61], 'PROTOCOL_REMOTE'], // a text message
    [[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xee], 'PROTOCOL_REMOTE'], // close with 1006
  ]
  for (const [frame, code] of frames) {
    const socket = await rawClient(address)
    const accepted = await accept()
    socket.write(Uint8Array.from(frame))
    expect(await accepted.closed).toMatchObject({ type: 'failed', error: { code } })
  }
  good.send(Uint8Array.of(1))
  const { value } = await goodAccepted[Symbol.asyncIterator]().next()
  expect(value).toEqual(Uint8Array.of(1))
  await good.close()
})

test('a peer that disappears has failed', async () => {
  const { address, accept } = await listen()
  const socket = await rawClient(address)
  const accepted = await accept()
  socket.destroy()
  expect(await accepted.closed).toMatchObject({
    type: 'failed',
    error: { code: 'TRANSPORT_CLOSED', retryable: true },
  })
})

test('a peer that answers no keep-alive is given up', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false })
  await new Promise((resolve) => server.once('listening', resolve))
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  const transport = nodeWebSocket({ pingMs: 20, pongMs: 20 })
  const connection = await transport.dial(`ws://127.0.0.1:${port}`)
  expect(await connection.closed).toMatchObject({
    type: 'failed',
    error: { message: 'the peer did not answer a keep-alive', fields: { pongMs: 20 } },
  })
})

test('a keep-alive that is answered keeps the connection, also while the reader rests', async () => {
  const { address, accept } = await listen({ pingMs: 5, pongMs: 200, inboxBytesMax: 1_000 })
  const dialed = await nodeWebSocket({ pingMs: 5, pongMs: 200 }).dial(address)
  const accepted = await accept()
  for (let index = 0; index < 10; index++) dialed.send(new Uint8Array(500).fill(index))
  const ended = Promise.race([dialed.closed, accepted.closed]).then(() => 'ended')
  const later = new Promise((resolve) => setTimeout(() => resolve('open'), 450))
  expect(await Promise.race([ended, later])).toBe('open')
  const iterator = accepted[Symbol.asyncIterator]()
  for (let index = 0; index < 10; index++) {
    expect((await iterator.next()).value?.[0]).toBe(index)
  }
  await dialed.close()
})

test('a close that is not answered ends all the same', async () => {
  const { address, accept } = await listen({ closeMs: 30 })
  await rawClient(address)
  const accepted = await accept()
  await accepted.close()
  expect(await accepted.closed).toMatchObject({
    type: 'failed',
    error: { message: 'the peer did not answer the close in time' },
  })
})

test('the peer learns why it was aborted', async () => {
  const { address, accept } = await listen()
  const dialed = await nodeWebSocket().dial(address)
  const accepted = await accept()
  const socket = new WebSocket(address)
  socket.on('error', () => undefined)
  const second = await accept()
  const text = 'the reason, in full'
  await dialed.close()
  expect((await accepted.closed).type).toBe('remote')
  const told = new Promise((resolve) => {
    socket.on('close', (code, reason) => resolve([code, reason.toString()]))
  })
  second.abort(new ConnectionClosedError(text))
  expect(await told).toEqual([4000, text])
})

test('a dial that fails says why', async () => {
  const transport = nodeWebSocket({ dialMs: 60 })
  const closed = await listenTcp((socket) => socket.destroy())
  await expect(transport.dial(closed)).rejects.toMatchObject({
    code: 'TRANSPORT_DIAL_FAILED',
    retryable: true,
    fields: { address: closed, reason: 'ECONNRESET' },
  })
  const silent = await listenTcp(() => undefined)
  await expect(transport.dial(silent)).rejects.toMatchObject({
    message: 'the dial took too long',
    retryable: true,
  })
  const garbage = await listenTcp((socket) => socket.end('SSH-2.0-nothing\r\n'))
  await expect(transport.dial(garbage)).rejects.toMatchObject({ code: 'TRANSPORT_DIAL_FAILED' })
  const endless = await listenTcp((socket) => {
    socket.write('HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nnever ends')
  })
  await expect(transport.dial(endless)).rejects.toMatchObject({ code: 'TRANSPORT_DIAL_FAILED' })
  for (const address of ['not an address', 'ftp://127.0.0.1/']) {
    for (const dialer of [transport, webSocket({ webSocket: WebSocket })]) {
      await expect(dialer.dial(address)).rejects.toMatchObject({
        code: 'TRANSPORT_DIAL_FAILED',
        retryable: false,
        fields: { address },
      })
    }
  }
})

test('an aborted dial leaves no socket behind', async () => {
  let ended: (value: unknown) => void = () => undefined
  const end = new Promise((resolve) => {
    ended = resolve
  })
  const address = await listenTcp((socket) => {
    socket.on('data', () => undefined)
    socket.on('close', ended)
  })
  const controller = new AbortController()
  const dialing = nodeWebSocket().dial(address, { signal: controller.signal })
  setTimeout(() => controller.abort('enough'), 20)
  await expect(dialing).rejects.toBe('enough')
  await end
})

test('nothing is left when connections have ended', async () => {
  const resources = () =>
    process.getActiveResourcesInfo().filter((name) => /Timeout|TCPSocket|TCPServer/.test(name))
  const before = resources().length
  const { address, accept } = await listen()
  for (const dialer of [nodeWebSocket(), webSocket({ webSocket: WebSocket })]) {
    const dialed = await dialer.dial(address)
    const accepted = await accept()
    accepted.send(new Uint8Array(10))
    await Promise.all([dialed.close(), accepted.closed])
    const aborted = await dialer.dial(address)
    const other = await accept()
    other.abort(new ConnectionClosedError())
    await aborted.closed
  }
  await cleanups.pop()?.()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(resources().length).toBeLessThanOrEqual(before)
})
