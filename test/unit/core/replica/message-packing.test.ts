import { deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Compression } from '../../../../src/core/interfaces/compression.ts'
import { MessagePacking } from '../../../../src/core/replica/message-packing.ts'
import {
  FRAME_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  PACK_BYTES_MIN,
} from '../../../../src/core/sync/limits.ts'
import { encodeFrame } from '../../../../src/core/sync/message-codec.ts'
import { nodeCompression } from '../../../../src/node/index.ts'

const compression = nodeCompression()
const packing = new MessagePacking(compression)
const message = encodeFrame({ type: 'signal', key: 'k', value: new Uint8Array(2000) })

function packed(length: number, bytes: Uint8Array, number = compression.number): Uint8Array {
  return encodeFrame({ type: 'packed', packing: number, length, bytes })
}

test('a message travels packed when the peer can undo it, and comes out as it was', () => {
  const sent = packing.pack(message, [7, compression.number]) as Uint8Array
  expect(sent.length).toBeLessThan(60)
  expect(packing.unpack(sent)).toEqual(message)
})

test('a message stays as it is when the peer cannot undo it, or it is short, or gets no shorter', () => {
  expect(packing.pack(message, [])).toBe(message)
  expect(packing.pack(message, [2])).toBe(message)
  const short = message.subarray(0, PACK_BYTES_MIN - 1)
  expect(packing.pack(short, [1])).toBe(short)
  const noise = new Uint8Array(600).map((_, i) => (i * i * 31 + (i >> 3) * 7) & 0xff)
  const useless: Compression = { ...compression, compress: (bytes) => bytes.slice() }
  expect(new MessagePacking(useless).pack(noise, [1])).toBe(noise)
  expect(new MessagePacking(undefined).pack(message, [1])).toBe(message)
})

test('what would not fit a frame stays as it is', () => {
  const large = new Uint8Array(FRAME_BYTES_MAX * 2)
  const lazy: Compression = {
    ...compression,
    compress: (bytes) => bytes.slice(0, FRAME_BYTES_MAX),
  }
  expect(new MessagePacking(lazy).pack(large, [1])).toBe(large)
})

test.each([
  ['another packing', packed(6, new Uint8Array(3), 2), 'PROTOCOL_COMPRESSION_UNSUPPORTED'],
  ['bytes that are no DEFLATE', packed(6, new Uint8Array(9).fill(255)), 'PROTOCOL_REMOTE'],
  [
    'a length that is too small',
    packed(99, deflateRawSync(new Uint8Array(100))),
    'PROTOCOL_REMOTE',
  ],
  [
    'a length that is too large',
    packed(101, deflateRawSync(new Uint8Array(100))),
    'PROTOCOL_REMOTE',
  ],
  ['no length', packed(0, deflateRawSync(new Uint8Array(0))), undefined],
  [
    'a bomb that says what it is',
    packed(MESSAGE_BYTES_MAX + 1, deflateRawSync(new Uint8Array(MESSAGE_BYTES_MAX + 1))),
    'PROTOCOL_LIMIT_EXCEEDED',
  ],
  [
    'a bomb that says less',
    packed(MESSAGE_BYTES_MAX, deflateRawSync(new Uint8Array(64 << 20))),
    'PROTOCOL_REMOTE',
  ],
  [
    'another one inside',
    packed(46, deflateRawSync(packed(9, new Uint8Array(40)))),
    'PROTOCOL_REMOTE',
  ],
  [
    'a frame behind it',
    Buffer.concat([packed(100, deflateRawSync(new Uint8Array(100))), Uint8Array.of(0x81, 0x10)]),
    'PROTOCOL_REMOTE',
  ],
  ['fields that are missing', Uint8Array.of(0x84, 23, 1), 'PROTOCOL_REMOTE'],
  ['fields of other types', Uint8Array.of(0x84, 23, 0x61, 0x61, 1, 0x40), 'PROTOCOL_REMOTE'],
])('%s is answered with a code', (_, bytes, code) => {
  const answer = packing.unpack(new Uint8Array(bytes))
  if (code === undefined) expect(answer).toEqual(new Uint8Array(0))
  else expect(answer).toMatchObject({ code })
})

test('a compression that fails later is as one that fails at once', async () => {
  const late: Compression = {
    ...compression,
    decompress: () => Promise.reject(new Error('broken')),
  }
  const answer = await new MessagePacking(late).unpack(packed(100, new Uint8Array(9)))
  expect(answer).toMatchObject({ code: 'PROTOCOL_REMOTE' })
})
