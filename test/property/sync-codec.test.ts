import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeMessage, encodeFrame } from '../../src/core/sync/message-codec.ts'
import { frame } from '../support/frames.ts'

test('what is encoded is decoded to the same frame', () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 5 }), (frames) => {
      const encoded = frames.map(encodeFrame)
      const decoded = decodeMessage(Buffer.concat(encoded))
      expect(decoded.frames?.map((item) => item.frame)).toEqual(frames)
      expect(decoded.frames?.map((item) => item.byteLength)).toEqual(
        encoded.map((item) => item.length),
      )
    }),
    { numRuns: 500 },
  )
})

test('noise is a violation or frames, never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
      const { frames, violation } = decodeMessage(noise)
      expect(frames === undefined).toBe(violation !== undefined)
    }),
    { numRuns: 3000 },
  )
})

test('a flipped bit or a missing end is a violation or other frames, never an exception', () => {
  fc.assert(
    fc.property(frame, fc.nat(), fc.nat(), (valid, where, length) => {
      const encoded = encodeFrame(valid)
      const flipped = encoded.slice()
      const index = (where >> 3) % flipped.length
      flipped[index] = (flipped[index] ?? 0) ^ (1 << (where & 7))
      decodeMessage(flipped)
      const cut = encoded.slice(0, length % encoded.length)
      expect(decodeMessage(cut).violation).toBeDefined()
    }),
    { numRuns: 2000 },
  )
})

test('nesting and counts are bounded before anything is built', () => {
  expect(decodeMessage(new Uint8Array(1 << 20).fill(0x81)).violation?.message).toContain('nested')
  expect(decodeMessage(Uint8Array.of(0x9b, 0, 0, 0, 1, 0, 0, 0, 0)).violation).toBeDefined()
  const many = new Uint8Array(200_000).fill(0x80)
  many.set([0x9a, 0, 3, 0, 0])
  expect(decodeMessage(many).violation?.message).toContain('items')
  expect(decodeMessage(new Uint8Array((1 << 20) + 1)).violation?.code).toBe(
    'PROTOCOL_LIMIT_EXCEEDED',
  )
})
