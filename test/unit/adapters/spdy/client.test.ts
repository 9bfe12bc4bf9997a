import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SpdyConnection } from '../../../../src/adapters/spdy/connection.ts'
import type { SpdyStream } from '../../../../src/adapters/spdy/stream.ts'

let listener: Server
let server: SpdyConnection
let client: SpdyConnection
const opened: SpdyStream[] = []
const wake: () => void = () => undefined

beforeEach(async () => {
  opened.length = 0
  listener = createServer()
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  const socket = connect(address.port, '127.0.0.1')
  const [accepted] = (await once(listener, 'connection')) as [Socket]
  const onActivity = (): void => undefined
  server = new SpdyConnection({
    socket: accepted,
    onActivity,
    accept: (stream) => {
      if (stream.headers.get('streamtype') === 'refused') return false
      opened.push(stream)
      wake()
      return true
    },
  })
  client = new SpdyConnection({ socket, onActivity, role: 'client', accept: () => false })
})

afterEach(async () => {
  client.abort()
  server.abort()
  await Promise.all([client.closed, server.closed])
  await new Promise((resolve) => {
    listener.close(resolve)
  })
})

function open(type: string): Promise<SpdyStream> {
  return client.open(new Map([['streamtype', type]]))
}

async function textOf(stream: SpdyStream | undefined): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream ?? []) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

test('a client opens streams, several at once, and each carries bytes both ways', async () => {
  const [first, second] = await Promise.all([open('one'), open('two')])
  expect(opened.map(({ id, headers }) => [id, headers.get('streamtype')])).toEqual([
    [1, 'one'],
    [3, 'two'],
  ])
  await first.write(Buffer.from('there'))
  first.end()
  expect(await textOf(opened[0])).toBe('there')
  await opened[1]?.write(Buffer.from('back'))
  opened[1]?.end()
  expect(await textOf(second)).toBe('back')
})

test('what a server sent before it reset a stream is still read, and then it is over', async () => {
  const stream = await open('status')
  await opened[0]?.write(Buffer.from('the last words'))
  opened[0]?.reset()
  expect(await textOf(stream)).toBe('the last words')
  await expect(stream.write(Buffer.from('too late'))).rejects.toThrow('ended')
})

test.each([50_000, 900_000])(
  '%d bytes that came before the connection ended are read later',
  async (size) => {
    const stream = await open('output')
    const status = await open('status')
    const [output, words] = opened
    // Without waiting: who reads has not begun.
    const written = output?.write(Buffer.alloc(size, 'x')).then(() => {
      output.end()
      words?.end()
      server.end()
    })
    if (size < 100_000) await client.closed
    const text = await textOf(stream)
    expect(text.length).toBe(size)
    expect(await textOf(status)).toBe('')
    await written
  },
)

test('pings of either side are answered and end nothing', async () => {
  server.ping()
  client.ping()
  const stream = await open('one')
  stream.end()
  opened[0]?.end()
  expect(await textOf(stream)).toBe('')
})

test('with its connection a stream ends for both', async () => {
  const stream = await open('one')
  server.abort()
  await expect(textOf(stream)).rejects.toThrow('closed')
  await expect(open('two')).rejects.toThrow('closed')
})
