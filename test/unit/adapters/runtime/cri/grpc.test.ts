import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { GRPC } from '../../../../../src/adapters/grpc/wire.ts'
import { GrpcChannel } from '../../../../../src/adapters/runtime/cri/grpc.ts'

let folder: string
let server: Http2Server
let channel: GrpcChannel
let answer: (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grpc-'))
  await listen()
  channel = new GrpcChannel(join(folder, 'socket'))
})

afterEach(async () => {
  channel.close()
  await new Promise((resolve) => {
    server.close(resolve)
  })
  await rm(folder, { recursive: true, force: true })
})

async function listen(): Promise<void> {
  server = createServer()
  server.on('stream', (stream, headers) => answer(stream, headers))
  await new Promise<void>((resolve) => {
    server.listen(join(folder, 'socket'), resolve)
  })
}

/** Answers with these bytes, written as they come, and a status. */
function reply(
  stream: ServerHttp2Stream,
  pieces: readonly Uint8Array[],
  status: Record<string, string> = { 'grpc-status': '0' },
): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers(status))
  for (const piece of pieces) stream.write(piece)
  stream.end()
}

function framed(text: string): Buffer {
  const frame = Buffer.alloc(5 + text.length)
  frame.writeUInt32BE(text.length, 1)
  frame.write(text, 5)
  return frame
}

async function call(timeoutMs?: number, signal?: AbortSignal): Promise<readonly string[]> {
  const messages: string[] = []
  await channel.call({
    path: '/a.Service/Method',
    request: Buffer.from('asked'),
    timeoutMs,
    signal,
    onMessage: (message) => messages.push(Buffer.from(message).toString()),
  })
  return messages
}

test('messages come whole, however they are cut on their way', async () => {
  const bytes = Buffer.concat([framed('one'), framed(''), framed('three')])
  answer = (stream) =>
    reply(
      stream,
      [...bytes].map((byte) => Buffer.from([byte])),
    )
  expect(await call(5_000)).toEqual(['one', '', 'three'])
})

test('a refusal has its code and its words, also those that are not ASCII', async () => {
  const status = { 'grpc-status': '5', 'grpc-message': 'no caf%C3%A9 100%' }
  answer = (stream) => reply(stream, [], status)
  await expect(call(5_000)).rejects.toMatchObject({ code: GRPC.notFound })
  answer = (stream) => reply(stream, [], { 'grpc-status': '5', 'grpc-message': 'caf%C3%A9' })
  await expect(call(5_000)).rejects.toThrow('/a.Service/Method: café')
})

test('what is too large, or ends without a status, is a failure', async () => {
  const huge = Buffer.alloc(5)
  huge.writeUInt32BE(64 << 20, 1)
  answer = (stream) => reply(stream, [huge])
  await expect(call(5_000)).rejects.toThrow('too large')
  answer = (stream) => {
    stream.respond({ ':status': 200 })
    stream.end()
  }
  await expect(call(5_000)).rejects.toMatchObject({ code: GRPC.unavailable })
})

test('a deadline is told to the other side, and kept without it', async () => {
  let told: unknown
  answer = (_stream, headers) => {
    told = headers['grpc-timeout']
  }
  await expect(call(50)).rejects.toMatchObject({ code: GRPC.unavailable })
  expect(told).toBe('50m')
})

test('a call ends when it is given up, and the next one connects again after a break', async () => {
  answer = () => undefined
  const giveUp = new AbortController()
  const waiting = call(undefined, giveUp.signal)
  giveUp.abort()
  await expect(waiting).rejects.toMatchObject({ code: GRPC.unavailable })
  answer = (stream) => stream.session?.destroy()
  await expect(call(5_000)).rejects.toMatchObject({ code: GRPC.unavailable })
  answer = (stream) => reply(stream, [framed('again')])
  expect(await call(5_000)).toEqual(['again'])
})

test('where nobody listens a call fails at once', async () => {
  const nowhere = new GrpcChannel(join(folder, 'nobody'))
  const request = {
    path: '/a.Service/Method',
    request: new Uint8Array(),
    onMessage: () => undefined,
  }
  await expect(nowhere.call(request)).rejects.toMatchObject({ code: GRPC.unavailable })
  nowhere.close()
  await expect(nowhere.call(request)).rejects.toThrow('closed')
})

test('a time that is none refuses the call, and nothing else', async () => {
  answer = (stream) => reply(stream, [framed('here')])
  await expect(call(Number.NaN)).rejects.toMatchObject({ code: GRPC.invalidArgument })
  expect(await call(5_000)).toEqual(['here'])
})
