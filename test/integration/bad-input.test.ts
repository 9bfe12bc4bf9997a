import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import {
  createAuthority,
  createSigningRequest,
  issueClientCertificate,
} from 'tideway/adapters/kubernetes/server'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import type { RunningProgram } from '../../examples/demo/program.ts'
import { readAccess } from '../../examples/shared/api-client.ts'
import { CLOUD_NAME, SYNC_PATH } from '../../examples/shared/join-exchange.ts'
import type { CloseFrame, Frame } from '../../src/core/sync/message.ts'
import { decodeMessage, encodeFrame } from '../../src/core/sync/message-codec.ts'
import { eventsFrame, helloFrame, wireEntry } from '../support/raw-peer.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

const MIB = 1 << 20
const WAIT_MS = 10_000

let fleet: TestFleet
let cloud: RunningProgram
let edge: RunningProgram
let maps = 0
beforeAll(async () => {
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud()
  edge = await fleet.joinEdge('edge-1')
  // A node whose credentials are good, and in bad hands.
  const token = await fleet.token('edge-2')
  const joined = await runCli('edgecore', [
    'join',
    '--token',
    token,
    '--data',
    fleet.data('edge-2'),
  ])
  if (joined.code !== 0) throw new Error(joined.stderr)
})
afterAll(() => fleet.close())
// Whatever was sent: the cloud serves, and the edge beside it never lost its connection.
afterEach(async () => {
  maps += 1
  const name = `after-${maps}`
  const api = await fleet.api('cloud')
  await api.expect('POST', MAPS, { ...MAP, metadata: { name } })
  const local = await fleet.api('edge-1')
  await until(`${name} at the edge`, async () => {
    return (await local.send('GET', `${MAPS}/${name}`)).status === 200
  })
  expect(edge.lines().filter(({ msg }) => msg === 'connected to the cloud').length).toBe(1)
  expect(cloud.lines().filter(({ msg }) => /unexpected|a link failed/.test(msg))).toEqual([])
})

const MAPS = '/api/v1/namespaces/default/configmaps'
const MAP = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: {} }

function syncPort(): number {
  return Number(fleet.syncAddress().split(':')[1])
}

interface Credentials {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

async function credentials(node: string): Promise<Credentials> {
  return JSON.parse(await readFile(join(fleet.data(node), 'identity.json'), 'utf8')) as Credentials
}

/** Opens a WebSocket to the sync port; gives the HTTP status when it is refused. */
function dial(node: Partial<Credentials> = {}): Promise<WebSocket | number> {
  const options: WebSocket.ClientOptions = {
    rejectUnauthorized: false,
    cert: node.certificate,
    key: node.key,
  }
  const socket = new WebSocket(`wss://127.0.0.1:${syncPort()}${SYNC_PATH}`, options)
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.once('open', () => resolve(socket))
    socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
  })
}

