import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'

import { rowOf } from '../../../../../src/adapters/kubernetes/objects/rows.ts'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { listBody } from '../../../../../src/adapters/kubernetes/server/encode.ts'
import {
  inPieces,
  type PiecedBody,
  wholeOf,
} from '../../../../../src/adapters/kubernetes/server/pieces.ts'
import { send } from '../../../../../src/adapters/kubernetes/server/respond.ts'
import { systemClock } from '../../../../../src/system.ts'

function pods(count: number): readonly KubeObject[] {
  return Array.from({ length: count }, (_, n) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${n}`, namespace: 'default' },
    spec: { text: `ä${n}`.repeat(200) },
  }))
}

function bodyOf(objects: readonly KubeObject[]): PiecedBody {
  return listBody('PodList', 'v1', { resourceVersion: '7' }, objects.map(rowOf))
}

describe('pieces', () => {
  test('are what the parts are, one behind the other', () => {
    const parts = ['ä'.repeat(70_000), Buffer.alloc(200_000, 1), '', 'x', Buffer.alloc(65_536, 2)]
    const pieces = Array.from(inPieces(parts), (piece) => Buffer.from(piece))
    expect(pieces.every((piece) => piece.length <= 65_536)).toBe(true)
    const whole = Buffer.concat(parts.map((part) => Buffer.from(part)))
    expect(Buffer.concat(pieces).equals(whole)).toBe(true)
  })

  test('of nothing are none', () => {
    expect([...inPieces([])]).toEqual([])
  })
})

describe('a list made of texts', () => {
  test.each([0, 1, 3])('of %i says what it has, and how long it is', (count) => {
    const body = bodyOf(pods(count))
    const whole = wholeOf(body)
    expect(whole.length).toBe(body.length)
    const items = pods(count).map(({ metadata, spec }) => ({ metadata, spec }))
    const metadata = { resourceVersion: '7' }
    expect(JSON.parse(whole.toString())).toEqual({
      kind: 'PodList',
      apiVersion: 'v1',
      metadata,
      items,
    })
  })

  test('lets an item that is something else say so', () => {
    const other = { apiVersion: 'apps/v1', kind: 'Pod', metadata: { name: 'other' } }
    const body = bodyOf([other, ...pods(1)])
    const whole = wholeOf(body)
    expect(whole.length).toBe(body.length)
    expect(JSON.parse(whole.toString())).toMatchObject({ items: [other, { spec: {} }] })
  })
})

describe('an answer in pieces', () => {
  let server: Server | undefined
  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function asked(
    body: PiecedBody,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<{ readonly response: IncomingMessage; readonly sent: Promise<void> }> {
    let sent: Promise<void> = Promise.resolve()
    server = createServer((request, response) => {
      const reply = { code: 200, contentType: 'application/json', text: '', body }
      sent = send(request, response, reply, { clock: systemClock, stallMs: 60_000 })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const asks = get({ port, host: '127.0.0.1', agent: false, headers, method })
    asks.on('error', () => undefined)
    const [response] = (await once(asks, 'response')) as [IncomingMessage]
    return { response, sent }
  }

  async function read(response: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  test('comes whole, with its length, also to a reader that is slow', async () => {
    const { response, sent } = await asked(bodyOf(pods(2_000)))
    response.pause()
    await new Promise((resolve) => setImmediate(resolve))
    const whole = await read(response)
    await sent
    expect(response.headers['content-length']).toBe(String(whole.length))
    expect(whole.equals(wholeOf(bodyOf(pods(2_000))))).toBe(true)
  })

  test('is compressed for who takes it, and worth it', async () => {
    const zipped = await asked(bodyOf(pods(2_000)), { 'accept-encoding': 'gzip' })
    expect(zipped.response.headers['content-encoding']).toBe('gzip')
    const whole = gunzipSync(await read(zipped.response))
    expect(whole.equals(wholeOf(bodyOf(pods(2_000))))).toBe(true)
    server?.close()
    const plain = await asked(bodyOf(pods(1)), { 'accept-encoding': 'gzip' })
    expect(plain.response.headers['content-encoding']).toBeUndefined()
    await read(plain.response)
  })

  test('ends when its reader is gone', async () => {
    const { response, sent } = await asked(bodyOf(pods(20_000)))
    response.destroy()
    await sent
  })

  test('of unknown length has one when it fits into a piece', async () => {
    const { response } = await asked({ parts: ['{"a":', '1}'] })
    expect(response.headers['content-length']).toBe('7')
    expect(String(await read(response))).toBe('{"a":1}')
  })
})
