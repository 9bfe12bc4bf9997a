import * as cborg from 'cborg'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CborError, CborReader, decodeCbor } from '../../src/core/cbor-reader.ts'
import { encodeCbor } from '../../src/core/cbor-writer.ts'

const KEY = /^[ -~]*$/

/** What a record or a frame may hold. A zero has no sign in CBOR's integers. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.integer({ min: 0, max: 300 }),
    fc.double({ noNaN: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(
      fc.stringMatching(KEY).filter((key) => !(key in {})),
      tie('value'),
      { maxKeys: 30 },
    ),
  ),
})).value

test('another codec reads and writes the same bytes', () => {
  fc.assert(
    fc.property(value, (item) => {
      const bytes = encodeCbor(item)
      expect(Buffer.from(bytes)).toEqual(Buffer.from(cborg.encode(item, { float64: true })))
      expect(cborg.decode(bytes)).toEqual(decodeCbor(bytes))
    }),
    { numRuns: 1000 },
  )
})

test('what was written is read again, out of other bytes too', () => {
  fc.assert(
    fc.property(value, fc.uint8Array({ maxLength: 9 }), (item, before) => {
      const encoded = encodeCbor(item)
      const within = Buffer.concat([before, encoded]).subarray(before.length)
      expect(Object.fromEntries([['value', decodeCbor(within)]])).toEqual({ value: item })
    }),
  )
})

test('noise is refused with one error, and what is read another codec reads alike', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (noise) => {
      const item = read(noise)
      if (item !== undefined) expect(cborg.decode(noise)).toEqual(item.value)
    }),
    { numRuns: 5000 },
  )
})

function read(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: decodeCbor(bytes) }
  } catch (error) {
    if (error instanceof CborError) return undefined
    throw error
  }
}

test.each([
  ['an empty one', []],
  ['a head that is cut short', [0x19, 1]],
  ['a text that is cut short', [0x62, 0x61]],
  ['two items', [1, 1]],
  ['a text that is not UTF-8', [0x61, 0xff]],
  ['an integer past 2^53', [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]],
  ['an integer below -2^53', [0x3b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ['an array of unknown length', [0x9f, 0xff]],
  ['a tag', [0xc0, 0x60]],
  ['undefined', [0xf7]],
  ['a short float', [0xf9, 0x3c, 0]],
  ['a key that is no text', [0xa1, 1, 1]],
  ['a key that stands twice', [0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2]],
  ['a key that every object has', [0xa1, 0x69, ...Buffer.from('__proto__'), 0x80]],
  ['more nesting than any value of ours has', new Uint8Array(2_000).fill(0x81)],
])('%s is refused', (_, bytes) => {
  expect(() => decodeCbor(Uint8Array.from(bytes))).toThrow(CborError)
})

test('what is read item by item is a view, what is read whole is a copy', () => {
  const bytes = Buffer.from([0x41, 7, 0x41, 8])
  const reader = new CborReader(bytes)
  const view = reader.view()
  const copy = reader.item()
  bytes.fill(0)
  expect(view).toEqual(Uint8Array.of(0))
  expect(copy).toEqual(Uint8Array.of(8))
  expect(reader.done).toBe(true)
})

test('undefined is left out of a map and refused in an array', () => {
  expect(decodeCbor(encodeCbor({ a: undefined, b: 1 }))).toEqual({ b: 1 })
  expect(() => encodeCbor([undefined])).toThrow(TypeError)
  // What could not be written leaves nothing behind.
  expect(encodeCbor(1)).toEqual(Uint8Array.of(1))
})
