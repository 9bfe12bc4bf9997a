import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { type ApiAccess, readAccess } from '../../examples/shared/api-client.ts'
import type { ConnectionLimits } from '../../src/adapters/kubernetes/server/connections.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { TestFleet, until } from './fleet-programs.ts'

// Clients that take their time, or all connections: none may take the server from the others.

const MAPS = '/api/v1/namespaces/default/configmaps'
const LIMITS: ConnectionLimits = {
  connectionsMax: 100,
  handshakeMs: 400,
  headersMs: 500,
  requestMs: 900,
  stallMs: 300,
  watchBytesMax: 1_000_000,
}

let target: TestApiServer
beforeAll(async () => {
  target = await startTestApiServer({ limits: LIMITS })
})
afterAll(() => target?.close())

/** A connection to the test server on which nothing was said. */
async function dial(): Promise<TLSSocket> {
  const socket = connect({ port: target.server.port, host: '127.0.0.1', ca: target.caPem })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  return socket
}

/** All that comes until the server closes. */
async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  if (!socket.destroyed) await once(socket, 'close')
  return text
}

function head(method: string, path: string, ...more: readonly string[]): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: api', `Authorization: Bearer ${target.token}`]
  return `${[...lines, ...more].join('\r\n')}\r\n`
}

/** Sends one byte after the other, for as long as somebody listens. */
function trickle(socket: Socket, byte: string): void {
  const timer = setInterval(() => {
    if (socket.writable) socket.write(byte)
  }, 50)
  socket.once('close', () => clearInterval(timer))
}

/** How long a request of somebody else takes, in milliseconds. */
async function isServing(): Promise<void> {
  const socket = await dial()
  socket.write(`${head('GET', '/api/v1/namespaces', 'Connection: close')}\r\n`)
  expect(await heard(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
}

const FORM = 'Content-Type: application/json'

describe('is cut off:', () => {
  test('a body that trickles', async () => {
    const socket = await dial()
    socket.write(`${head('POST', MAPS, FORM, 'Content-Length: 1000')}\r\n{`)
    trickle(socket, ' ')
    const answer = heard(socket)
    await isServing()
    const text = await answer
    expect(text).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/)
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      kind: 'Status',
      code: 408,
      message: 'the request was not complete in time',
    })
  })

  test('headers that never end', async () => {
    const socket = await dial()
    socket.write(head('GET', MAPS))
    trickle(socket, 'X')
    const answer = heard(socket)
    await isServing()
    expect(await answer).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/)
  })

  test('a connection on which nothing is said', async () => {
    const socket = await dial()
    expect(await heard(socket)).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/)
  })

  test('headers that are too large, and what is no HTTP', async () => {
    const large = await dial()
    large.write(`${head('GET', MAPS, `X: ${'x'.repeat(100_000)}`)}\r\n`)
    expect(await heard(large)).toMatch(/^HTTP\/1.1 431 /)
    const noise = await dial()
    noise.write('\u0001\u0002 hello\r\n\r\n')
    expect(await heard(noise)).toMatch(/^HTTP\/1.1 400 [\s\S]*"kind":"Status"/)
  })

  test('a TLS handshake that never ends', async () => {
    const socket = connectTcp(target.server.port, '127.0.0.1')
    socket.on('error', () => undefined)
    // The beginning of a ClientHello.
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
    trickle(socket, '\u0000')
    const answer = heard(socket)
    await isServing()
    expect(await answer).toBe('')
  })

  test('who reads nothing of an answer', async () => {
    for (let n = 0; n < 12; n += 1) {
      await target.store.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `large-${n}`, namespace: 'default' },
        data: { text: 'x'.repeat(900_000) },
      })
    }
    const socket = await dial()
    socket.pause()
    // More than the buffers of the system take in.
    socket.write(`${head('GET', MAPS)}\r\n`.repeat(4))
    await isServing()
    // Whoever writes to a connection that was cut is told.
    trickle(socket, '\r\n')
    await new Promise((resolve) => socket.once('close', resolve))
    expect(socket.bytesRead).toBeLessThan(4 * 12 * 900_000)
  })

  test('a watch that is not read, once too much waits for it', async () => {
    const key = { resource: 'configmaps', namespace: 'default', name: 'busy' }
    const metadata = { name: 'busy', namespace: 'default' }
    await target.store.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} })
    const watch = head('GET', `${MAPS}?watch=true&fieldSelector=metadata.name%3Dbusy`)
    const stuck = await dial()
    stuck.write(`${watch}\r\n`)
    await once(stuck, 'data')
    stuck.pause()
    const reader = await dial()
    let bytes = 0
    reader.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    reader.write(`${watch}\r\n`)
    const text = 'x'.repeat(600_000)
    const edits = 24
    for (let n = 0; n < edits; n += 1) {
      const data = { text: text + n }
      await target.store.update(key, (now) => ({ ...now, data }), { part: 'desired' })
      // Who reads gets each of them.
      while (bytes < (n + 1) * text.length) await once(reader, 'data')
    }
    const got = (await heard(stuck.resume())).length
    expect(got).toBeLessThan(edits * text.length)
    expect(reader.destroyed).toBe(false)
    reader.destroy()
  })
})

