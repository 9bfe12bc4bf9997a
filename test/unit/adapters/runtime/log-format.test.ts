import { expect, test } from 'vitest'
import { encodeLog } from '../../../../src/adapters/runtime/process/log-format.ts'

const AT = Date.parse('2026-01-02T03:04:05.678Z')
const HEAD = '2026-01-02T03:04:05.678000000Z stdout'

test.each<[string, 'keep' | 'part' | 'end', readonly string[], number]>([
  ['', 'keep', [], 0],
  ['one\n', 'keep', ['F one'], 4],
  ['one\n\ntwo\n', 'keep', ['F one', 'F ', 'F two'], 9],
  ['one\ntw', 'keep', ['F one'], 4],
  ['one\ntw', 'part', ['F one', 'P tw'], 6],
  ['one\ntw', 'end', ['F one', 'F tw'], 6],
  ['12345678', 'keep', [], 0],
  ['12345678\n', 'keep', ['F 12345678'], 9],
  ['123456789', 'keep', ['P 12345678'], 8],
  ['123456789\n', 'keep', ['P 12345678', 'F 9'], 10],
  ['12345678123456781\n', 'keep', ['P 12345678', 'P 12345678', 'F 1'], 18],
])('%j with the tail to %s', (raw, tail, entries, consumed) => {
  const encoded = encodeLog(Buffer.from(raw), 'stdout', AT, 8, tail)
  const expected = entries.map((entry) => `${HEAD} ${entry}\n`).join('')
  expect([encoded.text.toString(), encoded.consumed]).toEqual([expected, consumed])
})
