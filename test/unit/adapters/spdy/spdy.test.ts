import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { deflateSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SpdyConnection } from '../../../../src/adapters/spdy/connection.ts'
import { headerDictionary } from '../../../../src/adapters/spdy/dictionary.ts'
import {
  CONTROL_BYTES_MAX,
  encodeFrame,
  type Frame,
  FrameReader,
} from '../../../../src/adapters/spdy/frames.ts'
import { HeaderCodec } from '../../../../src/adapters/spdy/headers.ts'
import type { SpdyStream } from '../../../../src/adapters/spdy/stream.ts'

let client: Socket
let connection: SpdyConnection
let close: () => void
const streams: SpdyStream[] = []
const seen: Frame[] = []
let wake: () => void = () => undefined

beforeEach(async () => {
  streams.length = 0
  seen.length = 0
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  client = connect(address.port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  close = () => {
    client.destroy()
    server.close()
  }
  connection = new SpdyConnection({
    socket,
    accept: (stream) => {
      if (stream.headers.get('streamtype') === 'refused') return false
      streams.push(stream)
      wake()
      return true
    },
    onActivity: () => undefined,
  })
  const reader = new FrameReader()
  client.on('error', () => undefined)
  client.on('data', (chunk: Buffer) => {
    seen.push(...reader.push(chunk))
    wake()
  })
})

afterEach(() => close())

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
}

async function open(stream: number, type: string, own = new HeaderCodec()): Promise<void> {
  const block = await own.encode(new Map([['streamtype', type]]))
  client.write(encodeFrame({ type: 'open', stream, fin: false, block }))
}

describe('a SPDY connection', () => {
  test('the dictionary is that of the standard', () => {
    const bytes = headerDictionary()
    expect(bytes.length).toBe(1423)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02',
    )
  })

  test('carries bytes both ways on a stream, and ends each way by itself', async () => {
    await open(1, 'data')
    await until(() => streams.length === 1 && seen.length === 1)
    expect(seen[0]).toMatchObject({ type: 'reply', stream: 1 })
    const [stream] = streams
    const data = (text: string, fin: boolean): Frame => ({
      ...{ type: 'data', stream: 1, fin, bytes: Buffer.from(text) },
    })
    client.write(encodeFrame(data('hello', false)))
    client.write(encodeFrame(data(' you', true)))
    const pieces: Uint8Array[] = []
    for await (const piece of stream ?? []) pieces.push(piece)
    expect(Buffer.concat(pieces).toString()).toBe('hello you')
    await stream?.write(Buffer.from('back'))
    stream?.end()
    await stream?.closed
    await until(() => seen.some((frame) => frame.type === 'data' && frame.fin))
    const back = seen.filter((frame) => frame.type === 'data').map(({ bytes }) => bytes)
    expect(Buffer.concat(back).toString()).toBe('back')
  })

  test('answers pings, refuses streams, and tells of resets', async () => {
    client.write(encodeFrame({ type: 'ping', id: 7 }))
    await until(() => seen.length === 1)
    expect(seen[0]).toEqual({ type: 'ping', id: 7 })
    const own = new HeaderCodec()
    await open(1, 'refused', own)
    await until(() => seen.some((frame) => frame.type === 'reset'))
    await open(3, 'data', own)
    await until(() => streams.length === 1)
    client.write(encodeFrame({ type: 'reset', stream: 3, status: 5 }))
    await streams[0]?.closed
    await expect(streams[0]?.write(Buffer.from('x'))).rejects.toThrow('reset')
  })

  test('a stream that nobody reads stops the client, and the rest arrives once it is read', async () => {
    await open(1, 'data')
    await until(() => streams.length === 1)
    const bytes = Buffer.alloc(16 * 1024 * 1024 - 1, 'x')
    client.write(encodeFrame({ type: 'data', stream: 1, fin: true, bytes }))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(client.writableLength).toBeGreaterThan(1024 * 1024)
    let length = 0
    for await (const piece of streams[0] ?? []) length += piece.length
    expect(length).toBe(bytes.length)
  })

  test('ends its streams with the client', async () => {
    await open(1, 'data')
    await until(() => streams.length === 1)
    client.destroy()
    await streams[0]?.closed
    await connection.closed
  })

  const zeros = deflateSync(Buffer.alloc(4 * 1024 * 1024), { dictionary: headerDictionary() })
  test.each<[string, Uint8Array | undefined]>([
    ['a control frame that is too long', Buffer.from([128, 3, 0, 1, 0, 1, 0, 0])],
    ['a version that is not spoken', Buffer.from([128, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1])],
    ['data for a stream that was never opened', Buffer.from([0, 0, 0, 9, 0, 0, 0, 1, 120])],
    ['a control frame that is too short', Buffer.from([128, 3, 0, 3, 0, 0, 0, 2, 0, 1])],
    [
      'headers that are no headers',
      encodeFrame({ type: 'open', stream: 1, fin: false, block: Buffer.from('nonsense') }),
    ],
    [
      'headers that grow without end',
      encodeFrame({
        type: 'open',
        stream: 1,
        fin: false,
        block: zeros.subarray(0, CONTROL_BYTES_MAX - 10),
      }),
    ],
    ['a number that is the server’s', undefined],
  ])('is ended by %s', async (_what, bytes) => {
    if (bytes === undefined) await open(2, 'data')
    else client.write(bytes)
    await connection.closed
    expect(streams).toEqual([])
  })
})