/** Sends messages as edge-2, and gives the CLOSE with which the cloud answers. */
async function answerTo(...messages: readonly Uint8Array[]): Promise<CloseFrame> {
  const socket = await dial(await credentials('edge-2'))
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`)
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no CLOSE came')), WAIT_MS)
      socket.on('message', (bytes: Buffer) => {
        for (const { frame } of decodeMessage(bytes).frames ?? []) {
          if (frame.type !== 'close') continue
          clearTimeout(timer)
          resolve(frame)
        }
      })
      for (const message of messages) socket.send(message)
    })
  } finally {
    socket.terminate()
  }
}

describe('the sync port', () => {
  test.each([
    ['noise', Buffer.from('\u0000\u0001\u0002 not TLS at all\r\n\r\n')],
    ['plain HTTP', Buffer.from('GET /v1/sync HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['nothing', Buffer.alloc(0)],
  ])('cuts off %s before TLS', async (_, bytes) => {
    const socket = connect(syncPort(), '127.0.0.1')
    socket.on('error', () => undefined)
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.end(bytes)
    socket.resume()
    await ended
  })

  test('answers noise inside TLS with 400', async () => {
    const socket = connectTls({
      port: syncPort(),
      servername: CLOUD_NAME,
      rejectUnauthorized: false,
    })
    socket.on('error', () => undefined)
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString()
    })
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.write('\u0000\u0001nonsense\r\n\r\n')
    await ended
    expect(text).toContain('400')
  })

  test('lets nobody in without a certificate, or with another one', async () => {
    expect(await dial()).toBe(401)
    // One that another authority signed, for the name of a real node.
    const authority = await createAuthority('somebody')
    const { request: signing, key } = await createSigningRequest()
    const certificate = await issueClientCertificate(authority, signing, {
      commonName: 'system:node:edge-1',
      organizations: ['system:nodes'],
      days: 1,
    })
    expect(await dial({ certificate, key })).toBe(401)
  })

  const frames = (...all: readonly Frame[]): Buffer =>
    Buffer.concat(all.map((frame) => encodeFrame(frame)))
  const hello = helloFrame('edge-2', { subscriptions: ['node/edge-2'] })
  const event = wireEntry('event', 'd', 'node/edge-2', new Uint8Array(100))
  const messages: readonly (readonly [string, readonly Uint8Array[], string])[] = [
    ['a message that is no CBOR', [Buffer.from('hello')], 'PROTOCOL_REMOTE'],
    ['a message past 1 MiB', [new Uint8Array(MIB + 1)], 'PROTOCOL_LIMIT_EXCEEDED'],
    ['frames before HELLO', [frames({ type: 'ping' })], 'PROTOCOL_REMOTE'],
    ['HELLO twice', [frames(hello), frames(hello)], 'PROTOCOL_REMOTE'],
    [
      'a version of the future',
      [frames({ ...hello, versions: [7] })],
      'PROTOCOL_VERSION_UNSUPPORTED',
    ],
    ['the name of another node', [frames({ ...hello, replica: 'edge-1' })], 'ACCESS_DENIED'],
    ['an event that is none', [frames(hello, eventsFrame(event))], 'PROTOCOL_REMOTE'],
    [
      'events past the credit',
      [frames(hello, ...Array.from({ length: 3 }, () => large()))],
      'PROTOCOL_LIMIT_EXCEEDED',
    ],
  ]
  test.each(messages)('answers %s with CLOSE', async (_, sent, code) => {
    const close = await answerTo(...sent)
    expect([close.code, close.retryable]).toEqual([code, false])
    expect(close.message).not.toBe('')
  })

  test('drops a message that is larger than any message may be', async () => {
    const socket = await dial(await credentials('edge-2'))
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`)
    const ended = new Promise<number>((resolve) => socket.once('close', resolve))
    socket.send(new Uint8Array(17 * MIB))
    expect([1006, 1009]).toContain(await ended)
  })

  test('takes no unknown path', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${syncPort()}/v2/sync`, {
      rejectUnauthorized: false,
    })
    const refused = await new Promise<Error>((resolve) => socket.once('error', resolve))
    expect(refused.message).not.toBe('')
  })
})

function large(): Frame {
  const entry = wireEntry('event', 'd', 'node/edge-2', new Uint8Array(30_000))
  return eventsFrame(entry)
}

describe('the API', () => {
  /** Sends bytes as they are. */
  async function post(path: string, body: string, token?: string) {
    const access = await readAccess(fleet.data('cloud'), 'cloudcore')
    return await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const outgoing = request(`${access.server}${path}`, {
        method: 'POST',
        ca: access.ca,
        agent: false,
        headers: {
          authorization: `Bearer ${token ?? access.token}`,
          'content-type': 'application/json',
        },
      })
      outgoing.once('error', reject)
      outgoing.once('response', (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      })
      outgoing.end(body)
    })
  }

  const map = (fields: object): string => JSON.stringify({ ...MAP, ...fields })
  const pods = '/api/v1/namespaces/default/pods'
  const bodies: readonly (readonly [string, string, string, number, string])[] = [
    ['no JSON', MAPS, '{"kind":', 400, 'BadRequest'],
    ['another kind', MAPS, JSON.stringify({ apiVersion: 'v1', kind: 'Pod' }), 400, 'BadRequest'],
    ['a name that is none', MAPS, map({ metadata: { name: 'A_b' } }), 422, 'Invalid'],
    ['a value that is no text', MAPS, map({ data: { a: { b: 1 } } }), 400, 'BadRequest'],
    [
      'a pod without containers',
      pods,
      JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {} }),
      422,
      'Invalid',
    ],
    ['an object past its size', MAPS, map({ data: { a: 'x'.repeat(2 * MIB) } }), 422, 'Invalid'],
    [
      'an object past the size of any',
      pods,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p' },
        spec: { containers: [{ name: 'c', image: 'i', args: ['x'.repeat(2 * MIB)] }] },
      }),
      413,
      'RequestEntityTooLarge',
    ],
    ['a body past every size', MAPS, 'x'.repeat(4 * MIB), 413, 'RequestEntityTooLarge'],
  ]
  test.each(bodies)('answers %s with a Status', async (_, path, body, status, reason) => {
    const answer = await post(path, body)
    const said = JSON.parse(answer.text) as Record<string, unknown>
    expect([answer.status, said['kind'], said['reason'], said['code']]).toEqual([
      status,
      'Status',
      reason,
      status,
    ])
    expect(said['message']).not.toBe('')
  })

  test('answers a wrong token with 401', async () => {
    const answer = await post(MAPS, map({}), 'guess')
    expect(answer.status).toBe(401)
    expect(JSON.parse(answer.text)).toMatchObject({ kind: 'Status', reason: 'Unauthorized' })
  })
})

describe('a data directory', () => {
  const PORTS = ['--api-address', '127.0.0.1:0', '--sync-address', '127.0.0.1:0']

  test('is refused to a second edgecore while the first goes on', async () => {
    const second = await runCli('edgecore', [...fleet.edgeArgs('edge-1')])
    expect(second.code).toBe(3)
    expect(second.stderr).toContain('DATA_DIRECTORY_LOCKED')
    expect(second.stderr).toContain(fleet.data('edge-1'))
  })

  test('of a node is refused to cloudcore', async () => {
    const wrong = await runCli('cloudcore', ['--data', fleet.data('edge-2'), ...PORTS])
    expect(wrong.code).toBe(3)
    expect(wrong.stderr).toContain('DATA_DIRECTORY_FOREIGN')
    expect(wrong.stderr).toContain(fleet.data('edge-2'))
  })

  test('of a running cloud is refused to edgecore', async () => {
    const args = ['--data', fleet.data('cloud'), '--api-address', '127.0.0.1:0']
    const wrong = await runCli('edgecore', args)
    expect(wrong.code).toBe(3)
    expect(wrong.stderr).toContain('DATA_DIRECTORY_LOCKED')
  })
})
