import { describe, expect, test } from 'vitest'
import { evictionSettings } from '../../../../../src/adapters/edged/eviction/settings.ts'
import {
  amountIn,
  parseAmount,
  type ThresholdOptions,
  thresholdsOf,
} from '../../../../../src/adapters/edged/eviction/thresholds.ts'
import { isTidewayError } from '../../../../../src/index.ts'

function problemOf(options: ThresholdOptions): unknown {
  try {
    thresholdsOf(options)
  } catch (error) {
    if (isTidewayError(error)) return { code: error.code, ...error.fields }
  }
  return undefined
}

describe('thresholds', () => {
  test('those of kubelet are the default, and others stand instead of them', () => {
    expect(thresholdsOf({}).map(({ signal, graceMs }) => [signal, graceMs])).toEqual([
      ['memory.available', 0],
      ['nodefs.available', 0],
      ['nodefs.inodesFree', 0],
      ['imagefs.available', 0],
      ['imagefs.inodesFree', 0],
    ])
    expect(thresholdsOf({ hard: { 'pid.available': '1k' } })).toEqual([
      {
        signal: 'pid.available',
        value: { type: 'quantity', text: '1k', value: 1000 },
        graceMs: 0,
        reclaim: undefined,
      },
    ])
    expect(thresholdsOf({ hard: {} })).toEqual([])
  })

  test('soft ones have a grace, all may have a minimum to reclaim, 0% and 100% are none', () => {
    const [soft, ...others] = thresholdsOf({
      hard: { 'memory.available': '0%', 'nodefs.available': '100%' },
      soft: { 'memory.available': '1Gi' },
      softGraceMs: { 'memory.available': 90_000 },
      minimumReclaim: { 'memory.available': '5%' },
    })
    expect(others).toEqual([])
    expect(soft).toMatchObject({ graceMs: 90_000, value: { value: 2 ** 30 } })
    expect(amountIn(soft?.reclaim ?? never(), { capacity: 1000 })).toBe(50)
  })

  test('what is wrong is named, with what is allowed', () => {
    expect(problemOf({ hard: { 'cpu.available': '1' } })).toMatchObject({
      code: 'USAGE_INVALID_ARGUMENT',
      field: 'hard',
      signal: 'cpu.available',
      allowed: expect.stringContaining('memory.available'),
    })
    for (const text of ['', '0', '-1Mi', '101%', '-1%', 'much', '10 %']) {
      expect(problemOf({ hard: { 'memory.available': text } })).toMatchObject({ value: text })
    }
    expect(problemOf({ soft: { 'memory.available': '1Gi' } })).toMatchObject({
      field: 'softGraceMs',
      signal: 'memory.available',
    })
    const softGraceMs = { 'memory.available': 0 }
    expect(problemOf({ soft: { 'memory.available': '1Gi' }, softGraceMs })).toMatchObject({
      field: 'softGraceMs',
    })
    expect(() => evictionSettings({ periodMs: 0 })).toThrow('a time of eviction is wrong')
  })

  test('a percentage is one of what there is, in the precision of kubelet', () => {
    expect(amountIn(parseAmount('10%') ?? never(), { capacity: 100_000_000_000 })).toBe(
      10_000_000_149,
    )
    expect(parseAmount('1536Mi')).toMatchObject({ text: '1536Mi', value: 1536 * 2 ** 20 })
  })
})

function never(): never {
  throw new Error('there is none')
}
