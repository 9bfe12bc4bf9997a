import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeMessage,
  encodeMessage,
} from '../../src/adapters/kubernetes/server/streams/channels.ts'
import { SizeReader } from '../../src/adapters/kubernetes/server/streams/session-bridge.ts'
import { encodeFrame, type Frame, FrameReader, SpdyError } from '../../src/adapters/spdy/frames.ts'
import { HeaderCodec } from '../../src/adapters/spdy/headers.ts'

const stream = fc.integer({ min: 1, max: 0x7fff_ffff })
const bytes = fc.uint8Array({ maxLength: 300 })
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constantFrom('open' as const, 'reply' as const, 'headers' as const),
    stream,
    fin: fc.boolean(),
    block: bytes,
  }),
  fc.record({ type: fc.constant('data' as const), stream, fin: fc.boolean(), bytes }),
  fc.record({ type: fc.constant('reset' as const), stream, status: fc.nat() }),
  fc.record({ type: fc.constant('ping' as const), id: fc.nat() }),
  fc.constant({ type: 'go-away' as const }),
)

/** Frames as they mean the same: pieces of data that belong to one frame are one. */
function joined(frames: readonly Frame[]): readonly unknown[] {
  const whole: unknown[] = []
  let data: Uint8Array[] = []
  for (const each of frames) {
    if (each.type !== 'data') {
      const block = 'block' in each ? Buffer.from(each.block).toString('hex') : undefined
      whole.push(block === undefined ? each : { ...each, block })
      continue
    }
    data.push(each.bytes)
    if (whole.length >= 0 && each.fin) {
      whole.push({ stream: each.stream, data: Buffer.concat(data).toString('hex') })
      data = []
    }
  }
  if (data.length > 0) whole.push({ data: Buffer.concat(data).toString('hex') })
  return whole
}

function cut(whole: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b)
  return [...at, whole.length].map((end, index) => whole.subarray(at[index - 1] ?? 0, end))
}

describe('frames of SPDY', () => {
  test('mean the same wherever their bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat()), (frames, places) => {
        const whole = Buffer.concat(frames.map(encodeFrame))
        const once = new FrameReader().push(whole)
        const reader = new FrameReader()
        const pieces = cut(whole, places).flatMap((piece) => reader.push(piece))
        expect(joined(pieces)).toEqual(joined(once))
        expect(once.filter((each) => each.type !== 'data').length).toBe(
          frames.filter((each) => each.type !== 'data').length,
        )
      }),
    )
  })

  test('that are hostile are refused, or mean something, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (pieces) => {
        const reader = new FrameReader()
        try {
          for (const piece of pieces) reader.push(piece)
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('that lack their end give nothing but the data that are there', () => {
    fc.assert(
      fc.property(frame, fc.nat(), (each, place) => {
        const whole = encodeFrame(each)
        const part = whole.subarray(0, place % whole.length)
        const frames = new FrameReader().push(part)
        expect(frames.every(({ type }) => type === 'data')).toBe(true)
      }),
    )
  })
})

describe('headers of SPDY', () => {
  test('survive compression, each block after those before it', async () => {
    const text = fc.string({ maxLength: 40 }).map((value) => value.replaceAll('\0', ''))
    const ascii = text.map((value) => value.replaceAll(/[^\x20-\x7e]/g, 'x'))
    const headers = fc.dictionary(
      ascii.map((name) => `n${name.toLowerCase()}`),
      ascii,
      { maxKeys: 8 },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(headers, { maxLength: 6 }), async (blocks) => {
        const writer = new HeaderCodec()
        const reader = new HeaderCodec()
        for (const block of blocks) {
          const map = new Map(Object.entries(block))
          expect(await reader.decode(await writer.encode(map))).toEqual(map)
        }
        writer.close()
        reader.close()
      }),
      { numRuns: 30 },
    )
  })

  test('that are damaged are refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (block) => {
        const codec = new HeaderCodec()
        await codec.decode(block).then(
          () => undefined,
          (error: unknown) => expect(error).toBeInstanceOf(SpdyError),
        )
        codec.close()
      }),
      { numRuns: 200 },
    )
  })
})

describe('messages of channels', () => {
  test.each([
    { base64: false, closes: true },
    { base64: false, closes: false },
    { base64: true, closes: false },
  ])('come back as they were: %o', (form) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), bytes, (channel, content) => {
        const message = decodeMessage(Buffer.from(encodeMessage(channel, content, form)), form)
        expect(message?.channel).toBe(channel)
        expect(Buffer.from(message?.bytes ?? [])).toEqual(Buffer.from(content))
      }),
    )
  })

  test('that are hostile mean nothing, or something', () => {
    fc.assert(
      fc.property(bytes, fc.boolean(), fc.boolean(), (raw, base64, closes) => {
        expect(() => decodeMessage(raw, { base64, closes })).not.toThrow()
      }),
    )
  })
})

test('sizes of terminals are read wherever they are cut; anything else is no size', () => {
  const size = fc.record({ Width: fc.nat({ max: 500 }), Height: fc.nat({ max: 500 }) })
  fc.assert(
    fc.property(fc.array(size, { minLength: 1 }), fc.array(fc.nat()), (sizes, places) => {
      const whole = Buffer.from(sizes.map((each) => `${JSON.stringify(each)}\n`).join(''))
      const reader = new SizeReader()
      const seen = cut(whole, places).map((piece) => reader.push(piece))
      const last = sizes.at(-1)
      expect(seen.filter((each) => each !== undefined).at(-1)).toEqual({
        columns: last?.Width,
        rows: last?.Height,
      })
    }),
  )
  fc.assert(fc.property(bytes, (noise) => void new SizeReader().push(noise)))
})
