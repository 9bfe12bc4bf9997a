import { expect, test } from 'vitest'

import { PLAIN_KIND } from '../../../../src/core/document/kind.ts'
import { checkValue, type JsonValue } from '../../../../src/core/document/value.ts'
import { Side } from '../../../support/document-side.ts'

test('keys that every object has are keys like others in a plain document', () => {
  const side = new Side('a', PLAIN_KIND)
  for (const value of [{ constructor: 'a' }, { constructor: 'b', toString: { valueOf: 1 } }, {}]) {
    side.write(side.document.value, value as never)
    expect(side.document.value).toEqual(value)
  }
})

test('the bound of the size of a value is never below its size', () => {
  const values: JsonValue[] = [
    '\u0001"\\',
    -Number.MIN_VALUE,
    -1234567.123456789,
    [true, false, null, []],
    { 'a"b': { c: ['\n'.repeat(20)] }, '': -0 },
  ]
  for (const value of values) {
    expect(checkValue(value).charsMax).toBeGreaterThanOrEqual(JSON.stringify(value).length)
  }
})

test('a document that nobody looks at keeps its events alone, and goes on from them', () => {
  const side = new Side('a')
  side.write({}, { labels: { one: '1' }, count: 0 })
  const seldom = side.document.memoryBytes
  // Who is written to again and again stays ready for the next edit.
  for (const count of [1, 2]) side.write(side.document.value, { labels: { one: '1' }, count })
  const { value, heads } = side.document
  const awake = side.document.memoryBytes
  expect(awake).toBeGreaterThan(seldom * 2)
  side.document.rest()
  side.document.rest()
  expect(side.document.memoryBytes).toBeLessThan(awake)
  expect(side.document.heads).toEqual(heads)
  expect(side.document.value).toEqual(value)
  side.document.rest()
  side.write(value, { ...value, count: 5 })
  expect(side.document.value).toEqual({ labels: { one: '1' }, count: 5 })
  expect(side.document.at(heads)).toEqual(value)
})