const PLACES = 12

test('past the limit the idle make room, and then who comes is told to come back', async () => {
  await target.close()
  target = await startTestApiServer({ limits: { connectionsMax: PLACES } })
  const idle = await Promise.all(Array.from({ length: PLACES }, dial))
  const ended = Promise.all(idle.map(heard))
  for (const socket of idle) socket.write(`${head('GET', '/api/v1/namespaces')}\r\n`)
  await Promise.all(idle.map((socket) => once(socket, 'data')))
  await isServing()
  await ended
  const busy = await Promise.all(Array.from({ length: PLACES }, dial))
  for (const socket of busy) socket.write(`${head('GET', `${MAPS}?watch=true`)}\r\n`)
  await Promise.all(busy.map((socket) => once(socket, 'data')))
  const late = await dial()
  late.write(`${head('GET', '/api/v1/namespaces')}\r\n`)
  const text = await heard(late)
  expect(text).toMatch(/^HTTP\/1.1 429 Too Many Requests\r\n/)
  expect(text).toMatch(/\r\nRetry-After: 1\r\n/)
  expect(text).toMatch(/"reason":"TooManyRequests"/)
  busy[0]?.destroy()
  await until('there is room', async () => {
    const socket = await dial()
    socket.write(`${head('GET', '/api/v1/namespaces', 'Connection: close')}\r\n`)
    return (await heard(socket)).startsWith('HTTP/1.1 200')
  })
  for (const socket of busy) socket.destroy()
})

describe('cloudcore', () => {
  const CONNECTIONS = 3_000
  let fleet: TestFleet
  let cloud: RunningProgram
  let access: ApiAccess
  beforeAll(async () => {
    fleet = await TestFleet.create()
    cloud = await fleet.startCloud()
    access = await readAccess(fleet.data('cloud'), 'cloudcore')
  })
  afterAll(() => fleet?.close())

  async function residentBytes(): Promise<number> {
    const text = await readFile(`/proc/${cloud.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) * 1024
  }

  test('serves beside three thousand idle connections', async () => {
    const agent = new Agent({ keepAlive: true, ca: access.ca, maxSockets: CONNECTIONS })
    const url = new URL('/version', access.server)
    const opened: Promise<void>[] = []
    const before = await residentBytes()
    // All answers are awaited at once, so that each request needs a connection of its own.
    const unread: IncomingMessage[] = []
    for (let n = 0; n < CONNECTIONS; n += 1) {
      const ready = new Promise<void>((resolve, reject) => {
        const sent = request(url, { agent }, (response) => {
          unread.push(response)
          resolve()
        })
        sent.on('error', reject)
        sent.end()
      })
      opened.push(ready)
      if (n % 100 === 99) await ready
    }
    await Promise.all(opened)
    for (const response of unread) response.resume()
    const api = await fleet.api('cloud')
    expect((await api.send('GET', '/api/v1/namespaces')).status).toBe(200)
    const each = ((await residentBytes()) - before) / CONNECTIONS
    expect(each).toBeLessThan(100 * 1024)
    agent.destroy()
    expect((await api.send('GET', '/api/v1/namespaces')).status).toBe(200)
  })
})
