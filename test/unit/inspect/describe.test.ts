import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Frame } from '../../../src/core/sync/message.ts'
import { encodeFrame } from '../../../src/core/sync/message-codec.ts'
import { describeMessage } from '../../../src/inspect/index.ts'
import { nodeCompression } from '../../../src/node/index.ts'
import { Author } from '../../support/author.ts'
import { frame } from '../../support/frames.ts'
import { eventsFrame, wireEntry } from '../../support/raw-peer.ts'
import { WIRE_EXAMPLES } from '../../support/wire-examples.ts'

const FIXTURES = new URL('../../fixtures/wire/v1/', import.meta.url)

function lineOf(...frames: readonly Frame[]): readonly string[] {
  return describeMessage(Buffer.concat(frames.map((one) => encodeFrame(one))))
}

test.each(readdirSync(FIXTURES))('%s is one line', (name) => {
  const bytes = Buffer.from(readFileSync(new URL(name, FIXTURES), 'utf8').replace(/\s/g, ''), 'hex')
  const lines = describeMessage(bytes)
  expect(lines).toHaveLength(1)
  const example = WIRE_EXAMPLES[name.replace('.hex', '')]
  if (example !== undefined)
    expect(lines[0]).toMatch(new RegExp(`^${example.type.toUpperCase().replace('-', '_')}`))
  for (const line of lines) expect(line).not.toMatch(/damaged: /)
})

describe('a frame in words', () => {
  test('of events: where, what, how large, and which', () => {
    const event = new Author('0a'.repeat(8)).set('a', 1)
    const place = 'pods/default/web/1/desired'
    const entries = [wireEntry('event', place, 'node/edge-1', event.bytes)]
    const [line] = lineOf({ ...eventsFrame(...entries), after: 41, upTo: 44, final: true })
    expect(line).toMatch(
      /^EVENTS 41\.\.44 final: node\/edge-1 pods\/default\/web\/1\/desired event \d+ B [0-9a-f]{12} #1 of 0a0a0a0a0a0a$/,
    )
  })

  test('of many entries: the first ones, and how many more', () => {
    const entries = Array.from({ length: 9 }, (_, i) =>
      wireEntry('tombstone', `d/${i}`, 'c', new Uint8Array(0)),
    )
    expect(lineOf(eventsFrame(...entries))[0]).toMatch(/d\/3 tombstone 0 B, and 5 more$/)
  })

  test('of an end: why, and whether to come back', () => {
    const close = {
      type: 'close',
      code: 'ACCESS_BUSY',
      message: 'too many',
      retryable: true,
    } as const
    expect(lineOf({ ...close, retryAfterMs: 1500 })).toEqual([
      'CLOSE ACCESS_BUSY "too many", dial again after 1500 ms',
    ])
  })

  test('each of a message has a line', () => {
    expect(lineOf({ type: 'ping' }, { type: 'pong' })).toEqual(['PING', 'PONG'])
  })

  test('that is packed is looked into by who can unpack it', () => {
    const compression = nodeCompression()
    const inner = encodeFrame({ type: 'ping' })
    const bytes = compression.compress(inner)
    if (bytes instanceof Promise) throw new Error('the compression of Node answers at once')
    const packing = compression.number
    const message = encodeFrame({ type: 'packed', packing, length: inner.length, bytes })
    expect(describeMessage(message)).toHaveLength(1)
    expect(describeMessage(message, { compression })).toEqual([
      expect.stringMatching(/^PACKED by \d+, \d+ B for 1?\d B$/),
      '  PING',
    ])
  })
})

describe('what is no frame', () => {
  test('an unknown type that may be ignored is named', () => {
    // [77, "x"]
    expect(describeMessage(Uint8Array.of(0x82, 0x18, 77, 0x61, 0x78))).toEqual([
      'UNKNOWN type 77, 5 B',
    ])
  })

  test('a type that may not be ignored, and a damaged end, are said to be damaged', () => {
    const ping = encodeFrame({ type: 'ping' })
    // [63], then half an array.
    const lines = describeMessage(Buffer.concat([ping, Uint8Array.of(0x81, 0x18, 63, 0x82, 1)]))
    expect(lines).toEqual([
      'PING',
      'damaged: "frame: type 63 is unknown" (3 B)',
      expect.stringMatching(/^damaged: no CBOR item from byte \d+ on, of \d+$/),
    ])
    expect(describeMessage(new Uint8Array(0))).toEqual(['damaged: the message is empty'])
  })

  test('texts of a peer move no cursor', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const close = { type: 'close', code: 'X', message: text, retryable: true } as const
        const frames: Frame[] = [
          { type: 'subscribe', collections: [`c${text}`] },
          { ...close, retryAfterMs: undefined },
        ]
        for (const line of frames.flatMap((one) => describeMessage(encodeFrame(one))))
          expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e]/u)
      }),
    )
  })

  test('no bytes at all make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(describeMessage(bytes).length).toBeGreaterThan(0)
      }),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat({ max: 255 }), (one, at, byte) => {
        const bytes = Uint8Array.from(encodeFrame(one))
        expect(describeMessage(bytes)).toHaveLength(1)
        bytes[at % bytes.length] = byte
        expect(describeMessage(bytes).length).toBeGreaterThan(0)
      }),
      { numRuns: 1_000 },
    )
  })
})
